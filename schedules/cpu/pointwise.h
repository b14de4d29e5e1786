#pragma once
/// \file
/// The sums of a 1x1 convolution, for the templates that make such sums: rows of cells, all or some vectors of output channels at a time.
///
/// Where the last vector of output channels would be at most half full (24 channels in vectors of 16), its lanes hold several parts of
/// the sum over input channels in place of padding: lane 2c + p sums the input channels 2k + p for output channel c, and the parts are added in
/// the end. The operand's two neighbouring channels are one broadcast of 64 bits, so that a quarter of 24 channels' multiplications is saved.
#include <functional>

#include "schedules/cpu/packing.h"
#include "schedules/template.h"

namespace calotype::schedules::cpu {

/// The register tile of a 1x1 convolution over rows of cells.
struct PointwiseTile {
  std::int64_t channels = 1;  ///< whole vectors of output channels; with parts, all of them
  std::int64_t pixels = 1;
  std::int64_t parts = 1;  ///< of the sum in the lanes of one more vector; 1: there is no such vector
  double cost = 1e30;  ///< of one operand value for all output channels, in multiply-adds of vectors
};

/// The tile for that many output channels, with parts of the sum where that costs less: then for rows of `width` cells, else for all `cells` as
/// one row.
PointwiseTile choose_pointwise_tile(std::int64_t filters, std::int64_t width, std::int64_t cells, const plan::Target& target);

/// The wish for weights [filters, channels, 1...] in the order in which the sums stream them: memory (lane, vector, step, input block, output
/// tile). A step is `parts` input channels; its vectors are those of each of these channels, then the one whose lanes hold parts.
Wish packed_pointwise_weights(std::int64_t filters, std::int64_t channels, std::int64_t lanes, const PointwiseTile& tile);

/// A value of the operand: lane and block of its channel; cells are those of the point that is computed.
using PointwiseOperand = std::function<Halide::Expr(const Halide::Expr& lane, const Halide::Expr& block)>;

/// The sums at the builder's point.
struct Pointwise {
  Halide::Func whole;  ///< of whole vectors
  Halide::Func partial;  ///< over (part, channel, cells...); undefined without parts
  Halide::Func folded;  ///< over (channel, cells...): the parts added
  Halide::RDom step;  ///< step, input block
  int parts = 1, channels = 1;
  int unrolled = 1;  ///< steps at a time
  Halide::Expr value;  ///< the sum with its bias
};

/// The algorithm for the kernel's op number `op`, whose weights lie as packed_pointwise_weights says and whose bias is padded to whole vectors.
Pointwise pointwise_sums(const KernelBuilder& builder, std::size_t op, const PointwiseTile& tile, const PointwiseOperand& operand);

/// The schedule: a tile of accumulators inside of `output`'s loop over tiles of cells.
void schedule_pointwise(Pointwise& sums, Halide::Func& output, const KernelBuilder& builder, const Halide::Var& pixel_outer);

/// Splits and orders the loops of `output`, whose value has such sums and whose memory is `storage`, into tiles of vectors and cells. Returns the
/// loops around a tile, innermost first: over tiles of cells, over the other dimensions of cells, over tiles of channels, over the batch.
std::vector<std::pair<Halide::Var, std::int64_t>> tile_pointwise(Halide::Func& output, const KernelBuilder& builder,
                                                                 const std::vector<plan::StorageDimension>& storage,
                                                                 const PointwiseTile& tile);

}  // namespace calotype::schedules::cpu
