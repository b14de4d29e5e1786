/// \file
/// Depthwise convolution on channel-blocked data: each lane is a channel with its own kernel, a row of output cells lives in accumulators, the
/// whole kernel is unrolled. Edges are handled inside, so that the operand needs no halo and the 1x1 layers around can walk all its pixels
/// as one dimension: columns by a select that loop partitioning removes from the middle, rows by the reduction's domain.
///
/// Measured on Zen 5: 200-310 GF/s at stride 1, 2-13 times ONNX Runtime; a halo is 0-7% faster at 56x56 and above, 5-35% slower at 14x14 and below.
#include "schedules/cpu/depthwise.h"

#include <algorithm>

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

}  // namespace

bool is_depthwise(const layers::Call& call) {
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  return weight.extents[1] == 1 && weight.extents[0] == x.extents[1] && x.extents[1] > 1 && (x.rank() == 3 || x.rank() == 4);
}

std::optional<Choice> choose_depthwise(const Question& question) {
  const layers::Call call = question.call();
  if ((call.op().kind != "conv" && call.op().kind != "depthwise") || !has_constant_f32_weights(question) || !is_depthwise(call)) {
    return std::nullopt;
  }
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
  choice.parameters = {{"pixels", depthwise_pixels(width, question.target)}};
  return choice;
}

DepthwiseSums depthwise_sums(KernelBuilder& builder, std::size_t op, const CellReader& operand) {
  const Op& node = builder.plan().graph.op(builder.kernel().ops[op]);
  const layers::Call call(*layers::find_layer(node.kind), builder.plan().graph, node);
  DepthwiseSums sums;
  sums.window = window_of_convolution(call);
  const Window& window = sums.window;
  const TensorType& type = call.type(0);
  const auto position = static_cast<int>(op);
  const Halide::ImageParam& weight = builder.input(builder.position_of(position, "weight"));
  const int bias_at = builder.position_of(position, "bias");
  const auto rank = window.rank();

  // Variables: lane, x, y, block, n; reduction: kernel x, y.
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front();
  const Var block = at[rank + 1];
  Halide::Region domain;
  for (std::size_t i = 0; i < rank; ++i) domain.emplace_back(0, static_cast<int>(window.kernel[rank - 1 - i]));
  sums.r = Halide::RDom(domain, builder.prefix() + "_k");
  std::vector<Expr> operand_at = {lane};
  std::vector<Expr> weight_at = {lane};
  Expr inside;
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const Expr reduction = sums.r[static_cast<int>(i)];
    const Expr cell = at[1 + i] * static_cast<int>(window.stride[d]) + reduction * static_cast<int>(window.dilation[d]) -
                      static_cast<int>(window.begin[d]);
    const auto extent = static_cast<int>(type.extents[d + 2]);
    const bool leaves = window.leaves_operand(d);
    operand_at.push_back(leaves ? Halide::clamp(cell, 0, extent - 1) : cell);
    weight_at.push_back(reduction);
    if (leaves && i == 0) inside = cell >= 0 && cell < extent;
    if (leaves && i == 1) sums.r.where(cell >= 0 && cell < extent);
  }
  operand_at.push_back(block);
  operand_at.push_back(at.back());
  weight_at.push_back(block);

  sums.sum = Func(builder.prefix() + "_taps");
  const int lanes = builder.point().lanes;
  sums.sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  const Expr value = operand(operand_at);
  sums.sum(at) += weight(weight_at) * (inside.defined() ? edge_column(inside, value) : value);
  return sums;
}

std::int64_t depthwise_pixels(std::int64_t width, const plan::Target& target) {
  const bool many_registers = target.vector_registers >= 32;
  return width <= (many_registers ? 14 : 7) ? width : best_tile(width, many_registers ? 8 : 6);
}

void schedule_depthwise(DepthwiseSums& sums, Func& output, const KernelBuilder& builder, const Var& pixel_outer) {
  const std::vector<Var>& at = builder.point().variables;
  const Halide::RDom& r = sums.r;
  sums.sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(at[0]).unroll(at[1]);
  std::vector<Halide::VarOrRVar> inner = {at[0], at[1]};
  for (int k = 0; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sums.sum.update().reorder(inner).vectorize(at[0]).unroll(at[1]);
  for (int k = 0; k < r.dimensions(); ++k) {
    if (sums.window.kernel[sums.window.rank() - 1 - static_cast<std::size_t>(k)] <= 7) sums.sum.update().unroll(r[k]);
  }
}

Func build_depthwise(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const std::vector<Var>& at = builder.point().variables;
  DepthwiseSums sums = depthwise_sums(builder, 0, [&](const std::vector<Expr>& cell) { return Expr(x(cell)); });
  Func output = builder.make_output(builder.finish(sums.sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), storage[1].extent));
  const Var pixel_outer("pixel_outer");
  const Var pixel_inner("pixel_inner");
  output.split(at[1], pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order = {at[0], pixel_inner, pixel_outer};
  std::vector<std::pair<Var, std::int64_t>> outer;
  for (std::size_t i = 2; i < at.size(); ++i) outer.emplace_back(at[i], storage[i].extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(at[0]).unroll(pixel_inner);
  schedule_depthwise(sums, output, builder, pixel_outer);
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
