#pragma once
/// \file
/// The one set of exact expressions that definitions are written with. Halide's own operators assume that no NaN and no infinity occurs, rewrite
/// algebraically, round integer division down and take signed overflow for impossible; layers want C's and IEEE's arithmetic, and NaN to stay.
///
/// Comparisons, sums, products and quotients of floats here are strict: no pass of Halide or LLVM re-associates, contracts or drops them. The
/// polynomials inside the transcendental functions are not, so that they become fused multiply-adds; their stated errors hold either way.
/// Everything is a pure expression that vectorizes: f32 calls nothing of the C library; f64 and pow do, element by element.
///
/// Operands of one call have one type. An ulp is a unit in the last place of the f32 result. Errors are tested by tests/layers/arithmetic_test.cpp.
#include <Halide.h>

#include <vector>

namespace calotype::layers::arithmetic {

using Halide::Expr;
using Halide::Type;

// Comparisons. With a NaN: false.
Expr less(const Expr& a, const Expr& b);
Expr less_equal(const Expr& a, const Expr& b);
Expr equal(const Expr& a, const Expr& b);
/// False for integers.
Expr is_nan(const Expr& x);

// The smaller, the larger; NaN if either is NaN (as NumPy's minimum and ONNX's Min).
Expr minimum(const Expr& a, const Expr& b);
Expr maximum(const Expr& a, const Expr& b);
/// max(x, 0); NaN stays. One instruction where the machine has a vector maximum.
Expr relu(const Expr& x);
/// min(max(x, least), most); a NaN in x stays. With least > most the result is `most`.
Expr clip(const Expr& x, const Expr& least, const Expr& most);

// Floats: IEEE, rounded once. Integers wrap.
Expr add(const Expr& a, const Expr& b);
Expr subtract(const Expr& a, const Expr& b);
Expr multiply(const Expr& a, const Expr& b);
Expr negate(const Expr& x);
/// Of the least integer: itself.
Expr absolute(const Expr& x);
/// Integers: truncates as C does; by zero gives 0; the least integer by -1 gives itself. Never traps.
Expr divide(const Expr& a, const Expr& b);
/// a - divide(a, b) * b for integers (sign of a, as C's %); by zero gives 0.
Expr remainder(const Expr& a, const Expr& b);
/// The remainder with the sign of b (as Python's %); by zero gives 0.
Expr floored_remainder(const Expr& a, const Expr& b);
/// Bits shifted; a count outside of [0, bits) gives 0, or for a right shift of a negative number -1.
Expr shift_left(const Expr& x, const Expr& count);
Expr shift_right(const Expr& x, const Expr& count);

/// Between element types. Float to integer truncates, saturates, and NaN gives 0; integer to integer keeps the low bits, as C does; floats round to
/// nearest even and overflow to infinity.
Expr convert(const Type& to, const Expr& x);
/// 1 where x is not 0 (NaN counts), as UInt(8): what `bool` is stored as.
Expr to_boolean(const Expr& x);

/// f16 and bf16 as f32, which holds them all; others as they are. And back, rounded to nearest even.
Expr widen(const Expr& x);
Expr narrow(const Type& to, const Expr& x);

// Transcendental functions of f32 and f64. Limits at infinities are right and NaN stays NaN. f32 errors:
Expr exp(const Expr& x);  ///< 2 ulp; results below the smallest normal number (x < -87.33) are 0
Expr log(const Expr& x);  ///< 2 ulp, subnormal operands included
Expr sigmoid(const Expr& x);  ///< 4 ulp; results below the smallest normal number are 0
Expr tanh(const Expr& x);  ///< 8 ulp, never beyond 1
Expr erf(const Expr& x);  ///< 8 ulp, never beyond 1
Expr softplus(const Expr& x);  ///< log(1 + exp(x)): 5 ulp
/// exp(x) - 1 for x <= 0, without cancellation: 3 ulp. Other operands give something finite or NaN, without meaning.
Expr expm1_of_negative(const Expr& x);
/// Correctly rounded.
Expr square_root(const Expr& x);
/// a to the power b as C's pow; the constant exponents 1, 2, 3 and -1 are products and a quotient.
Expr power(const Expr& a, const Expr& b);

/// The C library's function of that name, called for each element; it must be one of the operands' type (powf for f32).
Expr library(const char* name, const std::vector<Expr>& operands);

/// The constant of x's type.
Expr like(const Expr& x, double number);

}  // namespace calotype::layers::arithmetic
