/// \file
/// Grouped convolution on channel-blocked data: direct convolution in which each tile of output channels sums only the input channels of the
/// groups that it touches. Where a tile ends inside of a group, its lanes meet channels of the neighbour's group with weights of zero; tiles are
/// chosen so that little is wasted that way (3 blocks of 16 are 2 groups of 24: a third more multiplications than the layer has).
///
/// Groups smaller than a block are schedules/cpu/small_groups.cpp's where it matches, because most weights would be zeros here.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "ir/checked.h"
#include "layers/window.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using layers::Window;

/// Which input channels a tile of output channels sums: whole parts of `part` channels, from `first(tile)` on, `count(tile)` of them.
struct Ranges {
  std::int64_t filters = 0, group_filters = 0, group_channels = 0;
  std::int64_t tile = 0;  ///< output channels
  std::int64_t part = 0;

  std::int64_t tiles() const { return (filters + tile - 1) / tile; }
  std::int64_t first(std::int64_t t) const { return t * tile / group_filters * group_channels / part; }
  std::int64_t count(std::int64_t t) const {
    const std::int64_t last_filter = std::min((t + 1) * tile, filters) - 1;
    return ((last_filter / group_filters + 1) * group_channels - 1) / part + 1 - first(t);
  }
  std::int64_t most() const {
    std::int64_t most = 0;
    for (std::int64_t t = 0; t < tiles(); ++t) most = std::max(most, count(t));
    return most;
  }
  /// Channels summed by all tiles, as a multiple of what the layer has.
  double waste() const {
    std::int64_t parts = 0;
    for (std::int64_t t = 0; t < tiles(); ++t) parts += count(t);
    return static_cast<double>(parts * part * tile) / static_cast<double>(filters * group_channels);
  }
};

Ranges ranges_of(const layers::Call& call, std::int64_t lanes, std::int64_t vectors) {
  const TensorType& weight = call.operand("weight").type;
  Ranges ranges;
  ranges.filters = weight.extents[0];
  ranges.group_filters = weight.extents[0] / call.integer("groups");
  ranges.group_channels = weight.extents[1];
  ranges.tile = lanes * vectors;
  ranges.part = std::max(std::gcd(ranges.group_channels, lanes), std::min<std::int64_t>(4, lanes));
  return ranges;
}

/// Weights in the order (lane, vector, channel of a part, kernel reversed..., part, tile).
Wish packed_weights(const Ranges& ranges, std::int64_t lanes, const std::vector<std::int64_t>& kernel) {
  Wish wish;
  wish.packed_extents = {lanes, ranges.tile / lanes, ranges.part};
  wish.packed_extents.insert(wish.packed_extents.end(), kernel.rbegin(), kernel.rend());
  wish.packed_extents.push_back(ranges.most());
  wish.packed_extents.push_back(ranges.tiles());
  wish.packing = fmt::format("grouped {} {} {} {}", lanes, ranges.tile, ranges.part, ranges.group_filters);
  const std::int64_t cells = checked_product(kernel);
  wish.pack = [ranges, cells](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    for (std::int64_t o = 0; o < ranges.filters; ++o) {
      const std::int64_t t = o / ranges.tile;
      for (std::int64_t i = 0; i < ranges.group_channels; ++i) {
        const std::int64_t channel = o / ranges.group_filters * ranges.group_channels + i;
        const std::int64_t part = t * ranges.most() + channel / ranges.part - ranges.first(t);
        for (std::int64_t k = 0; k < cells; ++k) {
          const float number = load<float>(source, (o * ranges.group_channels + i) * cells + k);
          const std::int64_t at = ((part * cells + k) * ranges.part + channel % ranges.part) * ranges.tile + o % ranges.tile;
          std::memcpy(destination.data() + static_cast<std::size_t>(at) * sizeof(float), &number, sizeof(float));
        }
      }
    }
  };
  return wish;
}

}  // namespace

std::optional<Choice> choose_grouped_conv(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv" || call.integer("groups") == 1 || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  if (x.rank() < 3 || x.rank() > 5) return std::nullopt;
  const TensorType& weight = call.operand("weight").type;
  const int bias = question.input_of("bias");
  const Window window = window_of_convolution(call);
  if (crops_operand(window)) return std::nullopt;

  Choice choice;
  choice.output = blocked_layout(question.target);
  const std::int64_t lanes = choice.output.block;
  const std::int64_t blocks = (weight.extents[0] + lanes - 1) / lanes;
  const bool flat = is_matrix_product(window);
  const TensorType& y = question.output_type();
  const std::int64_t width = flat ? y.elements() / (y.extents[0] * y.extents[1]) : y.extents.back();
  RegisterTile tile;
  double best = 1e30;
  for (std::int64_t channels = 1; channels <= 4; ++channels) {
    if (blocks % channels != 0) continue;
    const std::int64_t pixels = choose_pixels(channels, width, question.target);
    const double rows = static_cast<double>((width + pixels - 1) / pixels * pixels) / static_cast<double>(width);
    const double cost = ranges_of(call, lanes, channels).waste() *
                        tile_cost(rows, static_cast<double>(channels * pixels), static_cast<double>(channels + pixels));
    if (cost < best - 1e-9) tile = {channels, pixels}, best = cost;
  }
  const Ranges ranges = ranges_of(call, lanes, tile.channels);
  if (ranges.waste() > 4) return std::nullopt;  // no faster than the generic schedule

  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = with_halo_for(window, x, choice.output);
  operand.any_halo = true;
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] =
      packed_weights(ranges, lanes, {weight.extents.begin() + 2, weight.extents.end()});
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  choice.parameters = {{"channels", tile.channels}, {"pixels", tile.pixels}, {flat_parameter, flat ? 1 : 0}};
  return choice;
}

Func build_grouped_conv(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const int lanes = builder.point().lanes;
  const auto vectors = static_cast<int>(builder.parameter("channels"));
  const Ranges ranges = ranges_of(call, lanes, vectors);
  const auto rank = window.rank();

  /* The algorithm. Variables: lane, x, y, z, block, n; reduction: channel of a part, kernel x, y, z, part. */
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front(), pixel = at[1], block = at[rank + 1];
  const auto part = static_cast<int>(ranges.part), group_filters = static_cast<int>(ranges.group_filters);
  const auto group_channels = static_cast<int>(ranges.group_channels), most = static_cast<int>(ranges.most());
  Halide::Region domain = {{0, part}};
  for (std::size_t i = 0; i < rank; ++i) domain.emplace_back(0, static_cast<int>(window.kernel[rank - 1 - i]));
  domain.emplace_back(0, most);
  Halide::RDom r(domain, builder.prefix() + "_r");
  const RVar part_at = r[static_cast<int>(rank) + 1];
  const Expr tile = block / vectors;
  const Expr first = tile * (lanes * vectors) / group_filters * group_channels / part;
  bool all_equal = true;
  for (std::int64_t t = 0; t < ranges.tiles(); ++t) all_equal = all_equal && ranges.count(t) == ranges.most();
  if (!all_equal) {
    const Expr last_filter = Halide::min((tile + 1) * (lanes * vectors), static_cast<int>(ranges.filters)) - 1;
    r.where(part_at < ((last_filter / group_filters + 1) * group_channels - 1) / part + 1 - first);
  }
  const Expr from = first + part_at;
  std::vector<Expr> operand_at = {r[0] + from % (lanes / part) * part};
  std::vector<Expr> weight_at = {lane, block % vectors, r[0]};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const RVar cell = r[static_cast<int>(i) + 1];
    operand_at.push_back(at[1 + i] * static_cast<int>(window.stride[d]) + cell * static_cast<int>(window.dilation[d]) -
                         static_cast<int>(window.begin[d]));
    weight_at.emplace_back(cell);
  }
  operand_at.push_back(from / (lanes / part));
  operand_at.emplace_back(at.back());
  weight_at.emplace_back(part_at);
  weight_at.push_back(tile);

  Func sum(builder.prefix() + "_sum");
  sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  sum(at) += weight(weight_at) * x(operand_at);
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), storage[1].extent));
  const Var block_outer("block_outer"), block_inner("block_inner"), pixel_outer("pixel_outer"), pixel_inner("pixel_inner");
  output.split(block, block_outer, block_inner, vectors, TailStrategy::RoundUp);
  output.split(pixel, pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order = {lane, pixel_inner, block_inner, pixel_outer};
  std::vector<std::pair<Var, std::int64_t>> outer;
  for (std::size_t i = 2; i < rank + 1; ++i) outer.emplace_back(at[i], storage[i].extent);
  outer.emplace_back(block_outer, storage[rank + 1].extent / vectors);
  outer.emplace_back(at.back(), storage.back().extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(pixel_inner).unroll(block_inner);

  const RVar chunk("chunk"), step("step");
  sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(pixel).unroll(block);
  sum.update().split(r[0], chunk, step, std::min(part, 4));
  std::vector<Halide::VarOrRVar> inner = {lane, block, pixel, step, chunk};
  for (int k = 1; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(lane).unroll(block).unroll(pixel).unroll(step);
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
