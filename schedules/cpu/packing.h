#pragma once
/// \file
/// Weights in the order in which kernels stream them: interleaved by the register tile of output channels, so that the inner loop reads one
/// contiguous stream. Done once, when a network is compiled.
#include "schedules/template.h"

namespace calotype::schedules::cpu {

/// The shape of packed convolution weights: memory (lane, tile, input lane, kernel..., input block, output tile), innermost first.
struct ConvPacking {
  std::int64_t lanes = 16;  ///< output channels in a vector
  std::int64_t tile = 1;  ///< vectors in a register tile
  std::int64_t input_lanes = 16;  ///< input channels in a block of the operand
  std::int64_t filters = 0, channels = 0;
  std::vector<std::int64_t> kernel;  ///< logical order; empty for dense

  std::int64_t output_tiles() const { return (filters + lanes * tile - 1) / (lanes * tile); }
  std::int64_t input_blocks() const { return (channels + input_lanes - 1) / input_lanes; }
};

/// The wish for weights [filters, channels, kernel...] in that order; lanes beyond the last filter or channel are zero.
Wish packed_conv_weights(const ConvPacking& packing);

/// The wish for the same weights as the seven factors of Strassen's algorithm: memory (lane, tile, input lane, kernel..., input block of a
/// half, product, output tile of a half). Filters and channels fill their halves' tiles and blocks.
Wish packed_strassen_weights(const ConvPacking& packing);

/// The wish for one f32 number a filter, padded with zeros to `lanes * tile` multiples: memory (count).
Wish padded_vector(std::int64_t count, std::int64_t multiple);

/// The wish for depthwise weights [channels, 1, kernel...]: memory (lane, kernel reversed..., block).
Wish packed_depthwise_weights(std::int64_t channels, std::int64_t lanes, const std::vector<std::int64_t>& kernel);

}  // namespace calotype::schedules::cpu
