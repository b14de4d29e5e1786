/// \file
/// Operators of ONNX that are no layers of their own: what only concerns shapes, and what is written as several layers.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/checked.h"
#include "ir/inline_tensor.h"
#include "ir/number_format.h"
#include "layers/layer.h"
#include "layers/onnx_subgraph.h"
#include "layers/recurrent.h"
#include "layers/suppositions.h"

namespace calotype::layers {
namespace {

/// The extents of a value, all known by now.
void adapt_shape(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t>& extents = builder.extents(builder.input(0));
  const auto rank = static_cast<std::int64_t>(extents.size());
  const auto place = [&](std::int64_t at) { return std::clamp(at < 0 ? at + rank : at, std::int64_t{0}, rank); };
  const std::int64_t begin = place(node.integer("start", 0)), end = place(node.integer("end", rank));
  std::vector<std::int64_t> part;
  for (std::int64_t i = begin; i < end; ++i) part.push_back(extents[static_cast<std::size_t>(i)]);
  builder.bind(0, builder.constant(part));
}

void adapt_size(const OnnxNode&, OnnxBuilder& builder) {
  builder.bind(0, builder.constant(own({ElementType::i64, {}}, std::vector<std::int64_t>{builder.type(builder.input(0)).elements()})));
}

/// A tensor that stands in the node itself.
void adapt_constant(const OnnxNode& node, OnnxBuilder& builder) {
  if (const OnnxAttribute* value = node.find("value")) {
    const auto* data = std::get_if<TensorData>(&value->value);
    if (data == nullptr) builder.unsupported("its value is no tensor of numbers");
    return builder.bind(0, builder.constant(*data));
  }
  const auto bind = [&](TensorData data) { builder.bind(0, builder.constant(std::move(data))); };
  if (node.find("value_int")) return bind(own({ElementType::i64, {}}, std::vector<std::int64_t>{node.integer("value_int", 0)}));
  if (node.find("value_float"))
    return bind(own({ElementType::f32, {}}, std::vector<float>{static_cast<float>(node.real("value_float", 0))}));
  if (node.find("value_ints")) return builder.bind(0, builder.constant(node.integers("value_ints")));
  if (node.find("value_floats") == nullptr) builder.fail("it has no value");
  const std::vector<double> reals = node.reals("value_floats");
  bind(own({ElementType::f32, {static_cast<std::int64_t>(reals.size())}}, std::vector<float>(reals.begin(), reals.end())));
}

void adapt_constant_of_shape(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> shape = builder.integers(0);
  if (std::any_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 0; })) {
    builder.fail(fmt::format("{} is no shape", to_text(shape)));
  }
  TensorData data = own({ElementType::f32, {}}, std::vector<float>{0});
  if (const OnnxAttribute* value = node.find("value")) {
    const auto* given = std::get_if<TensorData>(&value->value);
    if (given == nullptr || given->type.elements() != 1) builder.fail("value must be a tensor of one number");
    data = *given;
    data.type.extents.clear();
  }
  const TensorType type{data.type.element, shape};
  constexpr std::int64_t limit = std::int64_t{1} << 32U;
  if (type.bytes() > limit) builder.unsupported(fmt::format("{} is more than 4 GiB of one number", to_text(type)));
  broadcast_to(data, shape);
  // Where a model was stripped of its weights, this is how they are kept: name them after the value.
  builder.bind(0, builder.constant(std::move(data), node.outputs.front()));
}

/// start, start + delta, ... before limit.
template <typename T>
TensorData range(const OnnxBuilder& builder) {
  const T start = load<T>(builder.require_known(0), 0), limit = load<T>(builder.require_known(1), 0),
          delta = load<T>(builder.require_known(2), 0);
  if (delta == 0) builder.fail("delta must not be 0");
  const double count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
  if (!(count < 1e8)) builder.unsupported(fmt::format("a range of {} numbers", count));
  std::vector<T> numbers;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) numbers.push_back(static_cast<T>(start + static_cast<T>(i) * delta));
  const TensorType type{builder.type(builder.input(0)).element, {static_cast<std::int64_t>(numbers.size())}};
  return own(type, std::move(numbers));
}

/// A range of as many numbers as are declared, from bounds that arrive at run time.
bool adapt_late_range(OnnxBuilder& builder) {
  const std::vector<std::int64_t>* declared = builder.declared(0);
  const ValueId start = builder.input(0), limit = builder.input(1), delta = builder.input(2);
  const bool is_known = builder.is_known(start) && builder.is_known(limit) && builder.is_known(delta);
  if (is_known || declared == nullptr || declared->size() != 1 || declared->front() > (1 << 24)) return false;
  const std::vector<std::int64_t> shape = *declared;
  const ElementType element = builder.type(start).element;
  const auto scalar = [&](ValueId value, ElementType as) {
    if (builder.type(value).element != as) value = builder.emit("cast", {value}, {named_word("type", name_of(as))});
    return builder.extents(value).empty() ? value : builder.emit("reshape", {value}, {named("shape", std::vector<std::int64_t>{})});
  };
  const auto real = [&](ValueId value) { return scalar(value, ElementType::f64); };
  const ValueId count = builder.emit("ceil", {builder.emit("div", {builder.emit("sub", {real(limit), real(start)}), real(delta)})});
  const ValueId clipped = builder.emit("max", {count, builder.constant(ElementType::f64, 0)});
  require(builder, builder.emit("equal", {clipped, builder.constant(ElementType::f64, static_cast<double>(shape[0]))}),
          fmt::format("a range of {} numbers", shape[0]));
  std::vector<std::byte> bytes(static_cast<std::size_t>(TensorType{element, shape}.bytes()));
  for (std::int64_t i = 0; i < shape[0]; ++i) store_double(bytes, element, i, static_cast<double>(i));
  const ValueId steps = builder.emit("mul", {builder.constant(own({element, shape}, std::move(bytes))), scalar(delta, element)});
  builder.bind(0, builder.emit("add", {steps, scalar(start, element)}));
  return true;
}

void adapt_range(const OnnxNode&, OnnxBuilder& builder) {
  if (adapt_late_range(builder)) return;
  switch (builder.type(builder.input(0)).element) {
    case ElementType::i64: return builder.bind(0, builder.constant(range<std::int64_t>(builder)));
    case ElementType::i32: return builder.bind(0, builder.constant(range<std::int32_t>(builder)));
    case ElementType::i16: return builder.bind(0, builder.constant(range<std::int16_t>(builder)));
    case ElementType::f32: return builder.bind(0, builder.constant(range<float>(builder)));
    case ElementType::f64: return builder.bind(0, builder.constant(range<double>(builder)));
    default: builder.unsupported(fmt::format("a range of {}", name_of(builder.type(builder.input(0)).element)));
  }
}

/// To the element type of the second input.
void adapt_cast_like(const OnnxNode&, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const ElementType element = builder.type(builder.input(1)).element;
  builder.bind(0, builder.type(x).element == element ? x : builder.emit("cast", {x}, {named_word("type", name_of(element))}));
}

/// The sum of the inputs over their number.
void adapt_mean(const OnnxNode&, OnnxBuilder& builder) {
  std::vector<ValueId> inputs;
  for (std::size_t i = 0; i < builder.input_count(); ++i) inputs.push_back(builder.input(i));
  if (inputs.size() == 1) return builder.bind(0, inputs[0]);
  const ValueId sum = builder.emit("add", inputs);
  const ValueId count = builder.constant(builder.type(sum).element, static_cast<double>(inputs.size()));
  builder.bind(0, builder.emit("div", {sum, count}));
}

/// x by its norm along an axis; zeros by a norm of 0 are NaN, as division has it.
void adapt_lp_normalization(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::int64_t p = node.integer("p", 2);
  if (p != 1 && p != 2) builder.fail(fmt::format("p must be 1 or 2, not {}", p));
  const std::vector<std::int64_t> axes = {node.integer("axis", -1)};
  builder.bind(0, builder.emit("div", {x, builder.emit(p == 1 ? "reduce_l1" : "reduce_l2", {x}, {named("axes", axes)})}));
}

/// The p norm of each channel: its largest extent is a window.
void adapt_global_lp_pool(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t>& extents = builder.extents(x);
  if (extents.size() < 3) builder.fail(fmt::format("it wants batch, channels and spatial dimensions, not {}", to_text(extents)));
  const std::vector<std::int64_t> kernel(extents.begin() + 2, extents.end());
  builder.bind(0, builder.emit("lp_pool", {x}, {named("kernel", kernel), named("p", node.integer("p", 2))}));
}

/// (x - mean) / (sqrt(variance) + 1e-9)
void adapt_mean_variance_normalization(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> axes = node.find("axes") != nullptr ? node.integers("axes") : std::vector<std::int64_t>{0, 2, 3};
  const ValueId mean = builder.emit("reduce_mean", {x}, {named("axes", axes)});
  const ValueId deviation = builder.emit("sub", {x, mean});
  const ValueId variance = builder.emit("reduce_mean", {builder.emit("mul", {deviation, deviation})}, {named("axes", axes)});
  const ValueId epsilon = builder.constant(builder.type(x).element, 1e-9);
  builder.bind(0, builder.emit("div", {deviation, builder.emit("add", {builder.emit("sqrt", {variance}), epsilon})}));
}

constexpr OnnxForm recurrent_form(std::string_view op_type, void (*adapt)(const OnnxNode&, OnnxBuilder&)) {
  OnnxForm form = {
      .op_type = "RNN",
      .attributes = {onnx::adapted_attribute("activations"), onnx::adapted_attribute("activation_alpha"),
                     onnx::adapted_attribute("activation_beta"), onnx::adapted_attribute("clip"), onnx::adapted_attribute("direction"),
                     onnx::ignored("hidden_size"), onnx::adapted_attribute("layout"), onnx::adapted_attribute("linear_before_reset"),
                     onnx::adapted_attribute("input_forget"), onnx::ignored("output_sequence")}};
  form.op_type = op_type;
  form.adapt = adapt;
  return form;
}

constexpr OnnxForm forms[] = {
    recurrent_form("GRU", adapt_gru),
    recurrent_form("LSTM", adapt_lstm),
    recurrent_form("RNN", adapt_rnn),
    {.op_type = "CastLike", .attributes = {onnx::ignored("saturate"), onnx::ignored("round_mode")}, .adapt = adapt_cast_like},
    {.op_type = "If",
     .attributes = {onnx::adapted_attribute("then_branch"), onnx::adapted_attribute("else_branch")},
     .adapt = adapt_if,
     .note = "of a condition that is known at compile time"},
    {.op_type = "Loop",
     .attributes = {onnx::adapted_attribute("body")},
     .adapt = adapt_loop,
     .note = "of up to 1024 turns that are known at compile time"},
    {.op_type = "Scan",
     .since = 9,
     .attributes = {onnx::adapted_attribute("body"), onnx::adapted_attribute("num_scan_inputs"), onnx::adapted_attribute("scan_input_axes"),
                    onnx::adapted_attribute("scan_input_directions"), onnx::adapted_attribute("scan_output_axes"),
                    onnx::adapted_attribute("scan_output_directions")},
     .adapt = adapt_scan,
     .note = "of up to 1024 turns"},
    {.op_type = "LpNormalization",
     .attributes = {onnx::adapted_attribute("axis"), onnx::adapted_attribute("p")},
     .adapt = adapt_lp_normalization},
    {.op_type = "GlobalLpPool", .attributes = {onnx::adapted_attribute("p")}, .adapt = adapt_global_lp_pool},
    {.op_type = "Mean", .adapt = adapt_mean},
    {.op_type = "MeanVarianceNormalization", .attributes = {onnx::adapted_attribute("axes")}, .adapt = adapt_mean_variance_normalization},
    {.op_type = "Constant",
     .attributes = {onnx::adapted_attribute("value"), onnx::adapted_attribute("value_int"), onnx::adapted_attribute("value_ints"),
                    onnx::adapted_attribute("value_float"), onnx::adapted_attribute("value_floats")},
     .adapt = adapt_constant},
    {.op_type = "ConstantOfShape",
     .attributes = {onnx::adapted_attribute("value")},
     .adapt = adapt_constant_of_shape,
     .suppose = suppose_shape<0>},
    {.op_type = "Range", .adapt = adapt_range, .takes_late = true},
    {.op_type = "Shape", .attributes = {onnx::adapted_attribute("start"), onnx::adapted_attribute("end")}, .adapt = adapt_shape},
    {.op_type = "Size", .adapt = adapt_size},
};

}  // namespace

std::span<const OnnxForm> onnx_expansions() { return forms; }

}  // namespace calotype::layers
