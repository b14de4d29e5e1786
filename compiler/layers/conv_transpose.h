#pragma once
/// \file
/// The numbers of a conv_transpose, for schedules.
#include <cstdint>

#include "layers/window.h"

namespace calotype::layers {

/// Cell q of the operand and cell k of the kernel meet in the result's cell q * stride + k * dilation - begin. One entry for each spatial
/// dimension.
struct TransposedConvolution {
  std::int64_t channels = 0, filters = 0, groups = 0;
  Extents kernel, stride, dilation;
  Extents begin;   ///< cells taken away before the first
  Extents output;  ///< spatial extents of the result
};

/// Throws Failure that points at the argument at fault.
TransposedConvolution transposed_convolution_of(const Call& call);

}  // namespace calotype::layers
