#pragma once
/// \file
/// What code generation gives to the linker: one relocatable object for each distinct kernel.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace calotype::codegen {

/// One compiled kernel: an ELF relocatable object that defines the function
/// `int symbol(void *context, halide_buffer_t *input..., halide_buffer_t *output)`.
struct KernelObject {
  std::string symbol;
  std::vector<std::byte> object;
  std::int64_t scratch_bytes = 0;  ///< largest live sum of allocations in any one task
};

/// Kernels that are the same stand here once; plan::Kernel::symbol says which one each kernel calls.
struct Objects {
  std::vector<KernelObject> distinct;
};

}  // namespace calotype::codegen
