#pragma once
/// \file
/// Which compiler made a kernel.
#include <string_view>

namespace calotype::codegen {

/// A hash over Halide's version and every source that decides what code a kernel becomes: layers, schedules, code generation. The build writes it
/// (cmake/CalotypeCodeVersion.cmake).
std::string_view code_version();

}  // namespace calotype::codegen
