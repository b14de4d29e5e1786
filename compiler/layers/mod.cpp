/// \file
/// mod: what a division leaves, operands broadcast as NumPy does. By default the remainder has the sign of the divisor, as Python's % and of
/// integers only; with fmod=true that of the dividend, as C's fmod and %. An integer modulo 0 is 0, a float NaN.
#include <fmt/format.h>

#include "layers/elementwise.h"

namespace calotype::layers {
namespace {

std::vector<TensorType> infer(const Call& call) {
  const ElementType element = common_element(call);
  if (element == ElementType::boolean) call.unsupported("mod is not defined for bool");
  if (is_float(element) && !call.boolean("fmod")) call.fail("fmod", fmt::format("mod of {} wants fmod=true", name_of(element)));
  return {{element, broadcast_extents(call)}};
}

/// The remainder of floats is exact, which takes a loop over the difference of the exponents: the C library's.
Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto read = [&](const Tensor& operand) { return arithmetic::widen(operand(broadcast_index(operand.type, call.result(), index))); };
  const Halide::Expr a = read(operands[0]), b = read(operands[1]);
  if (!a.type().is_float()) return call.boolean("fmod") ? arithmetic::remainder(a, b) : arithmetic::floored_remainder(a, b);
  return arithmetic::narrow(halide_type(call.result().element), arithmetic::library(a.type().bits() == 64 ? "fmod" : "fmodf", {a, b}));
}

constexpr OnnxForm mod_onnx[] = {{.op_type = "Mod", .attributes = {onnx::flag("fmod", "fmod")}}};

}  // namespace

extern constinit const Layer mod = {
    .name = "mod",
    .operands = {Operand{"a"}, Operand{"b"}},
    .arguments = {optional("fmod", ArgumentKind::boolean, "false")},
    .traits = {.is_elementwise = true, .keeps_channels = true},
    .infer = infer,
    .onnx = mod_onnx,
};
extern constinit const Definition mod_definition = {"mod", define};

}  // namespace calotype::layers
