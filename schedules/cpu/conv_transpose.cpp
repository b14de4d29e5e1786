/// \file
/// Transposed convolution on channel-blocked data, without zeros between the operand's cells. The result's cells whose positions agree modulo the
/// stride (a phase) meet the same cells of the kernel, so each phase is a convolution of stride 1 with every stride-th cell of the kernel. The
/// result's memory is seen through one dimension more for each spatial one, phase and cell, so that no index is ever divided; the register
/// tile and the weights' stream are those of direct_conv.
///
/// A row whose extent is no multiple of the stride gets a halo that makes it one: the last cells of some phases fall into it.
///
/// Measured on Zen 4, one thread: 2x2 kernels of stride 2 (U-Net, 256 > 128 channels at 14x14 to 64 > 32 at 112x112) 96 to 111 GFLOP/s of 118,
/// four times the generic schedule, whose planar result also cost a copy on either side.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "ir/checked.h"
#include "layers/conv_transpose.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using layers::TransposedConvolution;
using plan::Layout;
using plan::StorageDimension;

std::int64_t round_up_division(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }
std::int64_t floor_division(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

/// Cells of the kernel that a phase meets, at most.
std::int64_t taps(const TransposedConvolution& layer, std::size_t d) { return round_up_division(layer.kernel[d], layer.stride[d]); }

/// The cell of the kernel that is tap number `tap` of the phase; beyond the kernel if the phase has fewer.
std::int64_t kernel_cell(const TransposedConvolution& layer, std::size_t d, std::int64_t phase, std::int64_t tap) {
  const std::int64_t first = phase + layer.begin[d];
  return first - floor_division(first, layer.stride[d]) * layer.stride[d] + tap * layer.stride[d];
}

/// The order of packed weights: memory (lane, tile, input lane, tap x.., input block, phase x.., output tile).
struct Packing {
  TransposedConvolution layer;
  std::int64_t lanes = 16, tile = 1, input_lanes = 16;

  std::int64_t input_blocks() const { return round_up_division(layer.channels, input_lanes); }
  std::int64_t output_tiles() const { return round_up_division(layer.filters, lanes * tile); }
};

/// Advances a row-major index; false after the last one.
bool advance(std::vector<std::int64_t>& index, const std::vector<std::int64_t>& extents) {
  for (std::size_t i = index.size(); i-- > 0;) {
    if (++index[i] < extents[i]) return true;
    index[i] = 0;
  }
  return false;
}

/// From weights [channels, filters, kernel...]; zero where a phase has no such tap and beyond the last channel or filter.
void pack(const Packing& packing, const TensorData& source, std::span<std::byte> destination) {
  const TransposedConvolution& layer = packing.layer;
  const std::size_t rank = layer.kernel.size();
  std::memset(destination.data(), 0, destination.size());
  std::vector<std::int64_t> tap_counts;
  for (std::size_t d = 0; d < rank; ++d) tap_counts.push_back(taps(layer, d));
  const std::int64_t vectors = packing.lanes * packing.tile;
  const std::int64_t cells = checked_product(layer.kernel);
  std::int64_t base = 0;  // of the stretch of one output tile, phase, input block and tap
  for (std::int64_t o = 0; o < packing.output_tiles(); ++o) {
    std::vector<std::int64_t> phase(rank, 0);
    do {
      for (std::int64_t i = 0; i < packing.input_blocks(); ++i) {
        std::vector<std::int64_t> tap(rank, 0);
        do {
          std::int64_t cell = 0;
          bool exists = true;
          for (std::size_t d = 0; d < rank; ++d) {
            const std::int64_t k = kernel_cell(layer, d, phase[d], tap[d]);
            exists = exists && k < layer.kernel[d];
            cell = cell * layer.kernel[d] + k;
          }
          for (std::int64_t lane = 0; exists && lane < packing.input_lanes && i * packing.input_lanes + lane < layer.channels; ++lane) {
            for (std::int64_t v = 0; v < vectors && o * vectors + v < layer.filters; ++v) {
              const std::int64_t from = ((i * packing.input_lanes + lane) * layer.filters + o * vectors + v) * cells + cell;
              const float number = load<float>(source, from);
              std::memcpy(destination.data() + static_cast<std::size_t>(base + lane * vectors + v) * sizeof number, &number, sizeof number);
            }
          }
          base += packing.input_lanes * vectors;
        } while (advance(tap, tap_counts));
      }
    } while (advance(phase, layer.stride));
  }
}

Wish packed_weights(const Packing& packing) {
  const TransposedConvolution& layer = packing.layer;
  Wish wish;
  wish.packed_extents = {packing.lanes, packing.tile, packing.input_lanes};
  for (std::size_t d = layer.kernel.size(); d-- > 0;) wish.packed_extents.push_back(taps(layer, d));
  wish.packed_extents.push_back(packing.input_blocks());
  for (std::size_t d = layer.kernel.size(); d-- > 0;) wish.packed_extents.push_back(layer.stride[d]);
  wish.packed_extents.push_back(packing.output_tiles());
  std::vector<std::int64_t> first_cells;
  for (std::size_t d = 0; d < layer.kernel.size(); ++d) first_cells.push_back(kernel_cell(layer, d, 0, 0));
  wish.packing = fmt::format("conv_transpose {} {} {} stride {} from {}", packing.lanes, packing.tile, packing.input_lanes,
                             fmt::join(layer.stride, " "), fmt::join(first_cells, " "));
  wish.pack = [packing](const TensorData& source, std::span<std::byte> destination) { pack(packing, source, destination); };
  return wish;
}

/// Cells that the windows of a dimension read before the operand's first and beyond its last.
struct Overhang {
  std::int64_t before = 0, after = 0;
};

Overhang overhang_of(const TransposedConvolution& layer, std::size_t d, std::int64_t extent) {
  const std::int64_t s = layer.stride[d];
  const std::int64_t first = floor_division(layer.begin[d], s) - (taps(layer, d) - 1);
  const std::int64_t last = round_up_division(layer.output[d], s) - 1 + floor_division(layer.begin[d] + s - 1, s);
  return {std::max<std::int64_t>(0, -first), std::max<std::int64_t>(0, last - (extent - 1))};
}

/// Rows take the cells outside as a halo of the operand; in the outer dimensions they are left out of the sum.
Layout operand_layout(const Question& question, const TransposedConvolution& layer, const TensorType& x, const Layout& blocked) {
  const bool few = x.extents[1] < blocked.block && question.layout_of(question.call().op().operands[0]).family != Layout::Family::blocked;
  Layout layout = few ? Layout{} : blocked;
  const std::size_t rank = layer.kernel.size();
  const Overhang overhang = overhang_of(layer, rank - 1, x.extents.back());
  if (overhang.before > 0 || overhang.after > 0) {
    layout.halo_begin.assign(rank, 0);
    layout.halo_end.assign(rank, 0);
    layout.halo_begin.back() = overhang.before;
    layout.halo_end.back() = overhang.after;
  }
  return layout;
}

Layout result_layout(const TransposedConvolution& layer, Layout blocked) {
  std::vector<std::int64_t> missing;
  for (std::size_t d = 0; d < layer.kernel.size(); ++d) {
    missing.push_back(round_up_division(layer.output[d], layer.stride[d]) * layer.stride[d] - layer.output[d]);
  }
  if (std::any_of(missing.begin(), missing.end(), [](std::int64_t cells) { return cells > 0; })) {
    blocked.halo_begin.assign(missing.size(), 0);
    blocked.halo_end = missing;
  }
  return blocked;
}

/// One spatial dimension of the result: position = cell * stride + phase.
struct Axis {
  Var cell, phase;
  std::int64_t cells = 0, stride = 1;
};

/// The result's memory seen through cells and phases, and what its own variables are in terms of them.
struct View {
  std::vector<Axis> axes;  ///< x first
  std::vector<Var> variables;
  std::vector<StorageDimension> storage;
  std::map<std::string, Expr> positions;
};

View view_of(const ResultPoint& point, const TransposedConvolution& layer) {
  View view;
  for (std::size_t i = 0; i < point.variables.size(); ++i) {
    const Var& variable = point.variables[i];
    StorageDimension dimension = point.storage[i];
    if (dimension.logical < 2) {
      view.variables.push_back(variable);
      view.storage.push_back(dimension);
      continue;
    }
    const std::int64_t stride = layer.stride[static_cast<std::size_t>(dimension.logical) - 2];
    const Axis axis{Var(variable.name() + "_cell"), Var(variable.name() + "_phase"), round_up_division(dimension.extent, stride), stride};
    view.axes.push_back(axis);
    view.variables.push_back(axis.phase);
    view.storage.push_back(dimension);
    view.storage.back().extent = stride;
    view.variables.push_back(axis.cell);
    view.storage.push_back(dimension);
    view.storage.back().extent = axis.cells;
    view.storage.back().stride = dimension.stride * stride;
    view.positions[variable.name()] = axis.cell * static_cast<int>(stride) + axis.phase;
  }
  return view;
}

}  // namespace

std::optional<Choice> choose_conv_transpose(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv_transpose" || !has_constant_f32_weights(question)) return std::nullopt;
  const TransposedConvolution layer = layers::transposed_convolution_of(call);
  const TensorType& x = call.type(0);
  if (layer.groups != 1 || x.rank() > 5) return std::nullopt;
  for (std::size_t d = 0; d < layer.kernel.size(); ++d) {
    if (layer.dilation[d] != 1 && layer.kernel[d] != 1) return std::nullopt;
  }

  Choice choice;
  const Layout blocked = blocked_layout(question.target);
  choice.output = result_layout(layer, blocked);
  choice.inputs = epilogue_wishes(question, blocked);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = operand_layout(question, layer, x, blocked);
  operand.any_halo = true;
  const std::int64_t lanes = blocked.block;
  const RegisterTile tile = choose_register_tile(round_up_division(layer.filters, lanes),
                                                 round_up_division(layer.output.back(), layer.stride.back()), question.target);
  choice.parameters = {{"channels", tile.channels}, {"pixels", tile.pixels}};
  const std::int64_t input_lanes = operand.layout.family == Layout::Family::blocked ? lanes : layer.channels;
  const auto weight = static_cast<std::size_t>(question.input_of("weight"));
  choice.inputs[weight] = packed_weights({layer, lanes, tile.channels, input_lanes});
  // Phases without a cell of the kernel are stored too: much where the stride exceeds it.
  const TensorType& weights = question.plan.graph.value(question.kernel.input_values[weight]).type;
  const std::int64_t grown =
      checked_multiply(checked_product(choice.inputs[weight].packed_extents), bytes_of(weights.element)) - weights.bytes();
  if (grown > std::max<std::int64_t>(question.weight_room, 1 << 16)) return std::nullopt;
  const int bias = question.input_of("bias");
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(layer.filters, lanes);
  return choice;
}

Func build_conv_transpose(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const TransposedConvolution layer = layers::transposed_convolution_of(call);
  const TensorType& type = call.type(0);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const bool blocked = builder.input_buffer(builder.position_of(0, "x")).layout.family == Layout::Family::blocked;
  const std::size_t rank = layer.kernel.size();

  /* The algorithm. Variables: lane, x phase, x cell, ..., block, n; reduction: input lane, tap x, y, z, input block. */
  const View view = view_of(builder.point(), layer);
  const Var lane = view.variables.front(), n = view.variables.back(), block = view.variables[view.variables.size() - 2];
  const auto tile = static_cast<int>(builder.parameter("channels"));
  const auto& packed = builder.input_buffer(builder.position_of(0, "weight")).packed_extents;
  Halide::Region domain;
  for (std::size_t i = 2; i < rank + 4; ++i) domain.emplace_back(0, static_cast<int>(packed[i]));
  Halide::RDom r(domain, builder.prefix() + "_r");
  const Expr input_block = r[static_cast<int>(rank) + 1];
  std::vector<Expr> operand_at, weight_at = {lane, block % tile, r[0]}, phases;
  for (std::size_t i = 0; i < rank; ++i) {
    const Axis& axis = view.axes[i];
    const std::size_t d = rank - 1 - i;
    const Expr tap = r[static_cast<int>(i) + 1];
    const auto stride = static_cast<int>(axis.stride);
    const Expr first = axis.phase + static_cast<int>(layer.begin[d]);
    const Expr cell = axis.cell + first / stride - tap;
    const auto extent = static_cast<int>(type.extents[d + 2]);
    const Overhang overhang = overhang_of(layer, d, extent);
    if (layer.kernel[d] % stride != 0) r.where(first % stride + tap * stride < static_cast<int>(layer.kernel[d]));
    const bool leaves = i > 0 && (overhang.before > 0 || overhang.after > 0);
    if (leaves) r.where(cell >= 0 && cell < extent);
    operand_at.push_back(leaves ? Halide::clamp(cell, 0, extent - 1) : cell);
    weight_at.push_back(tap);
    phases.push_back(axis.phase);
  }
  weight_at.push_back(input_block);
  weight_at.insert(weight_at.end(), phases.begin(), phases.end());
  weight_at.push_back(block / tile);
  operand_at.insert(blocked ? operand_at.begin() : operand_at.end(), r[0]);
  if (blocked) operand_at.push_back(input_block);
  operand_at.push_back(n);

  Func sum(builder.prefix() + "_sum");
  sum(view.variables) = bias_at >= 0 ? builder.input(bias_at)(block * builder.point().lanes + lane) : Expr(0.0F);
  sum(view.variables) += weight(weight_at) * x(operand_at);
  const std::vector<Expr> here(view.variables.begin(), view.variables.end());
  const Expr value = Halide::Internal::substitute(view.positions, builder.finish(sum(here)));
  Func output = builder.make_output(value, view.variables, view.storage);

  /* The schedule. */
  const Axis& row = view.axes.front();
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), row.cells));
  const Var block_outer("block_outer"), block_inner("block_inner"), pixel_outer("pixel_outer"), pixel_inner("pixel_inner");
  output.split(block, block_outer, block_inner, tile, TailStrategy::RoundUp);
  output.split(row.cell, pixel_outer, pixel_inner, pixels, row.cells % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<std::pair<Var, std::int64_t>> outer = {{row.phase, row.stride}};
  for (std::size_t i = 1; i < rank; ++i) {
    outer.emplace_back(view.axes[i].phase, view.axes[i].stride);
    outer.emplace_back(view.axes[i].cell, view.axes[i].cells);
  }
  outer.emplace_back(block_outer, packed.back());
  outer.emplace_back(n, view.storage.back().extent);
  std::vector<Halide::VarOrRVar> order = {lane, pixel_inner, block_inner, pixel_outer};
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(pixel_inner).unroll(block_inner);

  const auto input_lanes = packed[2];
  const int unrolled = input_lanes % 4 == 0 ? 4 : input_lanes <= 4 ? static_cast<int>(input_lanes) : 1;
  const Halide::RVar chunk("chunk"), step("step");
  sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(row.cell).unroll(block);
  sum.update().split(r[0], chunk, step, unrolled);
  std::vector<Halide::VarOrRVar> inner = {lane, block, row.cell, step, chunk};
  for (int k = 1; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(lane).unroll(block).unroll(row.cell).unroll(step);
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
