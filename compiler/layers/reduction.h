#pragma once
/// \file
/// What definitions that reduce over a window or an axis are written with.
#include <vector>

#include "layers/definition.h"
#include "layers/window.h"

namespace calotype::layers {

/// The type in which sums of that element type are kept: f64 for f64, f32 for other floats and for integers below 32 bits; wider integers wrap in
/// their own.
Halide::Type accumulator_type(ElementType element);

/// sum + a * b in the type of the sum: floats may be contracted, integers wrap.
Halide::Expr multiply_add(const Halide::Expr& sum, const Halide::Expr& a, const Halide::Expr& b);

/// The reduction domain over logical extents (outermost first), its variables in the same order; the last one varies fastest.
struct Domain {
  Halide::RDom domain;
  std::vector<Halide::Expr> variables;
};
Domain domain_over(const Extents& extents, const char* name);

/// The operand at an index that may leave it in the dimensions where `leaves`; there the answer is `outside`. Reads stay inside.
Halide::Expr read_padded(const Tensor& operand, const Index& index, const std::vector<bool>& leaves, const Halide::Expr& outside);

/// The operand's index under the result's spatial index p and the kernel cell k: [index[0], channel, p * stride + k * dilation - begin
/// ...].
Index window_index(const Window& window, const Index& index, const Halide::Expr& channel, const std::vector<Halide::Expr>& cell);

/// Which dimensions of [batch, channels, spatial...] `window_index` may leave.
std::vector<bool> leaves_operand(const Window& window);

/// x as a Halide extent or index; throws Failure(unsupported) beyond 31 bits.
int narrow(std::int64_t x);

}  // namespace calotype::layers
