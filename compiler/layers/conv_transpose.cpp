/// \file
/// conv_transpose: the gradient of conv as a layer, which spreads each cell of the operand over a kernel's cells of the result.
///
///   y[n,o,p] = bias[o] + sum over i, k, q with q*stride + k*dilation - begin = p of weight[i,o,k] * x[n,i,q]
///
/// `output_padding` adds cells at the end of the result, so that the layer can undo any conv of the same stride. Padding takes cells away;
/// `same` gives results of exactly the operand's extents times the stride. With groups, weight is [channels, filters / groups, kernel...].
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/conv_transpose.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

using Shape = TransposedConvolution;

/// Takes the padding away from what the kernels cover.
void shape_output(const Call& call, Shape& shape) {
  const Extents input = spatial_extents(call.type(0));
  const int rank = static_cast<int>(input.size());
  const Extents extra = call.extents("output_padding", rank, 0);
  const Padding padding = call.padding("padding", rank);
  for (std::size_t d = 0; d < input.size(); ++d) {
    if (extra[d] >= std::max(shape.stride[d], shape.dilation[d])) {
      call.fail("output_padding", fmt::format("'output_padding' must be less than the stride ({}) or the dilation ({}), not {}",
                                              shape.stride[d], shape.dilation[d], extra[d]));
    }
    const std::int64_t span = checked_add(checked_multiply(shape.kernel[d] - 1, shape.dilation[d]), 1);
    const std::int64_t covered =
        input[d] == 0 ? 0 : checked_add(checked_multiply(input[d] - 1, shape.stride[d]), checked_add(span, extra[d]));
    std::int64_t begin = 0, end = 0;
    if (padding.mode == Padding::Mode::explicit_cells) {
      begin = padding.begin[d];
      end = padding.end[d];
    } else if (padding.mode != Padding::Mode::valid) {
      // Less than nothing where the stride exceeds the kernel: cells at the end that no kernel reaches.
      const std::int64_t total = covered - checked_multiply(input[d], shape.stride[d]);
      const std::int64_t half = std::max<std::int64_t>(total, 0) / 2;
      begin = padding.mode == Padding::Mode::same ? half : std::max<std::int64_t>(total, 0) - half;
      end = total - begin;
    }
    const std::int64_t output = checked_subtract(covered, checked_add(begin, end));
    if (output < 0) {
      call.fail("padding", fmt::format("padding {} + {} takes away more than the {} cells that the kernels cover", begin, end, covered),
                shape_notes(call));
    }
    shape.begin.push_back(begin);
    shape.output.push_back(output);
  }
}

Shape shape_of(const Call& call) {
  const TensorType& x = call.type(0);
  const int rank = spatial_rank(call, x);
  const TensorType* weight = written_weight(call, "weight");
  if (weight != nullptr && weight->rank() != x.rank()) {
    call.fail(
        fmt::format("conv_transpose wants a weight of rank {} for {}, not {}", x.rank(), to_text(x.extents), to_text(weight->extents)));
  }
  Shape shape;
  shape.channels = x.extents[1];
  shape.groups = call.integer("groups");
  if (shape.groups < 1) call.fail("groups", fmt::format("'groups' must be at least 1, not {}", shape.groups));
  shape.filters =
      weight != nullptr && !call.is_written("filters") ? checked_multiply(weight->extents[1], shape.groups) : call.integer("filters");
  if (shape.filters < 1) call.fail("filters", fmt::format("'filters' must be at least 1, not {}", shape.filters));
  if (shape.channels % shape.groups != 0) {
    call.fail("groups",
              fmt::format("{} groups do not divide the {} of {}", shape.groups, counted(shape.channels, "channel"), call.operand(0).name),
              shape_notes(call));
  }
  if (shape.filters % shape.groups != 0) {
    call.fail("groups", fmt::format("{} groups do not divide the {}", shape.groups, counted(shape.filters, "filter")));
  }
  shape.kernel = weight != nullptr && !call.is_written("kernel") ? spatial_extents(*weight) : call.extents("kernel", rank);
  shape.stride = call.extents("stride", rank);
  shape.dilation = call.extents("dilation", rank);
  shape_output(call, shape);
  return shape;
}

}  // namespace

TransposedConvolution transposed_convolution_of(const Call& call) { return shape_of(call); }

namespace {

std::vector<WeightSpecification> weights(const Call& call) {
  const Shape shape = shape_of(call);
  const ElementType element = call.type(0).element;
  Extents extents = {shape.channels, shape.filters / shape.groups};
  extents.insert(extents.end(), shape.kernel.begin(), shape.kernel.end());
  std::vector<WeightSpecification> list = {{"weight", {element, extents}}};
  if (has_weight(call, "bias")) list.push_back({"bias", {element, {shape.filters}}});
  return list;
}

/// [batch, filters, spatial...]
std::vector<TensorType> infer(const Call& call) {
  const ElementType element = require_float(call);
  const Shape shape = shape_of(call);
  Extents extents = {call.type(0).extents[0], shape.filters};
  extents.insert(extents.end(), shape.output.begin(), shape.output.end());
  return {{element, extents}};
}

/// Every element of the operand meets the kernels of its group's filters.
std::int64_t multiply_adds(const Call& call) {
  const Shape shape = shape_of(call);
  return checked_multiply(call.type(0).elements(), checked_multiply(shape.filters / shape.groups, checked_product(shape.kernel)));
}

std::string explain(const Call& call) {
  const Shape shape = shape_of(call);
  const std::int64_t number =
      checked_multiply(shape.channels, checked_multiply(shape.filters / shape.groups, checked_product(shape.kernel)));
  std::string text = fmt::format("{} x {}{} x {} = {}", counted(shape.channels, "channel"), counted(shape.filters / shape.groups, "filter"),
                                 shape.groups > 1 ? " of each group" : "", times(shape.kernel), counted(number, "weight"));
  if (has_weight(call, "bias")) text += fmt::format(" + {}", counted(shape.filters, "bias"));
  return text;
}

/// How the cells of one spatial dimension meet, seen from the result's cell p: for each step of the reduction a cell of the kernel and one of
/// the operand, which count where `holds`.
struct Meeting {
  Halide::Expr kernel_cell, operand_cell, holds;
};

Meeting meet(const Shape& shape, std::size_t d, const Halide::Expr& p, const Halide::Expr& step) {
  const int kernel = narrow(shape.kernel[d]), stride = narrow(shape.stride[d]), dilation = narrow(shape.dilation[d]);
  const Halide::Expr cell = p + narrow(shape.begin[d]);
  if (dilation == 1) {
    // Only every stride-th cell of the kernel meets p: k = cell % stride + step * stride.
    const Halide::Expr k = cell % stride + step * stride;
    return {Halide::clamp(k, 0, kernel - 1), cell / stride - step, kernel % stride == 0 ? Halide::Internal::const_true() : k < kernel};
  }
  const Halide::Expr distance = cell - step * dilation;
  return {step, Halide::select(distance < 0, -1, distance / stride), stride == 1 ? Halide::Internal::const_true() : distance % stride == 0};
}

std::int64_t steps(const Shape& shape, std::size_t d) {
  return shape.dilation[d] == 1 ? (shape.kernel[d] + shape.stride[d] - 1) / shape.stride[d] : shape.kernel[d];
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Shape shape = shape_of(call);
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const int filters_of_group = narrow(shape.filters / shape.groups), channels_of_group = narrow(shape.channels / shape.groups);

  Extents reduced = {channels_of_group};
  for (std::size_t d = 0; d < shape.kernel.size(); ++d) reduced.push_back(steps(shape, d));
  const Domain r = domain_over(reduced, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());

  Halide::Expr channel = r.variables[0], filter = at[1];
  if (shape.groups > 1) {
    channel += at[1] / filters_of_group * channels_of_group;
    filter = at[1] % filters_of_group;
  }
  Index operand_index = {at[0], channel}, weight_index = {channel, filter};
  std::vector<bool> leaves = {false, false};
  Halide::Expr holds = Halide::Internal::const_true();
  for (std::size_t d = 0; d < shape.kernel.size(); ++d) {
    const Meeting meeting = meet(shape, d, at[d + 2], r.variables[d + 1]);
    operand_index.push_back(meeting.operand_cell);
    weight_index.push_back(meeting.kernel_cell);
    leaves.push_back(true);
    holds = holds && meeting.holds;
  }

  Halide::Func sum("conv_transpose_sum");
  const bool has_bias = operands.size() > 2 && operands[2];
  sum(storage_order(at)) = has_bias ? Halide::cast(type, operands[2]({at[1]})) : Halide::Internal::make_zero(type);
  const Halide::Expr element = read_padded(x, operand_index, leaves, 0);
  const Halide::Expr met = Halide::select(holds, element, Halide::Internal::make_zero(element.type()));
  sum(storage_order(at)) += Halide::cast(type, operands[1](weight_index)) * Halide::cast(type, met);
  stages.accumulators.push_back(sum);
  return Halide::cast(halide_type(x.type.element), sum(storage_order(index)));
}

/// With output_shape the padding follows from it; the odd cell of it lies at the beginning unless auto_pad says SAME_UPPER.
void pad_to_shape(const OnnxNode& node, const OnnxBuilder& builder, const Extents& kernel, Attributes& attributes) {
  const Extents output = node.integers("output_shape"), input = spatial_extents(builder.type(builder.input(0)));
  const auto numbers = [&](std::string_view name, std::int64_t fallback) {
    const Extents written = node.integers(name);
    return written.size() == kernel.size() ? written : Extents(kernel.size(), fallback);
  };
  const Extents stride = numbers("strides", 1), dilation = numbers("dilations", 1), added = numbers("output_padding", 0);
  if (output.size() != kernel.size()) builder.fail(fmt::format("output_shape must hold {} numbers, not {}", kernel.size(), output.size()));
  Extents begin, end, more = added;
  for (std::size_t d = 0; d < kernel.size(); ++d) {
    std::int64_t total = stride[d] * (input[d] - 1) + added[d] + (kernel[d] - 1) * dilation[d] + 1 - output[d];
    if (total < 0) more[d] = checked_subtract(more[d], total);  // cells that the kernel does not reach
    total = std::max<std::int64_t>(total, 0);
    const std::int64_t less = total / 2;
    begin.push_back(node.text("auto_pad", "NOTSET") == "SAME_UPPER" ? less : total - less);
    end.push_back(total - begin.back());
  }
  begin.insert(begin.end(), end.begin(), end.end());
  attributes.push_back(named("padding", begin));
  attributes.push_back(named("output_padding", more));
}

void adapt_conv_transpose(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t>& x = builder.extents(builder.input(0));
  const std::vector<std::int64_t>& weight = builder.extents(builder.input(1));
  if (x.size() < 3 || weight.size() != x.size()) builder.fail(fmt::format("a weight of {} does not fit {}", to_text(weight), to_text(x)));
  const Extents kernel(weight.begin() + 2, weight.end());
  Attributes attributes = {named("filters", checked_multiply(weight[1], node.integer("group", 1))), named("kernel", kernel)};
  Op op = builder.statement();
  if (node.find("output_shape") != nullptr) {
    std::erase_if(op.attributes, [](const NamedAttribute& attribute) { return attribute.name == "output_padding"; });
    pad_to_shape(node, builder, kernel, attributes);
  } else {
    adapt_padding(node, builder, kernel.size(), attributes);
  }
  op.attributes.insert(op.attributes.begin(), attributes.begin(), attributes.end());
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm conv_transpose_onnx[] = {{
    .op_type = "ConvTranspose",
    .attributes = {onnx::attribute("strides", "stride"), onnx::attribute("dilations", "dilation"), onnx::attribute("group", "groups"),
                   onnx::attribute("output_padding", "output_padding"), onnx::adapted_attribute("output_shape"),
                   onnx::adapted_attribute("auto_pad"), onnx::adapted_attribute("pads"), onnx::adapted_attribute("kernel_shape")},
    .adapt = adapt_conv_transpose,
}};

}  // namespace

extern constinit const Layer conv_transpose = {
    .name = "conv_transpose",
    .operands = {{"x"}, {"weight", Operand::Kind::weight}, {"bias", Operand::Kind::weight}},
    .arguments = {optional("filters", ArgumentKind::integer), optional("kernel", ArgumentKind::extents),
                  optional("stride", ArgumentKind::extents, "1"), optional("dilation", ArgumentKind::extents, "1"),
                  optional("padding", ArgumentKind::padding, "valid"), optional("output_padding", ArgumentKind::extents, "0"),
                  optional("groups", ArgumentKind::integer, "1"), optional("bias", ArgumentKind::boolean_or_tensor, "true"),
                  activation_argument},
    .traits = {.reduces_channels = true, .takes_epilogue = true},
    .infer = infer,
    .weights = weights,
    .multiply_adds = multiply_adds,
    .explain = explain,
    .onnx = conv_transpose_onnx,
};
extern constinit const Definition conv_transpose_definition = {"conv_transpose", define};

}  // namespace calotype::layers
