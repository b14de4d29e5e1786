/// \file
/// Depthwise convolution on channel-blocked data: each lane is a channel with its own kernel, a row of output cells lives in accumulators, the
/// whole kernel is unrolled. Edges are handled inside, so that the operand needs no halo and the 1x1 layers around can walk all its pixels
/// as one dimension: columns by a select that loop partitioning removes from the middle, rows by the reduction's domain.
///
/// Measured on Zen 5: 200-310 GF/s at stride 1, 2-13 times ONNX Runtime; a halo is 0-7% faster at 56x56 and above, 5-35% slower at 14x14 and below.
#include <algorithm>

#include "layers/window.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using layers::Window;

/// One filter for each channel, reading that channel alone.
bool is_depthwise(const Question& question) {
  const layers::Call call = question.call();
  if ((call.op().kind != "conv" && call.op().kind != "depthwise") || !has_constant_f32_weights(question)) return false;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  return weight.extents[1] == 1 && weight.extents[0] == x.extents[1] && x.extents[1] > 1 && (x.rank() == 3 || x.rank() == 4);
}

}  // namespace

std::optional<Choice> choose_depthwise(const Question& question) {
  if (!is_depthwise(question)) return std::nullopt;
  const layers::Call call = question.call();
  const TensorType& weight = call.operand("weight").type;
  const int bias = question.input_of("bias");

  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = choice.output;
  operand.any_halo = true;
  const std::int64_t lanes = choice.output.block;
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] =
      packed_depthwise_weights(weight.extents[0], lanes, {weight.extents.begin() + 2, weight.extents.end()});
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  const std::int64_t width = question.output_type().extents.back();
  const std::int64_t most = question.target.vector_registers >= 32 ? 14 : 7;
  choice.parameters = {{"pixels", width <= most ? width : best_tile(width, question.target.vector_registers >= 32 ? 8 : 6)}};
  return choice;
}

Func build_depthwise(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const TensorType& type = call.type(0);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const auto rank = window.rank();

  /* The algorithm. Variables: lane, x, y, block, n; reduction: kernel x, y. */
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front();
  const Var pixel = at[1];
  const Var block = at[rank + 1];
  Halide::Region domain;
  for (std::size_t i = 0; i < rank; ++i) domain.emplace_back(0, static_cast<int>(window.kernel[rank - 1 - i]));
  Halide::RDom r(domain, builder.prefix() + "_r");
  std::vector<Expr> operand_at = {lane};
  std::vector<Expr> weight_at = {lane};
  Expr inside;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const Expr reduction = r[static_cast<int>(i)];
    const Expr cell = at[1 + i] * static_cast<int>(window.stride[d]) + reduction * static_cast<int>(window.dilation[d]) -
                      static_cast<int>(window.begin[d]);
    const auto extent = static_cast<int>(type.extents[d + 2]);
    const bool leaves = window.leaves_operand(d);
    operand_at.push_back(leaves ? Halide::clamp(cell, 0, extent - 1) : cell);
    weight_at.push_back(reduction);
    if (leaves && i == 0) inside = cell >= 0 && cell < extent;
    if (leaves && i == 1) r.where(cell >= 0 && cell < extent);
  }
  operand_at.push_back(block);
  operand_at.push_back(at.back());
  weight_at.push_back(block);

  Func sum(builder.prefix() + "_sum");
  const int lanes = builder.point().lanes;
  sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  const Expr value = x(operand_at);
  sum(at) += weight(weight_at) * (inside.defined() ? edge_column(inside, value) : value);
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), storage[1].extent));
  const Var pixel_outer("pixel_outer");
  const Var pixel_inner("pixel_inner");
  output.split(pixel, pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order = {lane, pixel_inner, pixel_outer};
  std::vector<std::pair<Var, std::int64_t>> outer;
  for (std::size_t i = 2; i < at.size(); ++i) outer.emplace_back(at[i], storage[i].extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(pixel_inner);

  sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(pixel);
  std::vector<Halide::VarOrRVar> inner = {lane, pixel};
  for (int k = 0; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(lane).unroll(pixel);
  for (int k = 0; k < r.dimensions(); ++k) {
    if (window.kernel[rank - 1 - static_cast<std::size_t>(k)] <= 7) sum.update().unroll(r[k]);
  }
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
