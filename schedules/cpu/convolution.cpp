/// \file
/// What the templates for convolutions and dense layers share.
#include "schedules/cpu/convolution.h"

#include <algorithm>

namespace calotype::schedules::cpu {

bool has_constant_f32_weights(const Question& question) {
  const int weight = question.input_of("weight");
  const int bias = question.input_of("bias");
  if (weight < 0 || !question.is_weight(static_cast<std::size_t>(weight))) return false;
  if (bias >= 0 && !question.is_weight(static_cast<std::size_t>(bias))) return false;
  const TensorType& x = question.call().type(0);
  const TensorType& y = question.output_type();
  return x.element == ElementType::f32 && y.element == ElementType::f32 && x.elements() > 0 && y.elements() > 0;
}

layers::Window window_of_convolution(const layers::Call& call) {
  const TensorType& weight = call.operand("weight").type;
  return layers::window_of(call, {weight.extents.begin() + 2, weight.extents.end()});
}

// `likely` stands on the value: on the condition it would partition nothing.
Halide::Expr edge_column(const Halide::Expr& inside, const Halide::Expr& value) {
  return Halide::select(inside, Halide::likely(value), 0.0F);
}

plan::Layout with_halo_for(const layers::Window& window, const TensorType& x, plan::Layout layout) {
  bool any = false;
  for (std::size_t d = 0; d < window.rank(); ++d) {
    const std::int64_t last = (window.output[d] - 1) * window.stride[d] + window.span(d) - window.begin[d];
    layout.halo_begin.push_back(std::max<std::int64_t>(0, window.begin[d]));
    layout.halo_end.push_back(std::max<std::int64_t>(0, last - x.extents[d + 2]));
    any = any || layout.halo_begin.back() > 0 || layout.halo_end.back() > 0;
  }
  if (!any) {
    layout.halo_begin.clear();
    layout.halo_end.clear();
  }
  return layout;
}

bool crops_operand(const layers::Window& window) {
  for (std::size_t d = 0; d < window.rank(); ++d) {
    if (window.begin[d] < 0 || window.end[d] < 0) return true;
  }
  return false;
}

bool is_matrix_product(const layers::Window& window) {
  for (std::size_t d = 0; d < window.rank(); ++d) {
    if (window.kernel[d] != 1 || window.stride[d] != 1 || window.leaves_operand(d)) return false;
  }
  return true;
}

namespace {

struct RatedTile {
  RegisterTile tile;
  double cost = 1e30;
};

/// The best number of cells for a tile of that many channel blocks (1 to 4).
RatedTile rate(std::int64_t channels, std::int64_t width, const plan::Target& target) {
  const bool many_registers = target.vector_registers >= 32;
  // With 16 registers, 2x6 accumulators spill where broadcasts take registers of their own, for fused multiply-adds. Measured with 2x6 and 2x5,
  // --accuracy exact: resnet50 on AVX2 150 and 86 ms, mobilenet_v1 12.3 and 11.0; on SSE4.1 241 and 259, 31.9 and 34.1.
  const bool fused = target.has("fma");
  const std::int64_t many[] = {0, 14, 10, 8, 5}, few[] = {0, 10, 6, 4, 3}, few_fused[] = {0, 10, 5, 3, 2};
  const std::int64_t* most_pixels = many_registers ? many : fused ? few_fused : few;
  RatedTile best;
  for (std::int64_t pixels = 1; pixels <= std::min(width, most_pixels[channels]); ++pixels) {
    const auto waste = static_cast<double>((width + pixels - 1) / pixels * pixels) / static_cast<double>(width);
    const double cost = tile_cost(waste, static_cast<double>(channels * pixels), static_cast<double>(channels + pixels));
    if (cost < best.cost - 1e-9) best = {{channels, pixels}, cost};
  }
  return best;
}

}  // namespace

double tile_cost(double waste, double accumulators, double loads) {
  return waste * std::max(1.0, 10.0 / accumulators) * (1.0 + 0.35 * std::max(0.0, loads / accumulators - 0.6));
}

RegisterTile choose_register_tile(std::int64_t blocks, std::int64_t width, const plan::Target& target) {
  RatedTile best;
  for (std::int64_t channels = 1; channels <= 4; ++channels) {
    if (blocks % channels != 0) continue;
    const RatedTile rated = rate(channels, width, target);
    if (rated.cost < best.cost - 1e-9) best = rated;
  }
  return best.tile;
}

std::int64_t choose_pixels(std::int64_t channels, std::int64_t width, const plan::Target& target) {
  return rate(channels, width, target).tile.pixels;
}

}  // namespace calotype::schedules::cpu
