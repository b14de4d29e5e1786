/// \file
/// Operations on the bits of integers: bitwise_and, bitwise_or, bitwise_xor, bitwise_not, and bit_shift by as many places as the second operand
/// says, of unsigned integers; by the type's bits or more it gives 0.
#include <fmt/format.h>

#include "layers/elementwise.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

constexpr Traits bitwise_traits = {.is_elementwise = true, .keeps_channels = true};

std::vector<TensorType> infer_bits(const Call& call) {
  const ElementType element = common_element(call);
  if (is_float(element) || element == ElementType::boolean) {
    call.unsupported(fmt::format("{} is not defined for {}", call.layer().name, name_of(element)));
  }
  return {{element, broadcast_extents(call)}};
}

std::vector<TensorType> infer_shift(const Call& call) {
  const std::vector<TensorType> result = infer_bits(call);
  if (halide_type(result[0].element).is_int()) {
    call.unsupported(fmt::format("bit_shift is defined for unsigned integers, not {}", name_of(result[0].element)));
  }
  return result;
}

Expr and_of(const Call&, const Expr& a, const Expr& b) { return a & b; }
Expr or_of(const Call&, const Expr& a, const Expr& b) { return a | b; }
Expr xor_of(const Call&, const Expr& a, const Expr& b) { return a ^ b; }
Expr shift_of(const Call& call, const Expr& x, const Expr& places) {
  return call.word("direction") == "left" ? arithmetic::shift_left(x, places) : arithmetic::shift_right(x, places);
}

using BitwiseFunction = Expr (*)(const Call& call, const Expr& a, const Expr& b);

template <BitwiseFunction function>
Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto read = [&](const Tensor& operand) { return operand(broadcast_index(operand.type, call.result(), index)); };
  const Expr a = read(operands[0]), b = read(operands[1]);
  return function(call, a, b);
}

Expr define_not(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages&, int) { return ~operands[0](index); }

constexpr Layer bitwise(std::string_view name, std::span<const OnnxForm> onnx) {
  return {
      .name = name, .operands = {Operand{"a"}, Operand{"b"}}, .arguments = {}, .traits = bitwise_traits, .infer = infer_bits, .onnx = onnx};
}

constexpr OnnxForm bit_shift_onnx[] = {{
    .op_type = "BitShift",
    .attributes = {onnx::word("direction", "direction", "", "LEFT=left RIGHT=right")},
}};
constexpr OnnxForm and_onnx[] = {{.op_type = "BitwiseAnd"}};
constexpr OnnxForm not_onnx[] = {{.op_type = "BitwiseNot"}};
constexpr OnnxForm or_onnx[] = {{.op_type = "BitwiseOr"}};
constexpr OnnxForm xor_onnx[] = {{.op_type = "BitwiseXor"}};

}  // namespace

extern constinit const Layer bit_shift = {
    .name = "bit_shift",
    .operands = {Operand{"x"}, Operand{"places"}},
    .arguments = {required("direction", ArgumentKind::word, "left right")},
    .traits = bitwise_traits,
    .infer = infer_shift,
    .onnx = bit_shift_onnx,
};
extern constinit const Layer bitwise_and = bitwise("bitwise_and", and_onnx);
extern constinit const Layer bitwise_not = {
    .name = "bitwise_not", .operands = {{"x"}}, .traits = bitwise_traits, .infer = infer_bits, .onnx = not_onnx};
extern constinit const Layer bitwise_or = bitwise("bitwise_or", or_onnx);
extern constinit const Layer bitwise_xor = bitwise("bitwise_xor", xor_onnx);

extern constinit const Definition bit_shift_definition = {"bit_shift", define<shift_of>};
extern constinit const Definition bitwise_and_definition = {"bitwise_and", define<and_of>};
extern constinit const Definition bitwise_not_definition = {"bitwise_not", define_not};
extern constinit const Definition bitwise_or_definition = {"bitwise_or", define<or_of>};
extern constinit const Definition bitwise_xor_definition = {"bitwise_xor", define<xor_of>};

}  // namespace calotype::layers
