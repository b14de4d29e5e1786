#pragma once
/// \file
/// What layers are written with whose result element depends on one element of each operand: type rules, NumPy's broadcasting, and one shape of
/// table and definition for all functions of one operand.
#include <vector>

#include "layers/arithmetic.h"
#include "layers/definition.h"

namespace calotype::layers {

/// The shape that NumPy broadcasts all operands to; throws Failure(input) that names two operands that do not fit.
std::vector<std::int64_t> broadcast_extents(const Call& call);

/// The element type that all operands share; throws Failure(input) if they differ.
ElementType common_element(const Call& call);

/// Result type rules of elementwise layers: that of operand 0, which must be a floating-point type, a number (not bool), or may be anything.
std::vector<TensorType> same_float(const Call& call);
std::vector<TensorType> same_number(const Call& call);
std::vector<TensorType> same_type(const Call& call);

/// Of one element. f16 and bf16 elements arrive as f32.
using UnaryFunction = Halide::Expr (*)(const Call& call, const Halide::Expr& x);

template <UnaryFunction function>
Halide::Expr define_unary(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Halide::Expr x = operands[0](index);
  return arithmetic::narrow(x.type(), function(call, arithmetic::widen(x)));
}

inline constexpr Traits unary_traits = {.is_elementwise = true, .is_activation = true, .keeps_channels = true};

/// The table of a layer that applies one function to each element.
constexpr Layer unary(std::string_view name, std::vector<TensorType> (*infer)(const Call&), Argument first = {}, Argument second = {},
                      std::span<const OnnxForm> onnx = {}) {
  return {.name = name, .operands = {{"x"}}, .arguments = {first, second}, .traits = unary_traits, .infer = infer, .onnx = onnx};
}

/// The table of a layer without arguments.
constexpr Layer unary(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx) {
  return unary(name, infer, {}, {}, onnx);
}

}  // namespace calotype::layers
