/// \file
/// Layers that normalize by the mean and variance of what they are given, then scale and shift:
///
///   y = (x - mean) / sqrt(variance + epsilon) * weight + bias
///
///   layer_norm      mean over the axes from `axis` to the last; a weight and bias for each place in them
///   rms_norm        the same without a mean: y = x / sqrt(mean of squares + epsilon) * weight
///   group_norm      mean over the channels of one of `groups` groups and all pixels; a weight and bias for each channel
///   instance_norm   mean over the pixels of one channel; a weight and bias for each channel
#include <fmt/format.h>

#include <algorithm>
#include <span>

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
  Extents rows;                  ///< their extents
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
  stages.share(sum, set.row, set.rows);
  stages.share(squares, set.row, set.rows);

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

/// One member of each set that shares its leading axes.
Set trailing_set(const TensorType& x, const TensorType& normalized, std::ptrdiff_t axis, const Index& index) {
  const std::vector<Halide::Var> at = index_variables(static_cast<int>(index.size()));
  const Domain r = domain_over(normalized.extents, "r");
  Set set;
  set.row.assign(at.begin(), at.begin() + axis);
  set.rows.assign(x.extents.begin(), x.extents.begin() + axis);
  set.along.assign(at.begin(), at.begin() + axis);
  set.along.insert(set.along.end(), r.variables.begin(), r.variables.end());
  set.here.assign(index.begin(), index.begin() + axis);
  set.members = normalized.elements();
  return set;
}

Halide::Expr define_layer_norm(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const auto axis = static_cast<std::ptrdiff_t>(first_axis(call));
  const Set set = trailing_set(operands[0].type, normalized_type(call), axis, index);
  return normalize(call, operands, index, {index.begin() + axis, index.end()}, set, stages);
}

/* rms_norm */

std::vector<WeightSpecification> rms_norm_weights(const Call& call) {
  if (!has_weight(call, "weight")) return {};
  return {{"weight", normalized_type(call)}};
}

std::string explain_rms_norm(const Call& call) {
  return has_weight(call, "weight") ? counted(normalized_type(call).elements(), "scale") : "nothing to learn";
}

Halide::Expr define_rms_norm(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  using namespace arithmetic;
  const Tensor& x = operands[0];
  const auto axis = static_cast<std::ptrdiff_t>(first_axis(call));
  const Set set = trailing_set(operands[0].type, normalized_type(call), axis, index);
  const Halide::Type type = accumulator_type(x.type.element);
  const std::vector<Halide::Var> row = storage_order(set.row);
  const Halide::Expr member = Halide::cast(type, x(set.along));
  Halide::Func squares("norm_squares");
  squares(row) = Halide::Internal::make_zero(type);
  squares(row) += member * member;
  stages.share(squares, set.row, set.rows);

  const Halide::Expr mean = divide(squares(storage_order(set.here)), Halide::Internal::make_const(type, static_cast<double>(set.members)));
  Halide::Expr y = divide(Halide::cast(type, x(index)), square_root(add(mean, like(mean, call.real("epsilon")))));
  if (operands.size() > 1 && operands[1]) y = multiply(y, widen(operands[1]({index.begin() + axis, index.end()})));
  return arithmetic::narrow(halide_type(x.type.element), y);
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
  set.rows = {x.extents[0], channels_of(call) / std::max<std::int64_t>(1, channels_per_group)};
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

/// One scale and one shift for each group, as opset 18 has it, are those of the channels of instance_norm, with the groups as channels.
void adapt_group_norm_18(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  const std::int64_t groups = node.integer("num_groups", 0);
  if (extents.size() < 2 || groups < 1 || extents[1] % groups != 0)
    builder.fail(fmt::format("{} groups do not divide the channels of {}", groups, to_text(extents)));
  const std::int64_t cells = checked_product(std::span(extents).subspan(1)) / groups;
  const ValueId grouped = builder.emit("reshape", {x}, {named("shape", std::vector<std::int64_t>{extents[0], groups, cells})});
  const ValueId y =
      builder.emit("instance_norm", {grouped, builder.input(1), builder.input(2)}, {named("epsilon", node.real("epsilon", 1e-5))});
  builder.bind(0, builder.emit("reshape", {y}, {named("shape", extents)}));
}

/// The scale and the shift are weights where they have the shape of what is normalized; others are broadcast by layers of their own. Mean and
/// InvStdDev, where the node wants them, are computed for themselves, at least in f32, and are of the type that stash_type says.
void adapt_layer_norm(const OnnxNode& node, OnnxBuilder& builder) {
  const bool is_layer_norm = node.op_type == "LayerNormalization";
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t axis = node.integer("axis", -1);
  if (axis < -rank || axis >= rank) builder.fail(fmt::format("axis {} is none of {}", axis, to_text(extents)));
  const std::vector<std::int64_t> normalized(extents.begin() + (axis < 0 ? axis + rank : axis), extents.end());
  const NamedAttribute epsilon = named("epsilon", node.real("epsilon", 1e-5));
  const auto fits = [&](std::size_t i) { return !builder.has(i) || builder.extents(builder.input(i)) == normalized; };

  Op op;
  op.kind = is_layer_norm ? "layer_norm" : "rms_norm";
  op.operands = {x};
  op.attributes = {named("axis", axis), epsilon};
  const bool is_weight = builder.has(1) && fits(1) && fits(2), is_bias = is_weight && builder.has(2);
  if (is_weight) op.operands.push_back(builder.input(1));
  if (is_bias) op.operands.push_back(builder.input(2));
  if (!is_weight) op.attributes.push_back(named("weight", false));
  if (!is_bias && is_layer_norm) op.attributes.push_back(named("bias", false));
  ValueId y = builder.emit(std::move(op));
  if (!is_weight && builder.has(1)) y = builder.emit("mul", {y, builder.input(1)});
  if (!is_bias && builder.has(2)) y = builder.emit("add", {y, builder.input(2)});
  builder.bind(0, y);

  if (!node.has_output(1) && !node.has_output(2)) return;
  const std::optional<ElementType> stashed = element_type_of_onnx(node.integer("stash_type", 1));
  if (!stashed || !is_float(*stashed)) builder.unsupported("stash_type must be a type of floats");
  const ElementType element = builder.type(x).element == ElementType::f64 ? ElementType::f64 : ElementType::f32;
  const auto cast = [&](ValueId value, ElementType to) {
    return builder.type(value).element == to ? value : builder.emit("cast", {value}, {named_word("type", name_of(to))});
  };
  std::vector<std::int64_t> axes;
  for (std::int64_t i = axis < 0 ? axis + rank : axis; i < rank; ++i) axes.push_back(i);
  const ValueId number = cast(x, element), mean = builder.emit("reduce_mean", {number}, {named("axes", axes)});
  builder.bind(1, cast(mean, *stashed));
  if (!node.has_output(2)) return;
  const ValueId deviation = builder.emit("sub", {number, mean});
  const ValueId variance = builder.emit("reduce_mean", {builder.emit("mul", {deviation, deviation})}, {named("axes", axes)});
  const ValueId sum = builder.emit("add", {variance, builder.constant(element, node.real("epsilon", 1e-5))});
  builder.bind(2, cast(builder.emit("reciprocal", {builder.emit("sqrt", {sum})}), *stashed));
}

constexpr OnnxForm group_norm_onnx[] = {
    {.op_type = "GroupNormalization",
     .until = 20,
     .attributes = {onnx::adapted_attribute("num_groups"), onnx::adapted_attribute("epsilon")},
     .adapt = adapt_group_norm_18},
    {.op_type = "GroupNormalization",
     .since = 21,
     .attributes = {onnx::attribute("num_groups", "groups"), onnx::attribute("epsilon", "epsilon"), onnx::ignored("stash_type")}},
};
constexpr OnnxForm instance_norm_onnx[] = {{.op_type = "InstanceNormalization", .attributes = {onnx::attribute("epsilon", "epsilon")}}};
constexpr OnnxForm layer_norm_onnx[] = {{
    .op_type = "LayerNormalization",
    .attributes = {onnx::adapted_attribute("axis"), onnx::adapted_attribute("epsilon"), onnx::adapted_attribute("stash_type")},
    .adapt = adapt_layer_norm,
}};
constexpr OnnxForm rms_norm_onnx[] = {{
    .op_type = "RMSNormalization",
    .attributes = {onnx::adapted_attribute("axis"), onnx::adapted_attribute("epsilon"), onnx::ignored("stash_type")},
    .adapt = adapt_layer_norm,
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

extern constinit const Layer rms_norm = {
    .name = "rms_norm",
    .operands = {x_operand, weight_operand},
    .arguments = {optional("axis", ArgumentKind::integer, "-1"), epsilon, with_weight, activation_argument},
    .traits = {.takes_epilogue = true},
    .infer = infer_layer_norm,
    .weights = rms_norm_weights,
    .explain = explain_rms_norm,
    .onnx = rms_norm_onnx,
};
extern constinit const Definition rms_norm_definition = {"rms_norm", define_rms_norm};

}  // namespace calotype::layers
