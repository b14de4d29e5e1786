/// \file
/// Numbers as integers of few bits: a real number is (q - zero_point) * scale.
///
///   quantize_linear           q = saturate(round_half_to_even(x / y_scale) + y_zero_point)
///   dequantize_linear         y = (x - x_zero_point) * x_scale
///   dynamic_quantize_linear   the same with a scale and a zero point that cover the operand's own range and 0: results y (u8), scale, zero point
///
/// Scale and zero point are one number, one for each entry of `axis`, or with `block_size` one for each run of so many entries along `axis`.
#include <fmt/format.h>

#include <algorithm>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

bool is_quantized(ElementType element) {
  return element == ElementType::i8 || element == ElementType::u8 || element == ElementType::i16 || element == ElementType::u16;
}

/// Throws unless operand `position` has one number, one for each entry of the axis, or one for each block of it.
void require_parameter(const Call& call, int position) {
  const TensorType& x = call.type(0);
  const TensorType& parameter = call.type(position);
  if (parameter.elements() == 1) return;
  const auto axis = static_cast<std::size_t>(call.axis("axis", x.rank()));
  const std::int64_t block = call.integer("block_size");
  if (block < 0) call.fail("block_size", fmt::format("'block_size' must not be negative, not {}", block));
  std::vector<std::int64_t> wanted = {x.extents[axis]};
  if (block > 0) {
    wanted = x.extents;
    wanted[axis] = (x.extents[axis] + block - 1) / block;
  }
  if (parameter.extents != wanted) {
    call.fail(fmt::format("{} of {} wants one number or {}, not {}", call.operand(position).name, to_text(x.extents), to_text(wanted),
                          to_text(parameter.extents)));
  }
}

void require_parameters(const Call& call) {
  require_float(call, 1);
  require_parameter(call, 1);
  if (call.has(2)) require_parameter(call, 2);
}

/// The scale or zero point for the element at `index`.
Expr parameter_at(const Call& call, const Tensor& parameter, const Index& index) {
  if (parameter.type.elements() == 1) return parameter(Index(parameter.type.extents.size(), Expr(0)));
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank()));
  const std::int64_t block = call.integer("block_size");
  if (block == 0) return parameter({index[axis]});
  Index at = index;
  at[axis] = at[axis] / narrow(block);
  return parameter(at);
}

std::vector<TensorType> infer_quantize(const Call& call) {
  const TensorType& x = call.type(0);
  if (!is_float(x.element) && x.element != ElementType::i32) call.unsupported(fmt::format("quantize_linear of {}", to_text(x)));
  require_parameters(call);
  ElementType element = call.has(2) ? call.type(2).element : ElementType::u8;
  if (call.has_argument("output_dtype")) {
    element = call.element_type("output_dtype");
    if (call.has(2) && element != call.type(2).element) {
      call.fail("output_dtype",
                fmt::format("'output_dtype' is {}, but the zero point is {}", name_of(element), name_of(call.type(2).element)));
    }
  }
  if (!is_quantized(element)) call.unsupported(fmt::format("quantize_linear to {}: i8, u8, i16 and u16 are", name_of(element)));
  return {{element, x.extents}};
}

/// In the float type of `quotient`, in which every number of the integer types is exact.
Expr saturate(const Expr& quotient, const Expr& zero_point, const Halide::Type& to) {
  const auto bound = [&](const Expr& limit) { return Halide::cast(quotient.type(), limit); };
  const Expr placed = arithmetic::add(Halide::round(quotient), Halide::cast(quotient.type(), zero_point));
  return arithmetic::convert(to, arithmetic::clip(placed, bound(to.min()), bound(to.max())));
}

Expr define_quantize(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Expr stored = parameter_at(call, operands[1], index);
  const Expr scale = arithmetic::widen(stored);
  Expr quotient = arithmetic::divide(arithmetic::convert(scale.type(), operands[0](index)), scale);
  // ONNX divides in the precision of the scale.
  quotient = arithmetic::widen(arithmetic::narrow(stored.type(), quotient));
  const Halide::Type to = halide_type(call.result().element);
  const bool has_zero_point = operands.size() > 2 && operands[2];
  return saturate(quotient, has_zero_point ? parameter_at(call, operands[2], index) : Halide::Internal::make_zero(to), to);
}

std::vector<TensorType> infer_dequantize(const Call& call) {
  const TensorType& x = call.type(0);
  if (!is_quantized(x.element) && x.element != ElementType::i32) call.unsupported(fmt::format("dequantize_linear of {}", to_text(x)));
  require_parameters(call);
  if (call.has(2) && call.type(2).element != x.element) {
    call.fail(
        fmt::format("the zero point must be {} as {} is, not {}", name_of(x.element), call.operand(0).name, name_of(call.type(2).element)));
  }
  const ElementType element = call.has_argument("output_dtype") ? call.element_type("output_dtype") : call.type(1).element;
  if (!is_float(element)) call.fail("output_dtype", fmt::format("'output_dtype' must be a floating-point type, not {}", name_of(element)));
  return {{element, x.extents}};
}

Expr define_dequantize(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Halide::Type wide = Halide::Int(32);
  const Expr scale = arithmetic::widen(parameter_at(call, operands[1], index));
  Expr distance = Halide::cast(wide, operands[0](index));
  if (operands.size() > 2 && operands[2])
    distance = arithmetic::subtract(distance, Halide::cast(wide, parameter_at(call, operands[2], index)));
  return arithmetic::convert(halide_type(call.result().element), arithmetic::multiply(Halide::cast(scale.type(), distance), scale));
}

std::vector<TensorType> infer_dynamic(const Call& call) {
  const TensorType& x = call.type(0);
  if (x.element != ElementType::f32) call.unsupported(fmt::format("dynamic_quantize_linear of {}: f32 is", to_text(x)));
  if (x.elements() == 0) call.fail(fmt::format("dynamic_quantize_linear of no elements: {}", to_text(x)));
  return {{ElementType::u8, x.extents}, {ElementType::f32, {}}, {ElementType::u8, {}}};
}

Expr define_dynamic(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int result) {
  const Tensor& x = operands[0];
  const Domain r = domain_over(x.type.extents.empty() ? Extents{1} : x.type.extents, "r");
  const Expr element = x(x.type.extents.empty() ? Index() : Index(r.variables));
  Halide::Func least("least"), largest("largest"), scale("scale"), zero_point("zero_point");
  least() = 0.0F;
  least() = arithmetic::minimum(least(), element);
  largest() = 0.0F;
  largest() = arithmetic::maximum(largest(), element);
  const Expr range = arithmetic::subtract(largest(), least());
  scale() = Halide::select(arithmetic::equal(range, 0.0F), 1.0F, arithmetic::divide(range, 255.0F));
  zero_point() = saturate(arithmetic::divide(arithmetic::negate(least()), scale()), Halide::cast<std::uint8_t>(0), Halide::UInt(8));
  stages.shared.insert(stages.shared.end(), {least, largest, scale});
  if (result == 1) return scale();
  stages.shared.push_back(zero_point);
  return result == 2 ? zero_point() : saturate(arithmetic::divide(x(index), scale()), zero_point(), Halide::UInt(8));
}

/// The precision of the division is that of the scale; no other is done.
void adapt_quantize(const OnnxNode& node, OnnxBuilder& builder) {
  const std::int64_t precision = node.integer("precision", 0);
  if (precision != 0 && element_type_of_onnx(precision) != builder.type(builder.input(1)).element) {
    builder.unsupported("precision is supported as the type of y_scale only");
  }
  Op op = builder.statement();
  // 0 is no type: as if the node left it out.
  if (node.integer("output_dtype", 0) != 0) {
    const std::optional<ElementType> element = element_type_of_onnx(node.integer("output_dtype", 0));
    if (!element) builder.unsupported(fmt::format("output_dtype is data type {}, which Calotype has not", node.integer("output_dtype", 0)));
    op.attributes.push_back(named_word("output_dtype", name_of(*element)));
  }
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm quantize_onnx[] = {{
    .op_type = "QuantizeLinear",
    .attributes = {onnx::attribute("axis", "axis"), onnx::attribute("block_size", "block_size"), onnx::adapted_attribute("output_dtype"),
                   onnx::adapted_attribute("precision"), onnx::ignored("saturate")},
    .adapt = adapt_quantize,
    .note = "to int8, uint8, int16 and uint16",
}};
constexpr OnnxForm dequantize_onnx[] = {{
    .op_type = "DequantizeLinear",
    .attributes = {onnx::attribute("axis", "axis"), onnx::attribute("block_size", "block_size"), onnx::adapted_attribute("output_dtype")},
    .adapt = adapt_quantize,
    .note = "of int8, uint8, int16, uint16 and int32",
}};
constexpr OnnxForm dynamic_quantize_onnx[] = {{.op_type = "DynamicQuantizeLinear"}};

constexpr Traits traits = {.is_elementwise = true, .takes_epilogue = true, .keeps_channels = true};

}  // namespace

extern constinit const Layer dequantize_linear = {
    .name = "dequantize_linear",
    .operands = {{"x"}, {"x_scale"}, {"x_zero_point", Operand::Kind::optional}},
    .arguments = {optional("axis", ArgumentKind::integer, "1"), optional("block_size", ArgumentKind::integer, "0"),
                  optional("output_dtype", ArgumentKind::type)},
    .traits = traits,
    .infer = infer_dequantize,
    .onnx = dequantize_onnx,
};
extern constinit const Definition dequantize_linear_definition = {"dequantize_linear", define_dequantize};

extern constinit const Layer dynamic_quantize_linear = {
    .name = "dynamic_quantize_linear",
    .operands = {{"x"}},
    .results = 3,
    .infer = infer_dynamic,
    .onnx = dynamic_quantize_onnx,
};
extern constinit const Definition dynamic_quantize_linear_definition = {"dynamic_quantize_linear", define_dynamic};

extern constinit const Layer quantize_linear = {
    .name = "quantize_linear",
    .operands = {{"x"}, {"y_scale"}, {"y_zero_point", Operand::Kind::optional}},
    .arguments = {optional("axis", ArgumentKind::integer, "1"), optional("block_size", ArgumentKind::integer, "0"),
                  optional("output_dtype", ArgumentKind::type)},
    .traits = traits,
    .infer = infer_quantize,
    .onnx = quantize_onnx,
};
extern constinit const Definition quantize_linear_definition = {"quantize_linear", define_quantize};

}  // namespace calotype::layers
