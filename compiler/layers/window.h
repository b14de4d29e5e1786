#pragma once
/// \file
/// The window that convolutions and pools slide over the spatial dimensions: its extents, steps and padding, and what follows for the
/// result. Arithmetic after Dumoulin and Visin, "A guide to convolution arithmetic for deep learning" (2016).
#include <cstdint>
#include <string>
#include <vector>

#include "layers/layer.h"

namespace calotype::layers {

using Extents = std::vector<std::int64_t>;

/// One entry for each spatial dimension. The result's cell p reads the operand's cells p * stride + k * dilation - begin, 0 <= k < kernel.
struct Window {
  Extents kernel, stride, dilation;
  Extents begin, end;  ///< cells of padding that the call asks for
  Extents output;      ///< spatial extents of the result
  Extents overhang;    ///< cells that the last window reaches beyond the padding (ceil=true only)

  std::size_t rank() const { return kernel.size(); }
  /// Cells that the dilated kernel spans.
  std::int64_t span(std::size_t dimension) const { return (kernel[dimension] - 1) * dilation[dimension] + 1; }
  /// Does any window reach outside of the operand in that dimension?
  bool leaves_operand(std::size_t dimension) const { return begin[dimension] > 0 || end[dimension] > 0 || overhang[dimension] > 0; }
};

/// Number of spatial dimensions of [batch, channels, spatial...]; throws unless there are at least `least` of them.
int spatial_rank(const Call& call, const TensorType& type, int least = 1);

/// The extents after batch and channels.
Extents spatial_extents(const TensorType& type);

/// Reads stride, dilation, padding and, where the layer has it, ceil; `kernel` is the caller's to find. The stride is `default_stride`
/// unless it is written or has a default. Throws Failure that points at the argument if the kernel does not fit the padded operand 0.
Window window_of(const Call& call, const Extents& kernel, const Extents& default_stride = {});

/// Cells of padding at both ends together, to give ceil(input / stride) results: TensorFlow's `same`.
std::int64_t same_padding(std::int64_t input, std::int64_t span, std::int64_t stride);

/// "5x5"
std::string times(const Extents& extents);

/// Notes for messages about the shape of operand 0: its shape and where it comes from, and the nearest layer before it without padding.
std::vector<std::string> shape_notes(const Call& call);

}  // namespace calotype::layers
