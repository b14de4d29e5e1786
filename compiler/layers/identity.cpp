/// \file
/// Layers whose result is their operand, number for number in row-major order: identity, dropout (which only training uses) and the changes of
/// shape. Nothing is computed: where layouts allow, the result shares the operand's memory.
///
///   flatten         [batch, everything else]
///   reshape         the shape as written; -1 is what is left over, 0 the operand's own extent at that place (an extent of 0 with allow_zero=true)
///   squeeze         without the given axes of extent 1 (without all such, if none is given)
///   unsqueeze       with axes of extent 1 at the given places of the result
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "ir/inline_tensor.h"
#include "layers/definition.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"

namespace calotype::layers {
namespace {

constexpr Traits identity_traits = {.is_elementwise = true, .is_activation = false, .keeps_channels = true, .is_identity = true};
constexpr Traits reshape_traits = {.is_identity = true};

std::vector<TensorType> infer_same(const Call& call) { return {call.type(0)}; }

std::vector<TensorType> infer_flatten(const Call& call) {
  const TensorType& x = call.type(0);
  if (x.rank() == 0) return {{x.element, {1, 1}}};
  const std::int64_t rest = checked_product(std::span(x.extents).subspan(1));
  return {{x.element, {x.extents[0], rest}}};
}

std::vector<TensorType> infer_reshape(const Call& call) {
  const TensorType& x = call.type(0);
  std::vector<std::int64_t> extents = call.integers("shape");
  std::int64_t known = 1;
  auto left_over = extents.end();
  for (auto extent = extents.begin(); extent != extents.end(); ++extent) {
    const auto place = extent - extents.begin();
    if (*extent == -1) {
      if (left_over != extents.end()) call.fail("shape", "only one extent of 'shape' may be -1: what is left over");
      left_over = extent;
      continue;
    }
    if (*extent < -1) call.fail("shape", fmt::format("an extent of 'shape' cannot be {}", *extent));
    if (*extent == 0 && !call.boolean("allow_zero")) {
      if (place >= x.rank()) {
        call.fail("shape", fmt::format("0 in 'shape' keeps the operand's extent, but {} has no dimension {}", to_text(x.extents), place));
      }
      *extent = x.extents[static_cast<std::size_t>(place)];
    }
    known = checked_multiply(known, *extent);
  }
  const std::int64_t elements = x.elements();
  if (left_over != extents.end()) {
    if (known == 0 || elements % known != 0) {
      call.fail("shape", fmt::format("{} has {} elements, which no extent in place of -1 makes of {}", to_text(x.extents), elements,
                                     to_text(extents)));
    }
    *left_over = elements / known;
  } else if (known != elements) {
    call.fail("shape", fmt::format("{} has {} elements, but {} has {}", to_text(x.extents), elements, to_text(extents), known));
  }
  return {{x.element, extents}};
}

std::vector<TensorType> infer_squeeze(const Call& call) {
  const TensorType& x = call.type(0);
  std::vector<bool> removed(x.extents.size(), false);
  if (call.has_argument("axes")) {
    for (const int axis : call.axes("axes", x.rank())) {
      const auto at = static_cast<std::size_t>(axis);
      if (x.extents[at] != 1)
        call.fail("axes", fmt::format("axis {} of {} is {}; squeeze removes extents of 1 only", axis, to_text(x.extents), x.extents[at]));
      removed[at] = true;
    }
  } else {
    std::transform(x.extents.begin(), x.extents.end(), removed.begin(), [](std::int64_t extent) { return extent == 1; });
  }
  TensorType result = {x.element, {}};
  for (std::size_t i = 0; i < x.extents.size(); ++i) {
    if (!removed[i]) result.extents.push_back(x.extents[i]);
  }
  return {result};
}

std::vector<TensorType> infer_unsqueeze(const Call& call) {
  const TensorType& x = call.type(0);
  const int rank = x.rank() + static_cast<int>(call.integers("axes").size());
  std::vector<bool> added(static_cast<std::size_t>(rank), false);
  for (const int axis : call.axes("axes", rank)) added[static_cast<std::size_t>(axis)] = true;
  TensorType result = {x.element, {}};
  auto next = x.extents.begin();
  for (const bool is_new : added) result.extents.push_back(is_new ? 1 : *next++);
  return {result};
}

Halide::Expr define_same(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages&, int) { return operands[0](index); }

/// Dimensions of extent 1 aside, the extents in order and which dimension each one is.
std::vector<std::size_t> wide_dimensions(const std::vector<std::int64_t>& extents) {
  std::vector<std::size_t> wide;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] != 1) wide.push_back(i);
  }
  return wide;
}

/// The operand's index at the same place in row-major order. Runs of dimensions that begin and end at the same places in both shapes are
/// converted for themselves, so that the batch of a flatten, and every dimension of a squeeze, is read at its own index without a division.
Halide::Expr define_reshape(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const std::vector<std::int64_t>& from = operands[0].type.extents;
  const std::vector<std::int64_t>& to = call.result().extents;
  const std::vector<std::size_t> sources = wide_dimensions(from), targets = wide_dimensions(to);
  Index read(from.size(), Halide::Expr(0));
  if (operands[0].type.elements() == 0) return operands[0](read);

  std::size_t s = 0, t = 0;
  while (s < sources.size() || t < targets.size()) {
    // The shortest runs of equal product.
    const std::size_t first_source = s, first_target = t;
    std::int64_t source_cells = from[sources[s++]], target_cells = to[targets[t++]];
    while (source_cells != target_cells) {
      if (source_cells < target_cells) {
        source_cells = checked_multiply(source_cells, from[sources[s++]]);
      } else {
        target_cells = checked_multiply(target_cells, to[targets[t++]]);
      }
    }
    narrow(source_cells);  // the position counts them all
    Halide::Expr position = index[targets[first_target]];
    for (std::size_t i = first_target + 1; i < t; ++i) position = position * narrow(to[targets[i]]) + index[targets[i]];
    for (std::size_t i = s; i-- > first_source;) {
      const int extent = narrow(from[sources[i]]);
      const bool is_outermost = i == first_source;
      read[sources[i]] = is_outermost ? position : position % extent;
      if (!is_outermost) position = position / extent;
    }
  }
  return operands[0](read);
}

constexpr Layer shape_layer(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx,
                            Argument argument = {}, Argument second = {}) {
  return {.name = name, .operands = {{"x"}}, .arguments = {argument, second}, .traits = reshape_traits, .infer = infer, .onnx = onnx};
}

/// Another name for the same value: exporters share weights that way.
void adapt_identity(const OnnxNode&, OnnxBuilder& builder) { builder.bind(0, builder.input(0)); }
constexpr OnnxForm identity_onnx[] = {{.op_type = "Identity", .adapt = adapt_identity}};

/// The result at inference is the operand; the mask lets everything through.
void adapt_dropout(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  if (builder.has(2) && builder.integers(2) != std::vector<std::int64_t>{0}) builder.unsupported("training_mode must be false");
  builder.bind(0, x);
  if (!node.has_output(1)) return;
  // Up to opset 11 the mask has the operand's type, from then on it is bool.
  const bool is_bool = node.opset >= 10;
  const ValueId one = builder.constant(is_bool ? ElementType::boolean : builder.type(x).element, 1);
  TensorData mask = *builder.known(one);
  broadcast_to(mask, builder.extents(x));
  builder.bind(1, builder.constant(std::move(mask)));
}
constexpr OnnxForm dropout_onnx[] = {{
    .op_type = "Dropout",
    .attributes = {onnx::ignored("ratio"), onnx::ignored("seed"), onnx::ignored("is_test")},
    .adapt = adapt_dropout,
    .note = "inference only",
}};

/// Everything before `axis` becomes one dimension; ours keeps the batch, which is axis 1.
void adapt_flatten(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t>& extents = builder.extents(x);
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t axis = node.integer("axis", 1);
  if (axis < -rank || axis > rank) builder.fail(fmt::format("axis {} is none of {}", axis, to_text(extents)));
  if (axis < 0) axis += rank;
  if (axis == 1) return builder.bind(0, builder.emit("flatten", {x}));
  const std::span before = std::span(extents).first(static_cast<std::size_t>(axis));
  const std::span after = std::span(extents).subspan(static_cast<std::size_t>(axis));
  const std::vector<std::int64_t> shape = {checked_product(before), checked_product(after)};
  Attributes attributes = {named("shape", shape)};
  if (shape[0] == 0 || shape[1] == 0) attributes.push_back(named("allow_zero", true));
  builder.bind(0, builder.emit("reshape", {x}, std::move(attributes)));
}
constexpr OnnxForm flatten_onnx[] = {{.op_type = "Flatten", .attributes = {onnx::adapted_attribute("axis")}, .adapt = adapt_flatten}};

/// A batch that stays is written as 0, so that what is imported holds for any batch: exporters compute the shape from the batch.
void adapt_reshape(const OnnxNode&, OnnxBuilder& builder) {
  Op op = builder.statement();
  const std::vector<std::int64_t>& from = builder.extents(builder.input(0));
  for (NamedAttribute& attribute : op.attributes) {
    auto* shape = std::get_if<Attribute::List>(&attribute.value.value);
    if (attribute.name != "shape" || shape == nullptr || shape->size() < 2 || from.empty()) continue;
    const auto* batch = std::get_if<std::int64_t>(&shape->front().value);
    const bool counts_zeros = find(op.attributes, "allow_zero") != nullptr;
    if (batch != nullptr && *batch == from[0] && !counts_zeros) shape->front() = {std::int64_t{0}};
  }
  builder.bind(0, builder.emit(std::move(op)));
}

/// The declared shape, in which 0 may stand for the operand's own extent and one -1 for what is left over.
std::vector<Supposition> suppose_reshape(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* to = builder.declared(0);
  if (to == nullptr || entries_of(builder, 1) != std::ssize(*to)) return {};
  const ValueId shape = builder.input(1);
  const std::vector<std::int64_t> from = builder.extents(builder.input(0));
  Supposition supposition = suppose_equal(builder, 1, *to);
  ValueId& fits = supposition.holds.front();
  std::vector<bool> is_kept(to->size());
  for (std::size_t i = 0; i < to->size(); ++i) is_kept[i] = i < from.size() && from[i] == (*to)[i];
  const bool any_kept = std::find(is_kept.begin(), is_kept.end(), true) != is_kept.end();
  if (any_kept && node.integer("allowzero", 0) == 0) {
    const ValueId is_zero = equals(builder, shape, std::vector<std::int64_t>(to->size(), 0));
    const ValueId kept = builder.emit("logical_and", {is_zero, truths(builder, is_kept)});
    fits = builder.emit("logical_or", {fits, kept});
  }
  if (checked_product(*to) > 0) {
    const ValueId is_rest = equals(builder, shape, std::vector<std::int64_t>(to->size(), -1));
    fits = builder.emit("logical_or", {fits, is_rest});
    const ValueId rests = builder.emit("reduce_sum", {builder.emit("cast", {is_rest}, {named_word("type", "i32")})});
    supposition.holds.push_back(builder.emit("less", {rests, builder.constant(ElementType::i32, 2)}));
  }
  return {std::move(supposition)};
}

std::vector<Supposition> suppose_new_axes(const OnnxNode&, OnnxBuilder& builder) {
  return suppose_axes_of_rank(builder, 1, std::ssize(builder.extents(builder.input(0))) + entries_of(builder, 1));
}

constexpr OnnxForm reshape_onnx[] = {{
    .op_type = "Reshape",
    .inputs = {onnx::operand("x"), onnx::argument("shape")},
    .attributes = {onnx::flag("allowzero", "allow_zero")},
    .adapt = adapt_reshape,
    .suppose = suppose_reshape,
}};
constexpr OnnxForm squeeze_onnx[] = {
    {.op_type = "Squeeze", .until = 12, .attributes = {onnx::attribute("axes", "axes")}},
    {.op_type = "Squeeze", .since = 13, .inputs = {onnx::operand("x"), onnx::argument("axes")}, .suppose = suppose_axes},
};
constexpr OnnxForm unsqueeze_onnx[] = {
    {.op_type = "Unsqueeze", .until = 12, .attributes = {onnx::attribute("axes", "axes")}},
    {.op_type = "Unsqueeze", .since = 13, .inputs = {onnx::operand("x"), onnx::argument("axes")}, .suppose = suppose_new_axes},
};

}  // namespace

extern constinit const Layer identity = {
    .name = "identity", .operands = {{"x"}}, .traits = identity_traits, .infer = infer_same, .onnx = identity_onnx};
extern constinit const Layer dropout = {.name = "dropout",
                                        .operands = {{"x"}},
                                        .arguments = {optional("rate", ArgumentKind::real, "0.5")},
                                        .traits = identity_traits,
                                        .infer = infer_same,
                                        .onnx = dropout_onnx};
extern constinit const Layer flatten = shape_layer("flatten", infer_flatten, flatten_onnx);
extern constinit const Layer reshape = shape_layer("reshape", infer_reshape, reshape_onnx, required("shape", ArgumentKind::integers),
                                                   optional("allow_zero", ArgumentKind::boolean, "false"));
extern constinit const Layer squeeze = shape_layer("squeeze", infer_squeeze, squeeze_onnx, optional("axes", ArgumentKind::integers));
extern constinit const Layer unsqueeze =
    shape_layer("unsqueeze", infer_unsqueeze, unsqueeze_onnx, required("axes", ArgumentKind::integers));

extern constinit const Definition identity_definition = {"identity", define_same};
extern constinit const Definition dropout_definition = {"dropout", define_same};
extern constinit const Definition flatten_definition = {"flatten", define_reshape};
extern constinit const Definition reshape_definition = {"reshape", define_reshape};
extern constinit const Definition squeeze_definition = {"squeeze", define_reshape};
extern constinit const Definition unsqueeze_definition = {"unsqueeze", define_reshape};

}  // namespace calotype::layers
