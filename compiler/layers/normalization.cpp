/// \file
/// Layers that normalize by the mean and variance of what they are given, then scale and shift:
///
///   y = (x - mean) / sqrt(variance + epsilon) * weight + bias
///
///   layer_norm      mean over the axes from `axis` to the last; a weight and bias for each place in them
///   group_norm      mean over the channels of one of `groups` groups and all pixels; a weight and bias for each channel
///   instance_norm   mean over the pixels of one channel; a weight and bias for each channel
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

void check_epsilon(const Call& call) {
  require_float(call);
  if (call.real("epsilon") < 0) call.fail("epsilon", "'epsilon' must not be negative");
}

std::vector<WeightSpecification> scale_and_shift(const Call& call, const TensorType& type) {
  std::vector<WeightSpecification> list;
  if (has_weight(call, "weight")) list.push_back({"weight", type});
  if (has_weight(call, "bias")) list.push_back({"bias", type});
  return list;
}

std::string explain_counts(const Call& call, std::int64_t number) {
  if (!has_weight(call, "weight")) return has_weight(call, "bias") ? counted(number, "bias") : "nothing to learn";
  return counted(number, "scale") + (has_weight(call, "bias") ? fmt::format(" + {}", counted(number, "bias")) : std::string());
}

/// The extents of what is averaged, as a table over `row` that has one mean for each set: `along` walks one set.
struct Set {
  std::vector<Halide::Var> row;  ///< variables of the table, in logical order
  Index along;                   ///< the operand's index of a member of the set `row`
  Index here;                    ///< the table's index of the set in which the result element lies
  std::int64_t members = 0;
};

/// Mean and variance are tables, computed once, in two passes: the one-pass formula cancels.
Halide::Expr normalize(const Call& call, const std::vector<Tensor>& operands, const Index& index, const Index& weight_index, const Set& set,
                       Stages& stages) {
  using namespace arithmetic;
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const Halide::Expr members = Halide::Internal::make_const(type, static_cast<double>(set.members));
  const std::vector<Halide::Var> row = storage_order(set.row);

  Halide::Func sum("norm_sum"), squares("norm_squares");
  sum(row) = Halide::Internal::make_zero(type);
  sum(row) += Halide::cast(type, x(set.along));
  const Halide::Expr deviation = subtract(Halide::cast(type, x(set.along)), divide(sum(row), members));
  squares(row) = Halide::Internal::make_zero(type);
  squares(row) += deviation * deviation;
  stages.shared.push_back(sum);
  stages.shared.push_back(squares);

  const std::vector<Halide::Expr> here = storage_order(set.here);
  const Halide::Expr variance = divide(squares(here), members);
  const Halide::Expr scale = square_root(add(variance, like(variance, call.real("epsilon"))));
  Halide::Expr y = divide(subtract(Halide::cast(type, x(index)), divide(sum(here), members)), scale);
  if (operands.size() > 1 && operands[1]) y = multiply(y, widen(operands[1](weight_index)));
  if (operands.size() > 2 && operands[2]) y = add(y, widen(operands[2](weight_index)));
  return arithmetic::narrow(halide_type(x.type.element), y);
}

/* layer_norm */

std::size_t first_axis(const Call& call) { return static_cast<std::size_t>(call.axis("axis", call.type(0).rank())); }

TensorType normalized_type(const Call& call) {
  const TensorType& x = call.type(0);
  return {x.element, {x.extents.begin() + static_cast<std::ptrdiff_t>(first_axis(call)), x.extents.end()}};
}

std::vector<WeightSpecification> layer_norm_weights(const Call& call) { return scale_and_shift(call, normalized_type(call)); }

std::vector<TensorType> infer_layer_norm(const Call& call) {
  check_epsilon(call);
  first_axis(call);
  return {call.type(0)};
}

std::string explain_layer_norm(const Call& call) { return explain_counts(call, normalized_type(call).elements()); }

Halide::Expr define_layer_norm(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const TensorType normalized = normalized_type(call);
  const auto axis = static_cast<std::ptrdiff_t>(first_axis(call));
  const std::vector<Halide::Var> at = index_variables(operands[0].type.rank());
  const Domain r = domain_over(normalized.extents, "r");
  Set set;
  set.row.assign(at.begin(), at.begin() + axis);
  set.along.assign(at.begin(), at.begin() + axis);
  set.along.insert(set.along.end(), r.variables.begin(), r.variables.end());
  set.here.assign(index.begin(), index.begin() + axis);
  set.members = normalized.elements();
  return normalize(call, operands, index, {index.begin() + axis, index.end()}, set, stages);
}

/* group_norm and instance_norm */

std::int64_t channels_of(const Call& call) {
  require_rank(call, 2, "batch and channels");
  return call.type(0).extents[1];
}

std::int64_t written_groups(const Call& call) {
  const std::int64_t channels = channels_of(call);
  const std::int64_t groups = call.integer("groups");
  if (groups < 1) call.fail("groups", fmt::format("'groups' must be at least 1, not {}", groups));
  if (channels % groups != 0) {
    call.fail("groups", fmt::format("{} groups do not divide the {} of {}", groups, counted(channels, "channel"), call.operand(0).name),
              shape_notes(call));
  }
  return groups;
}

using GroupsOf = std::int64_t (*)(const Call&);

std::vector<WeightSpecification> channel_weights(const Call& call) {
  return scale_and_shift(call, {call.type(0).element, {channels_of(call)}});
}

template <GroupsOf groups_of>
std::vector<TensorType> infer_groups(const Call& call) {
  check_epsilon(call);
  groups_of(call);
  return {call.type(0)};
}

std::string explain_channels(const Call& call) { return explain_counts(call, channels_of(call)); }

template <GroupsOf groups_of>
Halide::Expr define_groups(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const TensorType& x = operands[0].type;
  const std::int64_t channels_per_group = channels_of(call) / std::max<std::int64_t>(1, groups_of(call));
  Extents reduced = {channels_per_group};
  reduced.insert(reduced.end(), x.extents.begin() + 2, x.extents.end());
  const Domain r = domain_over(reduced, "r");
  const Halide::Var n("n"), group("group");
  Set set;
  set.row = {n, group};
  set.along = {n, group * narrow(channels_per_group) + r.variables[0]};
  set.along.insert(set.along.end(), r.variables.begin() + 1, r.variables.end());
  set.here = {index[0], channels_per_group == 1 ? index[1] : index[1] / narrow(channels_per_group)};
  set.members = checked_product(reduced);
  return normalize(call, operands, index, {index[1]}, set, stages);
}

constexpr Operand x_operand = {"x"};
constexpr Operand weight_operand = {"weight", Operand::Kind::weight};
constexpr Operand bias_operand = {"bias", Operand::Kind::weight};
constexpr Argument epsilon = optional("epsilon", ArgumentKind::real, "1e-5");
constexpr Argument with_weight = optional("weight", ArgumentKind::boolean_or_tensor, "true");
constexpr Argument with_bias = optional("bias", ArgumentKind::boolean_or_tensor, "true");

constexpr OnnxForm group_norm_onnx[] = {{
    .op_type = "GroupNormalization",
    .since = 21,
    .attributes = {onnx::attribute("num_groups", "groups"), onnx::attribute("epsilon", "epsilon"), onnx::ignored("stash_type")},
}};
constexpr OnnxForm instance_norm_onnx[] = {{.op_type = "InstanceNormalization", .attributes = {onnx::attribute("epsilon", "epsilon")}}};
constexpr OnnxForm layer_norm_onnx[] = {{
    .op_type = "LayerNormalization",
    .attributes = {onnx::attribute("axis", "axis"), onnx::attribute("epsilon", "epsilon"), onnx::ignored("stash_type")},
    .note = "without the outputs Mean and InvStdDev",
}};

}  // namespace

extern constinit const Layer group_norm = {
    .name = "group_norm",
    .operands = {x_operand, weight_operand, bias_operand},
    .arguments = {required("groups", ArgumentKind::integer), epsilon, with_weight, with_bias, activation_argument},
    .traits = {.takes_epilogue = true},
    .infer = infer_groups<written_groups>,
    .weights = channel_weights,
    .explain = explain_channels,
    .onnx = group_norm_onnx,
};
extern constinit const Definition group_norm_definition = {"group_norm", define_groups<written_groups>};

extern constinit const Layer instance_norm = {
    .name = "instance_norm",
    .operands = {x_operand, weight_operand, bias_operand},
    .arguments = {epsilon, with_weight, with_bias, activation_argument},
    .traits = {.takes_epilogue = true},
    .infer = infer_groups<channels_of>,
    .weights = channel_weights,
    .explain = explain_channels,
    .onnx = instance_norm_onnx,
};
extern constinit const Definition instance_norm_definition = {"instance_norm", define_groups<channels_of>};

extern constinit const Layer layer_norm = {
    .name = "layer_norm",
    .operands = {x_operand, weight_operand, bias_operand},
    .arguments = {optional("axis", ArgumentKind::integer, "-1"), epsilon, with_weight, with_bias, activation_argument},
    .traits = {.takes_epilogue = true},
    .infer = infer_layer_norm,
    .weights = layer_norm_weights,
    .explain = explain_layer_norm,
    .onnx = layer_norm_onnx,
};
extern constinit const Definition layer_norm_definition = {"layer_norm", define_layer_norm};

}  // namespace calotype::layers
