#pragma once
/// \file
/// C names of a network's inputs and results.
#include <string>
#include <string_view>
#include <vector>

#include "plan/plan.h"

namespace calotype::codegen {

/// The name as a C and C++ identifier: other characters become `_`, a leading digit gets `_` before it, a keyword `_` after it.
std::string c_identifier(std::string_view name);

/// ABC for abc: how macros spell a name.
std::string upper_case(std::string_view name);

/// One buffer of the caller's: an input or a result, in the order of the members of NAME_io.
struct CallerBuffer {
  std::string name;        ///< as the description has it
  std::string c_name;      ///< member of NAME_io
  std::string macro_name;  ///< LENET5_IMAGE in LENET5_IMAGE_BYTES
  bool is_input = false;
  const plan::Buffer* buffer = nullptr;

  bool channels_last() const { return buffer->layout.family == plan::Layout::Family::channels_last; }
  /// Extents in the order of the caller's memory, outermost first.
  std::vector<std::int64_t> memory_extents() const;
};

/// Inputs, then results. Throws Failure(input) if two of them get the same C name.
std::vector<CallerBuffer> caller_buffers(const plan::Plan& plan, std::string_view library_name);

}  // namespace calotype::codegen
