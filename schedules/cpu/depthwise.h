#pragma once
/// \file
/// The sums of a depthwise convolution, for the template of its own and for those that have it as a stage.
#include <functional>

#include "layers/window.h"
#include "schedules/template.h"

namespace calotype::schedules::cpu {

/// Has the convolution one filter for each channel, which reads that channel alone?
bool is_depthwise(const layers::Call& call);

/// The operand's element at a place of its memory: lane, x, y, block, n.
using CellReader = std::function<Halide::Expr(const std::vector<Halide::Expr>& cell)>;

struct DepthwiseSums {
  layers::Window window;
  Halide::RDom r;    ///< kernel x, y
  Halide::Func sum;  ///< over the variables of the builder's point
};

/// The algorithm for the kernel's op number `op`. Cells outside of the operand are never asked for: their place is clamped and they count as zero.
DepthwiseSums depthwise_sums(KernelBuilder& builder, std::size_t op, const CellReader& operand);

/// Cells of a row in a register tile.
std::int64_t depthwise_pixels(std::int64_t width, const plan::Target& target);

/// The schedule: accumulators inside of `output`'s loop over tiles of cells, the kernel unrolled.
void schedule_depthwise(DepthwiseSums& sums, Halide::Func& output, const KernelBuilder& builder, const Halide::Var& pixel_outer);

}  // namespace calotype::schedules::cpu
