/// \file
/// Direct convolution in one to three dimensions on channel-blocked activations: a register tile of `channels` vectors by `pixels` output
/// cells lives in accumulators while input channels and kernel window stream past; weights are interleaved by the tile so that the inner loop
/// reads one stream. A 1x1 convolution of stride 1 walks all pixels as one dimension.
///
/// Reads blocked data with a halo around it where the window leaves it; or, where there are few channels (the first layer), planar data as they
/// come: then columns beyond the edges are selected away, which loop partitioning removes from the middle, and rows are left out of the sum.
///
/// Measured on Zen 5: a tile of 2x7 reaches 98% of the FMA peak on 3x3 and 1x1 layers; 4x7 needs 33 registers and spills.
#include <algorithm>
#include <numeric>

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

/// Input channels that are summed at a time: a block, or the part of one of which the channels are a multiple, so that pad lanes are not
/// multiplied (24 channels in blocks of 16 are 3 times 8). Parts of less than 4 would make the inner loop too short.
std::int64_t summed_lanes(std::int64_t channels, std::int64_t lanes) {
  if (channels < lanes) return channels;
  const std::int64_t part = std::gcd(channels, lanes);
  return part >= 4 ? part : lanes;
}

/// The operand's layout: planar for the few channels of a first layer, else blocks with the halo that the window needs.
Layout wanted_layout(const Question& question, const Window& window, const TensorType& x, const Layout& blocked) {
  const ValueId value = question.call().op().operands[0];
  const bool few = x.extents[1] < blocked.block && question.layout_of(value).family != Layout::Family::blocked;
  if (few) return {};
  return with_halo_for(window, x, blocked);
}

/// Must the kernel itself keep windows inside of the operand's dimension d?
bool has_edges(const Window& window, std::size_t d, const Layout& operand) { return window.leaves_operand(d) && !operand.has_halo(); }

}  // namespace

std::optional<Choice> choose_direct_conv(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv" || call.integer("groups") != 1 || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  const int bias = question.input_of("bias");
  if (x.rank() < 3 || x.rank() > 5) return std::nullopt;
  const Window window = window_of_convolution(call);
  if (crops_operand(window)) return std::nullopt;

  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = wanted_layout(question, window, x, choice.output);
  operand.any_halo = operand.layout.family == Layout::Family::blocked;  // planar data: none, or edges would be taken for a halo
  const std::int64_t lanes = choice.output.block;
  const std::int64_t blocks = (weight.extents[0] + lanes - 1) / lanes;
  const std::int64_t width = is_matrix_product(window) ? question.output_type().elements() /
                                                             (question.output_type().extents[0] * question.output_type().extents[1])
                                                       : question.output_type().extents.back();
  const RegisterTile tile = choose_register_tile(blocks, width, question.target);
  choice.parameters = {{"channels", tile.channels}, {"pixels", tile.pixels}, {flat_parameter, is_matrix_product(window) ? 1 : 0}};
  ConvPacking packing;
  packing.lanes = lanes;
  packing.tile = tile.channels;
  packing.filters = weight.extents[0];
  packing.channels = weight.extents[1];
  packing.input_lanes = operand.layout.family == Layout::Family::blocked ? summed_lanes(packing.channels, lanes) : packing.channels;
  packing.kernel = {weight.extents.begin() + 2, weight.extents.end()};
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = packed_conv_weights(packing);
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  return choice;
}

Func build_direct_conv(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const Layout& operand_layout = builder.input_buffer(builder.position_of(0, "x")).layout;
  const bool blocked = operand_layout.family == Layout::Family::blocked;
  const auto rank = window.rank();

  /* The algorithm. Variables: lane, x, y, z, block, n; reduction: input lane, kernel x, y, z, input block. */
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front();
  const Var pixel = at[1];
  const Var block = at[rank + 1];
  const auto tile = static_cast<int>(builder.parameter("channels"));
  const auto& packed = builder.input_buffer(builder.position_of(0, "weight")).packed_extents;
  Halide::Region domain;
  for (std::size_t i = 2; i + 1 < packed.size(); ++i) domain.emplace_back(0, static_cast<int>(packed[i]));
  Halide::RDom r(domain, builder.prefix() + "_r");

  std::vector<Expr> operand_at;
  std::vector<Expr> weight_at = {lane, block % tile, r[0]};
  Expr inside;  // the columns
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const auto k = static_cast<int>(i) + 1;
    const Expr cell =
        at[1 + i] * static_cast<int>(window.stride[d]) + r[k] * static_cast<int>(window.dilation[d]) - static_cast<int>(window.begin[d]);
    const bool edges = has_edges(window, d, operand_layout);
    const auto extent = static_cast<int>(call.type(0).extents[d + 2]);
    operand_at.push_back(edges ? Halide::clamp(cell, 0, extent - 1) : cell);
    weight_at.push_back(r[k]);
    if (edges && i == 0) inside = cell >= 0 && cell < extent;
    if (edges && i > 0) r.where(cell >= 0 && cell < extent);
  }
  const auto input_block = static_cast<int>(rank) + 1;
  weight_at.push_back(r[input_block]);
  weight_at.push_back(block / tile);
  if (blocked) {
    const int parts = builder.point().lanes / static_cast<int>(packed[2]);  // of a block, see summed_lanes
    operand_at.insert(operand_at.begin(), r[0] + r[input_block] % parts * static_cast<int>(packed[2]));
    operand_at.push_back(r[input_block] / parts);
  } else {
    operand_at.push_back(r[0]);
  }
  operand_at.push_back(at.back());

  Func sum(builder.prefix() + "_sum");
  const int lanes = builder.point().lanes;
  sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  const Expr operand = x(operand_at);
  sum(at) += weight(weight_at) * (inside.defined() ? edge_column(inside, operand) : operand);
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), storage[1].extent));
  const Var block_outer("block_outer");
  const Var block_inner("block_inner");
  const Var pixel_outer("pixel_outer");
  const Var pixel_inner("pixel_inner");
  output.split(block, block_outer, block_inner, tile, TailStrategy::RoundUp);
  output.split(pixel, pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order = {lane, pixel_inner, block_inner, pixel_outer};
  std::vector<std::pair<Var, std::int64_t>> outer;
  const auto multiply_adds = static_cast<double>(call.layer().multiply_adds(call));
  // Pixels that are walked as one dimension are cut where channels, depth and batch alone are too few tasks to share.
  const std::int64_t tiles = (storage[1].extent + pixels - 1) / pixels;
  std::int64_t others = storage[rank + 1].extent / tile * storage.back().extent;
  for (std::size_t i = 2; i < rank + 1; ++i) others *= storage[i].extent;
  const std::int64_t strip = (tiles - 1) / parts_for_tasks(others, tiles, multiply_adds, 0.005) + 1;
  if (strip < tiles) {
    const Var pixel_strip("pixel_strip");
    output.split(pixel_outer, pixel_strip, pixel_outer, static_cast<int>(strip),
                 tiles % strip == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
    outer.emplace_back(pixel_strip, (tiles + strip - 1) / strip);
  }
  for (std::size_t i = 2; i < rank + 1; ++i) outer.emplace_back(at[i], storage[i].extent);
  outer.emplace_back(block_outer, storage[rank + 1].extent / tile);
  outer.emplace_back(at.back(), storage.back().extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(pixel_inner).unroll(block_inner);

  const auto input_lanes = packed[2];
  const int unrolled = input_lanes % 4 == 0 ? 4 : input_lanes <= 4 ? static_cast<int>(input_lanes) : 1;
  const RVar chunk("chunk");
  const RVar step("step");
  sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(pixel).unroll(block);
  sum.update().split(r[0], chunk, step, unrolled);
  std::vector<Halide::VarOrRVar> inner = {lane, block, pixel, step, chunk};
  for (int k = 1; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(lane).unroll(block).unroll(pixel).unroll(step);
  const bool is_stem = !blocked && packed[3] <= 7;
  if (is_stem) sum.update().unroll(r[1]);
  make_tasks(output, outer, multiply_adds);
  return output;
}

}  // namespace calotype::schedules::cpu
