/// \file
/// softmax and log_softmax along one axis. The maximum is taken away first, so that no exponential overflows:
///
///   softmax[i] = exp(x[i] - m) / s      log_softmax[i] = x[i] - m - log(s)      m = max over j of x[j],  s = sum over j of exp(x[j] - m)
#include <fmt/format.h>

#include <limits>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::vector<TensorType> infer(const Call& call) {
  require_float(call);
  call.axis("axis", call.type(0).rank());
  return {call.type(0)};
}

struct Parts {
  Halide::Expr shifted;  ///< x - m at the index
  Halide::Expr sum;      ///< s at the index
};

/// The maximum and the sum are tables over the other axes, computed once.
Parts parts_of(const Call& call, const Tensor& x, const Index& index, Stages& stages) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", x.type.rank()));
  const Halide::Type type = accumulator_type(x.type.element);
  const Domain r = domain_over({x.type.extents[axis]}, "r");
  std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index along(at.begin(), at.end());
  along[axis] = r.variables[0];
  at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis));
  Index here = index;
  here.erase(here.begin() + static_cast<std::ptrdiff_t>(axis));

  Halide::Func largest("softmax_largest"), sum("softmax_sum");
  const std::vector<Halide::Var> arguments = storage_order(at);
  const Halide::Expr element = Halide::cast(type, x(along));
  largest(arguments) = Halide::Internal::make_const(type, -std::numeric_limits<double>::infinity());
  largest(arguments) = arithmetic::maximum(largest(arguments), element);
  sum(arguments) = Halide::Internal::make_zero(type);
  sum(arguments) += arithmetic::exp(arithmetic::subtract(element, largest(arguments)));
  Extents extents = x.type.extents;
  extents.erase(extents.begin() + static_cast<std::ptrdiff_t>(axis));
  stages.share(largest, at, extents);
  stages.share(sum, at, extents);
  return {arithmetic::subtract(Halide::cast(type, x(index)), largest(storage_order(here))), sum(storage_order(here))};
}

Halide::Expr define_softmax(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Parts parts = parts_of(call, operands[0], index, stages);
  return arithmetic::narrow(halide_type(operands[0].type.element), arithmetic::divide(arithmetic::exp(parts.shifted), parts.sum));
}

Halide::Expr define_log_softmax(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Parts parts = parts_of(call, operands[0], index, stages);
  return arithmetic::narrow(halide_type(operands[0].type.element), arithmetic::subtract(parts.shifted, arithmetic::log(parts.sum)));
}

/// Up to opset 12 everything from `axis` on is one long axis.
void adapt_softmax(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t axis = node.integer("axis", node.opset < 13 ? 1 : -1);
  if (axis < -rank || axis > rank - (node.opset < 13 ? 0 : 1)) builder.fail(fmt::format("axis {} is none of {}", axis, to_text(extents)));
  if (axis < 0) axis += rank;
  std::int64_t before = 1, after = 1;
  for (std::int64_t i = 0; i < rank; ++i) (i < axis ? before : after) *= extents[static_cast<std::size_t>(i)];
  const bool is_one_axis = node.opset >= 13 || (axis < rank && after == extents[static_cast<std::size_t>(axis)]);
  Op op;
  op.kind = node.op_type == "Softmax" ? "softmax" : "log_softmax";
  op.attributes = {named("axis", is_one_axis ? axis : std::int64_t{1})};
  op.operands = {is_one_axis ? x : builder.emit("reshape", {x}, {named("shape", std::vector<std::int64_t>{before, after})})};
  const ValueId y = builder.emit(std::move(op));
  builder.bind(0, is_one_axis ? y : builder.emit("reshape", {y}, {named("shape", extents)}));
}

constexpr OnnxForm softmax_onnx[] = {{.op_type = "Softmax", .attributes = {onnx::adapted_attribute("axis")}, .adapt = adapt_softmax}};
constexpr OnnxForm log_softmax_onnx[] = {
    {.op_type = "LogSoftmax", .attributes = {onnx::adapted_attribute("axis")}, .adapt = adapt_softmax}};

}  // namespace

extern constinit const Layer log_softmax = {
    .name = "log_softmax",
    .operands = {{"x"}},
    .arguments = {optional("axis", ArgumentKind::integer, "1")},
    .traits = {.takes_epilogue = true},
    .infer = infer,
    .onnx = log_softmax_onnx,
};
extern constinit const Definition log_softmax_definition = {"log_softmax", define_log_softmax};

extern constinit const Layer softmax = {
    .name = "softmax",
    .operands = {{"x"}},
    .arguments = {optional("axis", ArgumentKind::integer, "1")},
    .traits = {.takes_epilogue = true},
    .infer = infer,
    .onnx = softmax_onnx,
};
extern constinit const Definition softmax_definition = {"softmax", define_softmax};

}  // namespace calotype::layers
