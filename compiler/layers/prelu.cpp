/// \file
/// prelu: x, or slope x where x is negative, with a learned slope for each channel, or one for all (shared=true, PyTorch's num_parameters=1).
/// A weight that is written as an operand may have any shape that broadcasts to x; of rank 1 it walks the channels.
#include <fmt/format.h>

#include "ir/number_format.h"
#include "layers/elementwise.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::vector<WeightSpecification> weights(const Call& call) {
  require_rank(call, 2, "batch and channels");
  const TensorType& x = call.type(0);
  if (const TensorType* written = written_weight(call, "weight")) return {{"weight", {x.element, written->extents}}};
  return {{"weight", {x.element, {call.boolean("shared") ? 1 : x.extents[1]}}}};
}

/// The slope's extents, aligned with the end of x's.
TensorType aligned(const TensorType& weight, const TensorType& x) {
  TensorType slope = weight;
  if (slope.rank() == 1) slope.extents.resize(static_cast<std::size_t>(x.rank() - 1), 1);
  return slope;
}

std::vector<TensorType> infer(const Call& call) {
  require_float(call);
  const TensorType& x = call.type(0);
  const TensorType slope = aligned(call.type(1), x);
  const std::size_t skipped = x.extents.size() - std::min(x.extents.size(), slope.extents.size());
  bool fits = slope.rank() <= x.rank();
  for (std::size_t i = 0; fits && i < slope.extents.size(); ++i) fits = slope.extents[i] == 1 || slope.extents[i] == x.extents[i + skipped];
  if (!fits) call.fail("a slope of shape " + to_text(call.type(1).extents) + " does not broadcast to " + to_text(x.extents));
  return {x};
}

std::string explain(const Call& call) {
  return call.type(1).elements() == 1 ? "1 slope for all channels" : counted(call.type(1).elements(), "slope");
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  using namespace arithmetic;
  const Expr x = operands[0](index), number = widen(x);
  const TensorType& weight = operands[1].type;
  Index at = broadcast_index(aligned(weight, call.result()), call.result(), index);
  at.resize(weight.extents.size());
  return narrow(x.type(), Halide::select(less(number, like(number, 0)), multiply(number, widen(operands[1](at))), number));
}

/// A slope for each channel loses its extents of 1, so that it is what the layer implies.
void adapt_prelu(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  ValueId slope = builder.input(1);
  const std::vector<std::int64_t> extents = builder.extents(slope), shape = builder.extents(x);
  const std::size_t rank = shape.size();
  // Up to opset 6 a slope of rank 1 walks the channels, as ours does; from then on it is aligned with the last dimension.
  const bool walks_channels = node.opset < 7 && extents.size() == 1;
  if (rank >= 2 && !walks_channels) {
    std::vector<std::int64_t> aligned(rank - std::min(rank, extents.size()), 1);
    aligned.insert(aligned.end(), extents.begin(), extents.end());
    const std::int64_t channels = builder.extents(x)[1];
    const bool is_per_channel = aligned.size() == rank && aligned[1] == channels && builder.type(slope).elements() == channels;
    if (is_per_channel && builder.is_known(slope))
      slope = builder.emit("reshape", {slope}, {named("shape", std::vector<std::int64_t>{channels})});
    else if (extents.size() == 1 && extents[0] > 1)
      slope = builder.emit("reshape", {slope}, {named("shape", aligned)});
  }
  if (rank >= 2) return builder.bind(0, builder.emit("prelu", {x, slope}));
  // Without channels: a row of a batch of one, whose numbers are the channels.
  const std::int64_t numbers = builder.type(x).elements();
  const ValueId row = builder.emit("reshape", {x}, {named("shape", std::vector<std::int64_t>{1, numbers})});
  if (extents.size() > rank) builder.fail(fmt::format("a slope of shape {} does not broadcast to {}", to_text(extents), to_text(shape)));
  if (extents.empty()) slope = builder.emit("reshape", {slope}, {named("shape", std::vector<std::int64_t>{1})});
  builder.bind(0, builder.emit("reshape", {builder.emit("prelu", {row, slope})}, {named("shape", shape)}));
}

constexpr OnnxForm prelu_onnx[] = {{.op_type = "PRelu", .adapt = adapt_prelu}};

}  // namespace

extern constinit const Layer prelu = {
    .name = "prelu",
    .operands = {{"x"}, {"weight", Operand::Kind::weight}},
    .arguments = {optional("shared", ArgumentKind::boolean, "false")},
    .traits = {.is_elementwise = true, .keeps_channels = true},
    .infer = infer,
    .weights = weights,
    .explain = explain,
    .onnx = prelu_onnx,
};
extern constinit const Definition prelu_definition = {"prelu", define};

}  // namespace calotype::layers
