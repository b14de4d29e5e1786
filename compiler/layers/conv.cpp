/// \file
/// conv: one kernel for each pair of output and input channel, summed over the input channels, plus a bias.
///
///   y[n,o,p] = bias[o] + sum over i, k of weight[o,i,k] * x[n, i, p*stride + k*dilation - begin]
///
/// p and k run over any number of spatial dimensions. With groups = g, output channel o sees only the input channels of its own group.
/// depthwise: as many groups as channels, `multiplier` filters for each.
#include <fmt/format.h>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/quantized_contractions.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

struct Shape {
  std::int64_t channels = 0, filters = 0, groups = 0;
  Extents kernel;
  std::int64_t channels_per_group() const { return channels / groups; }
};

/// The kernel as written, else as the weight operand has it.
Extents kernel_of(const Call& call, const TensorType* weight) {
  if (weight == nullptr || call.is_written("kernel")) return call.extents("kernel", spatial_rank(call, call.type(0)));
  return spatial_extents(*weight);
}

/// A weight that the statement writes must have the operand's rank before anything is read from it.
const TensorType* weight_of(const Call& call) {
  const TensorType* weight = written_weight(call, "weight");
  if (weight != nullptr && weight->rank() != call.type(0).rank()) {
    call.fail(fmt::format("{} wants a weight of rank {} for {}, not {}", call.layer().name, call.type(0).rank(),
                          to_text(call.type(0).extents), to_text(weight->extents)));
  }
  return weight;
}

Shape conv_shape(const Call& call) {
  spatial_rank(call, call.type(0));
  const TensorType* weight = weight_of(call);
  Shape shape;
  shape.kernel = kernel_of(call, weight);
  shape.channels = call.type(0).extents[1];
  shape.filters = weight != nullptr && !call.is_written("filters") ? weight->extents[0] : call.integer("filters");
  shape.groups = call.integer("groups");
  if (shape.filters < 1) call.fail("filters", fmt::format("'filters' must be at least 1, not {}", shape.filters));
  if (shape.groups < 1) call.fail("groups", fmt::format("'groups' must be at least 1, not {}", shape.groups));
  if (shape.channels % shape.groups != 0) {
    call.fail("groups",
              fmt::format("{} groups do not divide the {} of {}", shape.groups, counted(shape.channels, "channel"), call.operand(0).name),
              shape_notes(call));
  }
  if (shape.filters % shape.groups != 0) {
    call.fail("groups", fmt::format("{} groups do not divide the {}", shape.groups, counted(shape.filters, "filter")));
  }
  return shape;
}

Shape depthwise_shape(const Call& call) {
  spatial_rank(call, call.type(0));
  const TensorType* weight = weight_of(call);
  Shape shape;
  shape.kernel = kernel_of(call, weight);
  shape.channels = call.type(0).extents[1];
  shape.groups = shape.channels;
  std::int64_t multiplier = call.integer("multiplier");
  if (weight != nullptr && !call.is_written("multiplier") && shape.channels > 0) multiplier = weight->extents[0] / shape.channels;
  if (multiplier < 1) call.fail("multiplier", fmt::format("'multiplier' must be at least 1, not {}", multiplier));
  if (shape.channels < 1)
    call.fail(fmt::format("depthwise wants at least one channel, and {} has none", call.operand(0).name), shape_notes(call));
  shape.filters = checked_multiply(shape.channels, multiplier);
  return shape;
}

using ShapeOf = Shape (*)(const Call&);

template <ShapeOf shape_of>
std::vector<WeightSpecification> weights(const Call& call) {
  const Shape shape = shape_of(call);
  const ElementType element = call.type(0).element;
  Extents extents = {shape.filters, shape.channels_per_group()};
  extents.insert(extents.end(), shape.kernel.begin(), shape.kernel.end());
  std::vector<WeightSpecification> list = {{"weight", {element, extents}}};
  if (has_weight(call, "bias")) list.push_back({"bias", {element, {shape.filters}}});
  return list;
}

/// [batch, filters, spatial...]
template <ShapeOf shape_of>
std::vector<TensorType> infer(const Call& call) {
  const ElementType element = require_accumulable(call);
  const Shape shape = shape_of(call);
  Extents extents = {call.type(0).extents[0], shape.filters};
  const Extents output = window_of(call, shape.kernel).output;
  extents.insert(extents.end(), output.begin(), output.end());
  return {{element, extents}};
}

/// Every result element sums over the channels of its group and the kernel's cells.
template <ShapeOf shape_of>
std::int64_t multiply_adds(const Call& call) {
  const Shape shape = shape_of(call);
  return checked_multiply(call.result().elements(), checked_multiply(shape.channels_per_group(), checked_product(shape.kernel)));
}

/// "56 filters x 5 channels x 4x4 = 4,480 weights + 56 biases"
std::string in_words(const Call& call, const Shape& shape, const std::string& kernels) {
  const std::int64_t weights = checked_multiply(shape.filters, checked_multiply(shape.channels_per_group(), checked_product(shape.kernel)));
  std::string text = fmt::format("{} x {} = {}", kernels, times(shape.kernel), counted(weights, "weight"));
  if (has_weight(call, "bias")) text += fmt::format(" + {}", counted(shape.filters, "bias"));
  return text;
}

std::string explain_conv(const Call& call) {
  const Shape shape = conv_shape(call);
  return in_words(call, shape,
                  fmt::format("{} x {}{}", counted(shape.filters, "filter"), counted(shape.channels_per_group(), "channel"),
                              shape.groups > 1 ? " of each group" : ""));
}

std::string explain_depthwise(const Call& call) {
  const Shape shape = depthwise_shape(call);
  return in_words(call, shape,
                  fmt::format("{} x {} each", counted(shape.channels, "channel"), counted(shape.filters / shape.channels, "filter")));
}

template <ShapeOf shape_of>
Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Shape shape = shape_of(call);
  const Window window = window_of(call, shape.kernel);
  const Tensor& x = operands[0];
  const Tensor& weight = operands[1];
  const Halide::Type type = accumulator_type(x.type.element);

  Extents reduced = {shape.channels_per_group()};
  reduced.insert(reduced.end(), shape.kernel.begin(), shape.kernel.end());
  const Domain r = domain_over(reduced, "r");
  const std::vector<Halide::Expr> cell(r.variables.begin() + 1, r.variables.end());

  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  const Index result(at.begin(), at.end());
  Halide::Expr channel = r.variables[0];
  if (shape.groups > 1) channel += result[1] / narrow(shape.filters / shape.groups) * narrow(shape.channels_per_group());
  Index weight_index = {result[1], r.variables[0]};
  weight_index.insert(weight_index.end(), cell.begin(), cell.end());

  Halide::Func sum(call.op().kind + "_sum");
  const bool has_bias = operands.size() > 2 && operands[2];
  sum(storage_order(at)) = has_bias ? Halide::cast(type, operands[2]({result[1]})) : Halide::Internal::make_zero(type);
  const Halide::Expr element = read_padded(x, window_index(window, result, channel, cell), leaves_operand(window), 0);
  sum(storage_order(at)) = multiply_add(sum(storage_order(at)), weight(weight_index), element);
  stages.accumulators.push_back(sum);
  return Halide::cast(halide_type(x.type.element), sum(storage_order(index)));
}

void adapt_conv(const OnnxNode& node, OnnxBuilder& builder) {
  builder.bind(0, emit_conv(node, builder, builder.input(0), builder.input(1), builder.input_or_none(2)));
}

constexpr OnnxForm conv_form = {
    .op_type = "Conv",
    .attributes = {onnx::attribute("strides", "stride"), onnx::attribute("dilations", "dilation"), onnx::attribute("group", "groups"),
                   onnx::adapted_attribute("auto_pad"), onnx::adapted_attribute("pads"), onnx::adapted_attribute("kernel_shape")},
    .adapt = adapt_conv,
};

/// Integers have the attributes of Conv.
constexpr OnnxForm integer_form(std::string_view op_type, void (*adapt)(const OnnxNode&, OnnxBuilder&)) {
  OnnxForm form = conv_form;
  form.op_type = op_type;
  form.adapt = adapt;
  return form;
}

constexpr OnnxForm conv_onnx[] = {conv_form, integer_form("ConvInteger", adapt_conv_integer),
                                  integer_form("QLinearConv", adapt_qlinear_conv)};

}  // namespace

/// Conv with one group for each channel is our depthwise; a weight that is known says filters and kernel, so that it need not be an operand.
ValueId emit_conv(const OnnxNode& node, OnnxBuilder& builder, ValueId x, ValueId weight, ValueId bias) {
  const std::vector<std::int64_t> input = builder.extents(x), kernels = builder.extents(weight);
  if (input.size() < 3 || kernels.size() != input.size()) {
    builder.fail(fmt::format("a weight of {} does not fit {}", to_text(kernels), to_text(input)));
  }
  Op op = builder.statement();
  op.operands = {x, weight};
  std::erase_if(op.attributes, [](const NamedAttribute& attribute) { return attribute.name == "bias"; });
  if (bias != no_value) {
    op.operands.push_back(bias);
  } else {
    op.attributes.push_back(named("bias", false));
  }
  const std::int64_t groups = node.integer("group", 1);
  const bool is_depthwise = groups > 1 && groups == input[1] && kernels[0] % groups == 0;
  Attributes attributes;
  if (is_depthwise) {
    op.kind = "depthwise";
    attributes.push_back(named("multiplier", kernels[0] / groups));
    std::erase_if(op.attributes, [](const NamedAttribute& attribute) { return attribute.name == "groups"; });
  } else {
    attributes.push_back(named("filters", kernels[0]));
  }
  attributes.push_back(named("kernel", Extents(kernels.begin() + 2, kernels.end())));
  adapt_padding(node, builder, input.size() - 2, attributes);
  op.attributes.insert(op.attributes.begin(), attributes.begin(), attributes.end());
  return builder.emit(std::move(op));
}

extern constinit const Layer conv = {
    .name = "conv",
    .operands = {{"x"}, {"weight", Operand::Kind::weight}, {"bias", Operand::Kind::weight}},
    .arguments = {optional("filters", ArgumentKind::integer), optional("kernel", ArgumentKind::extents),
                  optional("stride", ArgumentKind::extents, "1"), optional("dilation", ArgumentKind::extents, "1"),
                  optional("padding", ArgumentKind::padding, "valid"), optional("groups", ArgumentKind::integer, "1"),
                  optional("bias", ArgumentKind::boolean_or_tensor, "true"), activation_argument},
    .traits = {.reduces_channels = true, .takes_epilogue = true, .weight_rows_are_channels = true},
    .infer = infer<conv_shape>,
    .weights = weights<conv_shape>,
    .multiply_adds = multiply_adds<conv_shape>,
    .explain = explain_conv,
    .onnx = conv_onnx,
};
extern constinit const Definition conv_definition = {"conv", define<conv_shape>};

extern constinit const Layer depthwise = {
    .name = "depthwise",
    .operands = {{"x"}, {"weight", Operand::Kind::weight}, {"bias", Operand::Kind::weight}},
    .arguments = {optional("kernel", ArgumentKind::extents), optional("multiplier", ArgumentKind::integer, "1"),
                  optional("stride", ArgumentKind::extents, "1"), optional("dilation", ArgumentKind::extents, "1"),
                  optional("padding", ArgumentKind::padding, "valid"), optional("bias", ArgumentKind::boolean_or_tensor, "true"),
                  activation_argument},
    // Not keeps_channels: with a multiplier, result channel c reads channel c / multiplier.
    .traits = {.reduces_channels = true, .takes_epilogue = true, .weight_rows_are_channels = true},
    .infer = infer<depthwise_shape>,
    .weights = weights<depthwise_shape>,
    .multiply_adds = multiply_adds<depthwise_shape>,
    .explain = explain_depthwise,
};
extern constinit const Definition depthwise_definition = {"depthwise", define<depthwise_shape>};

}  // namespace calotype::layers
