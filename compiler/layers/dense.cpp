/// \file
/// dense: every unit sums all features of the last axis, each with its own weight, plus a bias.
///
///   y[..., u] = bias[u] + sum over i of weight[u,i] * x[..., i]
///
/// flatten() before it makes one vector of a picture's channels and pixels.
#include <fmt/format.h>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

std::int64_t features_of(const Call& call) {
  require_rank(call, 1, "at least one dimension, whose last one holds the features");
  return call.type(0).extents.back();
}

std::int64_t units_of(const Call& call) {
  const TensorType* weight = written_weight(call, "weight");
  if (weight != nullptr && weight->rank() != 2) {
    call.fail(fmt::format("dense wants a weight of [units, {}], not {}", features_of(call), to_text(weight->extents)));
  }
  const std::int64_t units = weight != nullptr && !call.is_written("units") ? weight->extents[0] : call.integer("units");
  if (units < 1) call.fail("units", fmt::format("'units' must be at least 1, not {}", units));
  return units;
}

std::vector<WeightSpecification> weights(const Call& call) {
  const ElementType element = call.type(0).element;
  std::vector<WeightSpecification> list = {{"weight", {element, {units_of(call), features_of(call)}}}};
  if (has_weight(call, "bias")) list.push_back({"bias", {element, {units_of(call)}}});
  return list;
}

/// The operand's extents with `units` in place of the last.
std::vector<TensorType> infer(const Call& call) {
  TensorType result = {require_float(call), call.type(0).extents};
  features_of(call);
  result.extents.back() = units_of(call);
  return {result};
}

std::int64_t multiply_adds(const Call& call) { return checked_multiply(call.result().elements(), features_of(call)); }

std::string explain(const Call& call) {
  const std::int64_t units = units_of(call);
  std::string text = fmt::format("{} x {} = {}", counted(units, "unit"), counted(features_of(call), "input"),
                                 counted(checked_multiply(units, features_of(call)), "weight"));
  if (has_weight(call, "bias")) text += fmt::format(" + {}", counted(units, "bias"));
  return text;
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const Domain r = domain_over({features_of(call)}, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index feature(at.begin(), at.end());
  feature.back() = r.variables[0];

  Halide::Func sum("dense_sum");
  const bool has_bias = operands.size() > 2 && operands[2];
  sum(storage_order(at)) = has_bias ? Halide::cast(type, operands[2]({at.back()})) : Halide::Internal::make_zero(type);
  sum(storage_order(at)) += Halide::cast(type, operands[1]({at.back(), r.variables[0]})) * Halide::cast(type, x(feature));
  stages.accumulators.push_back(sum);
  return Halide::cast(halide_type(x.type.element), sum(storage_order(index)));
}

/// alpha * A * B + beta * C. With a known B and a bias of one row it is a dense layer, whatever is transposed; else a product and a sum.
void adapt_gemm(const OnnxNode& node, OnnxBuilder& builder) {
  ValueId a = builder.input(0), b = builder.input(1), c = builder.input_or_none(2);
  const ElementType element = builder.type(a).element;
  const double alpha = node.real("alpha", 1), beta = node.real("beta", 1);
  if (builder.type(a).rank() != 2 || builder.type(b).rank() != 2) builder.fail("Gemm multiplies matrices");
  const auto scaled = [&](ValueId value, double factor) {
    return factor == 1 ? value : builder.emit("mul", {value, builder.constant(element, factor)});
  };
  if (node.integer("transA", 0) != 0) a = builder.emit("transpose", {a});
  const bool is_transposed = node.integer("transB", 0) != 0;
  const std::int64_t units = builder.extents(b)[is_transposed ? 0 : 1];
  // A bias is one number for each unit; anything else that broadcasts is added afterwards.
  bool is_bias = c == no_value;
  if (c != no_value && builder.is_known(c)) {
    const std::vector<std::int64_t> extents = builder.extents(c);
    is_bias = extents == Extents{units} || extents == Extents{1, units};
    if (extents.size() == 2 && is_bias) c = builder.emit("reshape", {c}, {named("shape", Extents{units})});
  }
  if (builder.is_known(b) && is_float(element)) {
    ValueId weight = is_transposed ? b : builder.emit("transpose", {b});
    weight = scaled(weight, alpha);
    Attributes attributes = {named("units", units)};
    if (c == no_value || !is_bias) attributes.push_back(named("bias", false));
    std::vector<ValueId> operands = {a, weight};
    if (c != no_value && is_bias) operands.push_back(scaled(c, beta));
    ValueId y = builder.emit("dense", std::move(operands), std::move(attributes));
    if (c != no_value && !is_bias) y = builder.emit("add", {y, scaled(c, beta)});
    return builder.bind(0, y);
  }
  if (is_transposed) b = builder.emit("transpose", {b});
  ValueId y = scaled(builder.emit("matmul", {a, b}), alpha);
  if (c != no_value) y = builder.emit("add", {y, scaled(c, beta)});
  builder.bind(0, y);
}

constexpr OnnxForm dense_onnx[] = {{
    .op_type = "Gemm",
    .attributes = {onnx::adapted_attribute("alpha"), onnx::adapted_attribute("beta"), onnx::adapted_attribute("transA"),
                   onnx::adapted_attribute("transB"), onnx::ignored("broadcast")},
    .adapt = adapt_gemm,
}};

}  // namespace

extern constinit const Layer dense = {
    .name = "dense",
    .operands = {{"x"}, {"weight", Operand::Kind::weight}, {"bias", Operand::Kind::weight}},
    .arguments = {optional("units", ArgumentKind::integer), optional("bias", ArgumentKind::boolean_or_tensor, "true"), activation_argument},
    .traits = {.reduces_channels = true, .takes_epilogue = true, .weight_rows_are_channels = true},
    .infer = infer,
    .weights = weights,
    .multiply_adds = multiply_adds,
    .explain = explain,
    .onnx = dense_onnx,
};
extern constinit const Definition dense_definition = {"dense", define};

}  // namespace calotype::layers
