/// \file
/// Convolution with few channels on planar data, in one to three dimensions: vectors lie along a row of the result, a register tile of `filters`
/// by `rows` by `vectors` of them accumulates while kernel window and input channels stream past, each weight a broadcast number. Nothing is
/// padded to channel blocks: 12 filters cost 12, not 16.
///
/// Taken where blocks of channels would be left empty, by a count of vectors (see `worth`), and only for operands that are planar as
/// they come: a network of few channels stays planar from its input to its result, the first layer of a large one goes to blocks. Padding is
/// a halo of the operand's memory. A 1x1 convolution of stride 1 walks all pixels as one row.
///
/// Measured on Zen 4 (peak 118 GF/s): 1 to 6 channels 5x5 at 28x28 with tanh 9.0 > 3.6 us; 12 to 12 channels, 3 taps, 2048 cells with sigmoid 36.5 >
/// 22.0 us, 7 of them the sigmoid; 12 to 12 1x1 10.5 > 5.3 us. Tiles of 3x4, 4x4, 12x1 and 12x2 vectors differ by 3%.
#include <algorithm>

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
using plan::Layout;

/// What the choice of a tile depends on.
struct Shape {
  std::int64_t filters = 1;
  std::int64_t rows = 1;  ///< that may be computed together; 1 where there is no second dimension
  std::int64_t width = 1;  ///< cells in a row
  std::int64_t stride = 1;  ///< along the row
};

struct Tile {
  std::int64_t filters = 1, rows = 1, vectors = 1;
  double cost = 1e30;  ///< vector operations for each vector's worth of results
};

Tile choose_tile(const Shape& shape, std::int64_t lanes, int registers) {
  const std::int64_t most = registers >= 32 ? 24 : 12;
  Tile best;
  for (std::int64_t filters = 1; filters <= std::min(shape.filters, most); ++filters) {
    for (std::int64_t rows = 1; rows <= std::min<std::int64_t>(shape.rows, 4); ++rows) {
      if (shape.rows % rows != 0) continue;
      for (std::int64_t vectors = 1; filters * rows * vectors <= most && vectors * lanes <= shape.width; ++vectors) {
        const double waste = static_cast<double>(rounded_up(shape.filters, filters) * rounded_up(shape.width, vectors * lanes)) /
                             static_cast<double>(shape.filters * shape.width);
        // A load along a row crosses cache lines more often than not; one of every second cell takes two and a shuffle.
        const double loads = static_cast<double>(rows * vectors) * (shape.stride == 1 ? 1.5 : 3.0) + static_cast<double>(filters);
        const double cost = tile_cost(waste, static_cast<double>(filters * rows * vectors), loads);
        if (cost < best.cost - 1e-9) best = {filters, rows, vectors, cost};
      }
    }
  }
  return best;
}

/// Does the template save more than a tenth against channel blocks?
bool worth(const Tile& tile, const Shape& shape, std::int64_t lanes) {
  const std::int64_t blocks = rounded_up(shape.filters, lanes) / lanes;
  const double waste = static_cast<double>(blocks * lanes) / static_cast<double>(shape.filters);
  const double blocked = tile_cost(waste, 14.0, blocks % 2 == 0 ? 9.0 : 15.0);
  return tile.cost < 0.9 * blocked;
}

/// Does the caller hand that value over? Its memory is what it is: any wish but the plain one takes a copy.
bool is_network_input(const Question& question, ValueId value) {
  return std::any_of(question.plan.inputs.begin(), question.plan.inputs.end(),
                     [&](plan::BufferId id) { return question.plan.buffer(id).value == value; });
}

/// Widens the halo of long rows of which each is a channel, so that rows begin at whole vectors and an odd number of cache lines apart: rows of
/// 2048 numbers would all compete for the same lines of the first cache (12 channels, 1x1: 5.3 us in place of 9.0).
void spread_rows(Layout& layout, const TensorType& x) {
  constexpr std::int64_t line = 16;
  layout.halo_begin.resize(1, 0);
  layout.halo_end.resize(1, 0);
  std::int64_t& before = layout.halo_begin.front();
  before = rounded_up(before, line);
  std::int64_t row = rounded_up(before + x.extents.back() + layout.halo_end.front(), line);
  if (row / line % 2 == 0) row += line;
  layout.halo_end.front() = row - before - x.extents.back();
}

/// Planar, with the halo that the window needs.
Layout operand_layout(const Question& question, const Window& window) {
  const ValueId value = question.call().op().operands[0];
  const TensorType& x = question.call().type(0);
  Layout layout = with_halo_for(window, x, {});
  const bool rows_compete = window.rank() == 1 && x.extents[1] > 1 && x.extents.back() >= 256;
  if (rows_compete && (layout.has_halo() || !is_network_input(question, value))) spread_rows(layout, x);
  return layout;
}

}  // namespace

std::optional<Choice> choose_narrow_conv(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv" || call.integer("groups") != 1 || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  if (x.rank() < 3 || x.rank() > 5 || question.layout_of(call.op().operands[0]).family == Layout::Family::blocked) return std::nullopt;
  const Window window = window_of_convolution(call);
  if (crops_operand(window)) return std::nullopt;
  const std::int64_t lanes = question.target.lanes(4);
  const std::int64_t filters = weight.extents[0];
  if (window.stride.back() > 2 || filters > 2 * lanes) return std::nullopt;

  const bool flat = is_matrix_product(window);
  Shape shape{filters, 1, window.output.back(), window.stride.back()};
  if (flat) {
    for (std::size_t d = 0; d + 1 < window.rank(); ++d) shape.width *= window.output[d];
  } else if (window.rank() > 1) {
    shape.rows = window.output[window.rank() - 2];
  }
  const Tile tile = choose_tile(shape, lanes, question.target.vector_registers);
  if (!worth(tile, shape, lanes)) return std::nullopt;

  Choice choice;
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = operand_layout(question, window);
  operand.any_halo = true;
  ConvPacking packing;
  packing.lanes = filters;
  packing.tile = 1;
  packing.filters = filters;
  packing.channels = weight.extents[1];
  packing.input_lanes = 1;
  packing.kernel = {weight.extents.begin() + 2, weight.extents.end()};
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = packed_conv_weights(packing);
  choice.parameters = {{"filters", tile.filters}, {"rows", tile.rows}, {"vectors", tile.vectors}, {flat_parameter, flat ? 1 : 0}};
  return choice;
}

namespace {

/// Tiles of a row in one task, about `wanted`: never one alone at the end, where the last tile writes cells of the one before it again.
std::int64_t tiles_in_task(std::int64_t tiles, std::int64_t wanted) {
  std::int64_t count = std::max<std::int64_t>(2, wanted);
  while (count < tiles && (tiles - 1) % count == 0) ++count;
  return std::min(count, tiles);
}

}  // namespace

Func build_narrow_conv(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const auto rank = window.rank();

  /* The algorithm. Variables: x, y, z, channel, n; reduction: kernel x, y, z, input channel. */
  const std::vector<Var>& at = builder.point().variables;
  const Var cell = at.front();
  const Var channel = at[rank];
  Halide::Region domain;
  for (std::size_t d = rank; d-- > 0;) domain.emplace_back(0, static_cast<int>(window.kernel[d]));
  domain.emplace_back(0, static_cast<int>(call.type(0).extents[1]));
  const Halide::RDom r(domain, builder.prefix() + "_r");
  std::vector<Expr> operand_at;
  std::vector<Expr> weight_at = {channel, 0, 0};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const auto k = static_cast<int>(i);
    operand_at.push_back(at[i] * static_cast<int>(window.stride[d]) + r[k] * static_cast<int>(window.dilation[d]) -
                         static_cast<int>(window.begin[d]));
    weight_at.push_back(r[k]);
  }
  operand_at.push_back(r[static_cast<int>(rank)]);
  operand_at.push_back(at.back());
  weight_at.push_back(r[static_cast<int>(rank)]);
  weight_at.push_back(0);
  Func sum(builder.prefix() + "_sum");
  sum(at) = bias_at >= 0 ? builder.input(bias_at)(channel) : Expr(0.0F);
  sum(at) += weight(weight_at) * x(operand_at);
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const std::int64_t width = storage[0].extent;
  const std::int64_t lanes = std::min<std::int64_t>(builder.target().lanes(4), width);  // less only if a halo forbids walking pixels flat
  const std::int64_t vectors = std::min(builder.parameter("vectors"), width / lanes);
  const std::int64_t filters = builder.parameter("filters");
  const bool has_rows = rank > 1 && storage[1].extent % builder.parameter("rows") == 0;
  const std::int64_t rows = has_rows ? builder.parameter("rows") : 1;
  const auto tail = [](std::int64_t extent, std::int64_t tile) {
    return extent % tile == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards;
  };
  const Var cell_outer("cell_outer"), cell_inner("cell_inner"), vector("vector"), lane("lane");
  const Var channel_outer("channel_outer"), channel_inner("channel_inner"), row_outer("row_outer"), row_inner("row_inner"), strip("strip");
  output.split(cell, cell_outer, cell_inner, static_cast<int>(vectors * lanes), tail(width, vectors * lanes));
  output.split(cell_inner, vector, lane, static_cast<int>(lanes));
  output.split(channel, channel_outer, channel_inner, static_cast<int>(filters), tail(storage[rank].extent, filters));
  std::vector<Halide::VarOrRVar> order = {lane, vector};
  const auto multiply_adds = static_cast<double>(call.layer().multiply_adds(call));
  std::vector<std::pair<Var, std::int64_t>> outer;
  if (rank > 1) {
    output.split(at[1], row_outer, row_inner, static_cast<int>(rows));
    output.unroll(row_inner);
    order.emplace_back(row_inner);
    outer.emplace_back(row_outer, storage[1].extent / rows);
  }
  order.insert(order.end(), {channel_inner, channel_outer, cell_outer});
  const std::int64_t tiles = rounded_up(width, vectors * lanes) / (vectors * lanes);
  if (rank == 1 || storage[1].extent == 1) {
    const double least = 1e5;  // operations of a task, as make_tasks has it
    const auto wanted = static_cast<std::int64_t>(least / (multiply_adds / static_cast<double>(tiles * storage.back().extent)));
    const std::int64_t count = width % (vectors * lanes) == 0 ? std::clamp<std::int64_t>(wanted, 1, tiles) : tiles_in_task(tiles, wanted);
    output.split(cell_outer, strip, cell_outer, static_cast<int>(count), TailStrategy::GuardWithIf);
    outer.insert(outer.begin(), {strip, rounded_up(tiles, count) / count});
  }
  for (std::size_t i = 2; i < rank; ++i) outer.emplace_back(at[i], storage[i].extent);
  outer.emplace_back(at.back(), storage.back().extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(vector).unroll(channel_inner);

  const Var sum_vector("sum_vector"), sum_lane("sum_lane");
  sum.compute_at(output, channel_outer).store_in(Halide::MemoryType::Stack).bound_extent(cell, static_cast<int>(vectors * lanes));
  sum.split(cell, sum_vector, sum_lane, static_cast<int>(lanes)).vectorize(sum_lane).unroll(sum_vector).unroll(channel);
  sum.update().split(cell, sum_vector, sum_lane, static_cast<int>(lanes));
  std::vector<Halide::VarOrRVar> inner = {sum_lane, sum_vector};
  if (rank > 1) {
    inner.emplace_back(at[1]);
    sum.unroll(at[1]);
    sum.update().unroll(at[1]);
  }
  inner.emplace_back(channel);
  for (int k = 0; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(sum_lane).unroll(sum_vector).unroll(channel);
  // The taps of a row, and those of several rows while the code stays small: rows of the tile share loads then.
  std::int64_t code = filters * rows * vectors;
  for (int k = 0; k + 1 < r.dimensions(); ++k) {
    code *= window.kernel[rank - 1 - static_cast<std::size_t>(k)];
    if (code > 256) break;
    sum.update().unroll(r[k]);
  }
  make_tasks(output, outer, multiply_adds);
  return output;
}

}  // namespace calotype::schedules::cpu
