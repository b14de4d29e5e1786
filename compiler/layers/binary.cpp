/// \file
/// add, sub, mul, div, min, max, pow: of two or more operands from left to right, each broadcast as NumPy does.
///
/// Floats follow IEEE, integers wrap, integer division truncates (by zero: 0), and a NaN in any operand of min and max stays. f16 and bf16 are
/// computed in f32 and rounded once.
#include <fmt/format.h>

#include "layers/argument.h"
#include "layers/elementwise.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::vector<TensorType> infer_number(const Call& call) {
  const ElementType element = common_element(call);
  if (element == ElementType::boolean) call.unsupported(fmt::format("{} is not defined for bool", call.layer().name));
  return {{element, broadcast_extents(call)}};
}

/// False is less than true.
std::vector<TensorType> infer_ordered(const Call& call) { return {{common_element(call), broadcast_extents(call)}}; }

std::vector<TensorType> infer_float(const Call& call) {
  require_float(call);
  return {{common_element(call), broadcast_extents(call)}};
}

using BinaryFunction = Halide::Expr (*)(const Halide::Expr& a, const Halide::Expr& b);

template <BinaryFunction function>
Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  Halide::Expr total;
  for (const Tensor& operand : operands) {
    const Halide::Expr x = arithmetic::widen(operand(broadcast_index(operand.type, call.result(), index)));
    total = total.defined() ? function(total, x) : x;
  }
  return arithmetic::narrow(halide_type(call.result().element), total);
}

constexpr Layer binary(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"a"}, {"b", Operand::Kind::variadic}},
          .arguments = {activation_argument},
          .traits = {.is_elementwise = true, .takes_epilogue = true, .keeps_channels = true},
          .infer = infer,
          .onnx = onnx};
}

/// One operand alone is the result.
void adapt_variadic(const OnnxNode&, OnnxBuilder& builder) {
  builder.bind(0, builder.input_count() == 1 ? builder.input(0) : builder.emit(builder.statement()));
}

/// x to the power of one known number, where that is no more than a product or a root of x; else nothing is emitted.
ValueId emit_simple_power(OnnxBuilder& builder, ValueId base, double exponent) {
  if (exponent == 1) return base;
  if (exponent == 2) return builder.emit("mul", {base, base});
  if (exponent == 3 && bytes_of(builder.type(base).element) >= 4) return builder.emit("mul", {builder.emit("mul", {base, base}), base});
  if (exponent == -1) return builder.emit("reciprocal", {base});
  return no_value;
}

/// The exponent may be of another type.
void adapt_pow(const OnnxNode&, OnnxBuilder& builder) {
  const ValueId base = builder.input(0);
  ValueId exponent = builder.input(1);
  const ElementType element = builder.type(base).element;
  if (!is_float(element)) {
    // Through f64, which holds what integers below 2^53 give.
    const auto as_double = [&](ValueId value) {
      return builder.type(value).element == ElementType::f64 ? value : builder.emit("cast", {value}, {named_word("type", "f64")});
    };
    const ValueId power = builder.emit("pow", {as_double(base), as_double(exponent)});
    return builder.bind(0, builder.emit("cast", {power}, {named_word("type", name_of(element))}));
  }
  if (builder.is_known(exponent) && builder.type(exponent).elements() == 1 && builder.type(exponent).rank() <= builder.type(base).rank()) {
    const ValueId simple = emit_simple_power(builder, base, builder.reals(1).front());
    if (simple != no_value) return builder.bind(0, simple);
  }
  if (builder.type(exponent).element != element) exponent = builder.emit("cast", {exponent}, {named_word("type", name_of(element))});
  builder.bind(0, builder.emit("pow", {base, exponent}));
}

/// Up to opset 6 the second operand broadcasts only where `broadcast` says so, its dimensions beginning at `axis` of the first.
void adapt_old(const OnnxNode& node, OnnxBuilder& builder) {
  Op op = builder.statement();
  const std::size_t rank = builder.extents(builder.input(0)).size();
  std::vector<std::int64_t> extents = builder.extents(builder.input(1));
  if (node.find("axis") != nullptr) {
    const std::int64_t axis = node.integer("axis", 0);
    const std::int64_t after =
        static_cast<std::int64_t>(rank) - (axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis) - std::ssize(extents);
    if (after < 0 || after > static_cast<std::int64_t>(rank))
      builder.fail(fmt::format("axis {} does not align {}", axis, to_text(extents)));
    extents.resize(extents.size() + static_cast<std::size_t>(after), 1);
    if (after > 0) op.operands[1] = builder.emit("reshape", {op.operands[1]}, {named("shape", extents), named("allow_zero", true)});
  }
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm old_form(std::string_view op_type) {
  return {.op_type = op_type,
          .until = 6,
          .inputs = {},  // g++ 12 takes the initializer for none without it
          .attributes = {onnx::adapted_attribute("axis"), onnx::ignored("broadcast")},
          .adapt = adapt_old};
}
constexpr OnnxForm variadic_form(std::string_view op_type) {
  return {.op_type = op_type, .inputs = {}, .attributes = {}, .adapt = adapt_variadic};
}

constexpr OnnxForm add_onnx[] = {old_form("Add"), {.op_type = "Add", .since = 7}, variadic_form("Sum")};
constexpr OnnxForm sub_onnx[] = {old_form("Sub"), {.op_type = "Sub", .since = 7}};
constexpr OnnxForm mul_onnx[] = {old_form("Mul"), {.op_type = "Mul", .since = 7}};
constexpr OnnxForm div_onnx[] = {old_form("Div"), {.op_type = "Div", .since = 7}};
constexpr OnnxForm min_onnx[] = {variadic_form("Min")};
constexpr OnnxForm max_onnx[] = {variadic_form("Max")};
constexpr OnnxForm pow_onnx[] = {old_form("Pow"), {.op_type = "Pow", .since = 7, .adapt = adapt_pow}};

}  // namespace

extern constinit const Layer add = binary("add", infer_number, add_onnx);
extern constinit const Layer sub = binary("sub", infer_number, sub_onnx);
extern constinit const Layer mul = binary("mul", infer_number, mul_onnx);
extern constinit const Layer div = binary("div", infer_number, div_onnx);
extern constinit const Layer min = binary("min", infer_ordered, min_onnx);
extern constinit const Layer max = binary("max", infer_ordered, max_onnx);
extern constinit const Layer pow = binary("pow", infer_float, pow_onnx);

extern constinit const Definition add_definition = {"add", define<arithmetic::add>};
extern constinit const Definition sub_definition = {"sub", define<arithmetic::subtract>};
extern constinit const Definition mul_definition = {"mul", define<arithmetic::multiply>};
extern constinit const Definition div_definition = {"div", define<arithmetic::divide>};
extern constinit const Definition min_definition = {"min", define<arithmetic::minimum>};
extern constinit const Definition max_definition = {"max", define<arithmetic::maximum>};
extern constinit const Definition pow_definition = {"pow", define<arithmetic::power>};

}  // namespace calotype::layers
