#pragma once
/// \file
/// What the templates for convolutions and dense layers share.
#include <cstdint>

#include "layers/window.h"
#include "schedules/template.h"

namespace calotype::schedules::cpu {

/// Is the anchor an f32 layer with elements, whose weight and bias are known numbers?
bool has_constant_f32_weights(const Question& question);

/// The window of a call whose kernel is that of its operand `weight`.
layers::Window window_of_convolution(const layers::Call& call);

/// The cell of the operand under a kernel cell, zero where it is not `inside` of the extent.
Halide::Expr edge_column(const Halide::Expr& inside, const Halide::Expr& value);

/// `layout`, which has none yet, with the halo that the window reads around its operand `x`.
plan::Layout with_halo_for(const layers::Window& window, const TensorType& x, plan::Layout layout);

/// Is a padding negative, so that windows leave out cells at an edge? No template does that.
bool crops_operand(const layers::Window& window);

/// Is it a 1x1 window of stride 1 that never leaves the operand?
bool is_matrix_product(const layers::Window& window);

/// Vectors of output channels and cells in a register tile: together few enough to leave registers for weights and operand.
struct RegisterTile {
  std::int64_t channels = 1, pixels = 1;
};

/// What a register tile costs for each multiply-add, 1 at best: `waste` is what the last tiles compute too much (1: nothing), `loads` are those of
/// one step of all `accumulators`. Chains of additions too short to hide their latency cost, and so do loads.
double tile_cost(double waste, double accumulators, double loads);

/// The tile for that many channel blocks (which `channels` divides) and cells in a row (`pixels` is at most `width`).
RegisterTile choose_register_tile(std::int64_t blocks, std::int64_t width, const plan::Target& target);

/// The tile's cells where its channels are given.
std::int64_t choose_pixels(std::int64_t channels, std::int64_t width, const plan::Target& target);

}  // namespace calotype::schedules::cpu
