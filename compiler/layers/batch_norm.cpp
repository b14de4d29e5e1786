/// \file
/// batch_norm at inference: each channel is shifted and scaled by what training saw of it, then by what training learned.
///
///   y[n,c,...] = (x[n,c,...] - running_mean[c]) / sqrt(running_var[c] + epsilon) * weight[c] + bias[c]
///
/// Behind a convolution the pass fold_batch_norm moves it into the convolution's weights.
#include <fmt/format.h>

#include <cmath>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/definition.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

enum Position { x_at, weight_at, bias_at, mean_at, variance_at };

/// One number per channel for each tensor; the statistics are not trained by gradients.
std::vector<WeightSpecification> weights(const Call& call) {
  require_rank(call, 2, "batch and channels");
  const TensorType type = {call.type(0).element, {call.type(0).extents[1]}};
  std::vector<WeightSpecification> list;
  if (has_weight(call, "weight")) list.push_back({"weight", type});
  if (has_weight(call, "bias")) list.push_back({"bias", type});
  list.push_back({"running_mean", type, false});
  list.push_back({"running_var", type, false});
  return list;
}

std::vector<TensorType> infer(const Call& call) {
  require_float(call);
  require_rank(call, 2, "batch and channels");
  if (call.real("epsilon") < 0) call.fail("epsilon", "'epsilon' must not be negative");
  return {call.type(0)};
}

std::string explain(const Call& call) {
  const std::int64_t channels = call.type(0).extents[1];
  std::string text;
  if (has_weight(call, "weight")) text += fmt::format("{} + ", counted(channels, "scale"));
  if (has_weight(call, "bias")) text += fmt::format("{} + ", counted(channels, "bias"));
  return text + fmt::format("{0} running means and {0} variances that are not trained", with_commas(channels));
}

/// In double, in a fixed order.
ChannelAffine channel_affine(const Call& call) {
  const std::int64_t channels = call.type(0).extents[1];
  const double epsilon = call.real("epsilon");
  const auto numbers = [&](int position, double absent) {
    std::vector<double> row(static_cast<std::size_t>(channels), absent);
    if (!call.has(position)) return row;
    const TensorData data = call.operand(position).data->read();
    for (std::size_t c = 0; c < row.size(); ++c) row[c] = load_as_double(data, static_cast<std::int64_t>(c));
    return row;
  };
  const std::vector<double> weight = numbers(weight_at, 1), bias = numbers(bias_at, 0), mean = numbers(mean_at, 0),
                            variance = numbers(variance_at, 1);
  ChannelAffine affine;
  for (std::size_t c = 0; c < weight.size(); ++c) {
    const double scale = weight[c] / std::sqrt(variance[c] + epsilon);
    affine.scale.push_back(scale);
    affine.shift.push_back(bias[c] - mean[c] * scale);
  }
  return affine;
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  using arithmetic::widen;
  const Halide::Type stored = halide_type(operands[x_at].type.element);
  const Index channel = {index[1]};
  const Halide::Expr variance = widen(operands[variance_at](channel));
  Halide::Expr scale = arithmetic::square_root(arithmetic::add(variance, arithmetic::like(variance, call.real("epsilon"))));
  scale = arithmetic::divide(operands[weight_at] ? widen(operands[weight_at](channel)) : arithmetic::like(scale, 1), scale);
  Halide::Expr y = arithmetic::multiply(arithmetic::subtract(widen(operands[x_at](index)), widen(operands[mean_at](channel))), scale);
  if (operands[bias_at]) y = arithmetic::add(y, widen(operands[bias_at](channel)));
  return arithmetic::narrow(stored, y);
}

/// In training mode the statistics are those of the operand, and the running ones move towards them.
void adapt_batch_norm(const OnnxNode& node, OnnxBuilder& builder) {
  Op op = builder.statement();
  if (node.integer("training_mode", 0) == 0) return builder.bind(0, builder.emit(std::move(op)));
  const ValueId x = builder.input(0);
  const ElementType element = builder.type(x).element;
  const auto rank = static_cast<std::int64_t>(builder.extents(x).size());
  std::vector<std::int64_t> axes = {0};
  for (std::int64_t axis = 2; axis < rank; ++axis) axes.push_back(axis);
  const auto mean_of = [&](ValueId value, bool keeps) {
    return builder.emit("reduce_mean", {value}, {named("axes", axes), named("keep_dims", keeps)});
  };
  const ValueId distance = builder.emit("sub", {x, mean_of(x, true)});
  const ValueId mean = mean_of(x, false), variance = mean_of(builder.emit("mul", {distance, distance}), false);
  op.operands[mean_at] = mean;
  op.operands[variance_at] = variance;
  builder.bind(0, builder.emit(std::move(op)));
  const double momentum = node.real("momentum", 0.9);
  const auto moved = [&](ValueId running, ValueId now) {
    const ValueId kept = builder.emit("mul", {running, builder.constant(element, momentum)});
    return builder.emit("add", {kept, builder.emit("mul", {now, builder.constant(element, 1 - momentum)})});
  };
  builder.bind(1, moved(builder.input(mean_at), mean));
  builder.bind(2, moved(builder.input(variance_at), variance));
}

constexpr OnnxForm batch_norm_onnx[] = {{
    .op_type = "BatchNormalization",
    .attributes = {onnx::attribute("epsilon", "epsilon"), onnx::adapted_attribute("momentum"), onnx::only("spatial", "1"),
                   onnx::only("is_test", "1"), onnx::adapted_attribute("training_mode")},
    .adapt = adapt_batch_norm,
}};

}  // namespace

extern constinit const Layer batch_norm = {
    .name = "batch_norm",
    .operands = {{"x"},
                 {"weight", Operand::Kind::weight},
                 {"bias", Operand::Kind::weight},
                 {"running_mean", Operand::Kind::weight},
                 {"running_var", Operand::Kind::weight}},
    .arguments = {optional("epsilon", ArgumentKind::real, "1e-5"), optional("weight", ArgumentKind::boolean_or_tensor, "true"),
                  optional("bias", ArgumentKind::boolean_or_tensor, "true"), activation_argument},
    .traits = {.is_elementwise = true, .takes_epilogue = true, .keeps_channels = true},
    .infer = infer,
    .weights = weights,
    .explain = explain,
    .channel_affine = channel_affine,
    .onnx = batch_norm_onnx,
};
extern constinit const Definition batch_norm_definition = {"batch_norm", define};

}  // namespace calotype::layers
