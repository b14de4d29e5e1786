/// \file
/// exp, log and what is made of them, as polynomials that vectorize. The steps that cancel digits (range reduction, sums of a large and a small
/// part) are strict; the polynomials are not, and become fused multiply-adds where the machine has them. NaN and infinities are selected around
/// the polynomials, never sent through them, since relaxed arithmetic promises nothing for them.
///
/// Coefficients of exp and log were fitted for least relative error (Lawson's iteration); those of tanh and erf are the rational
/// approximations of Eigen's ptanh and perf.
#include <initializer_list>
#include <limits>
#include <vector>

#include "layers/arithmetic.h"

namespace calotype::layers::arithmetic {
namespace {

using Halide::select;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// ln 2 in two parts; a whole number up to 2^15 times the first is exact.
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;

/// The sum of coefficients times powers of x, highest power first. Relaxed.
Expr polynomial(const Expr& x, std::initializer_list<float> coefficients) {
  Expr sum;
  for (const float coefficient : coefficients) sum = sum.defined() ? sum * x + coefficient : Expr(coefficient);
  return sum;
}

Expr bits_of(const Expr& x) { return Halide::reinterpret<std::uint32_t>(x); }
Expr float_of(const Expr& bits) { return Halide::reinterpret<float>(bits); }

/// x = n ln 2 + rest with |rest| <= ln 2 / 2.
struct Reduced {
  Expr rest;
  Expr exponent;  ///< n in the place of a float's exponent, as UInt(32) that wraps
};

Reduced reduce(const Expr& x) {
  // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits; the constant's own low nine bits are zero.
  const Expr magic = 12582912.0f;
  const Expr shifted = add(multiply(x, Expr(1.44269504f)), magic);
  const Expr n = subtract(shifted, magic);
  const Expr rest = subtract(subtract(x, multiply(n, Expr(kLn2High))), multiply(n, Expr(kLn2Low)));
  return {rest, bits_of(shifted) << 23};
}

/// (exp(rest) - 1 - rest) / rest^2
Expr exponential_tail(const Expr& rest) {
  return polynomial(rest, {1.3813145e-3f, 8.3694188e-3f, 4.1668456e-2f, 1.6666515e-1f, 4.9999994e-1f});
}

bool is_double(const Expr& x) { return x.type().bits() == 64; }

/// Rounding may end a little beyond 1.
Expr within_one(const Expr& y) { return clip(y, Expr(-1.0f), Expr(1.0f)); }

}  // namespace

// Not Halide's extern of the like name, which may become an approximation of its own.
Expr library(const char* name, const std::vector<Expr>& operands) {
  return Halide::Internal::Call::make(operands[0].type(), name, operands, Halide::Internal::Call::PureExtern);
}

Expr exp(const Expr& x) {
  if (is_double(x)) return library("exp", {x});
  const Reduced reduced = reduce(x);
  const Expr& r = reduced.rest;
  const Expr mantissa = (exponential_tail(r) * r + 1.0f) * r + 1.0f;
  const Expr inside = float_of(bits_of(mantissa) + reduced.exponent);
  // Above: infinity, and NaN stays NaN.
  const Expr bounded = select(less(x, Expr(88.722844f)), inside, add(x, Expr(kInfinity)));
  return select(less(x, Expr(-87.336544f)), Expr(0.0f), bounded);
}

Expr expm1_of_negative(const Expr& x) {
  if (is_double(x)) return library("expm1", {x});
  const Expr bounded = select(less(Expr(-80.0f), x), x, Expr(-80.0f));  // NaN becomes a number
  const Reduced reduced = reduce(bounded);
  const Expr& r = reduced.rest;
  const Expr scale = float_of(reduced.exponent + 0x3f800000);
  const Expr fraction = exponential_tail(r) * r * r + r;  // exp(r) - 1
  const Expr inside = add(multiply(scale, fraction), subtract(scale, Expr(1.0f)));
  return select(arithmetic::is_nan(x), x, inside);
}

Expr log(const Expr& x) {
  if (is_double(x)) return library("log", {x});
  const Expr is_subnormal = less(x, Expr(std::numeric_limits<float>::min()));
  const Expr number = select(is_subnormal, multiply(x, Expr(8388608.0f)), x);
  // mantissa in [sqrt(1/2), sqrt(2)), so that numbers near 1 have exponent 0
  const Expr bits = bits_of(number);
  const Expr exponent = Halide::reinterpret<std::int32_t>(bits - 0x3f3504f3) >> 23;
  const Expr mantissa = float_of(bits - (Halide::reinterpret<std::uint32_t>(exponent) << 23));
  const Expr f = subtract(mantissa, Expr(1.0f));
  const Expr e = subtract(Halide::cast<float>(exponent), select(is_subnormal, Expr(23.0f), Expr(0.0f)));
  const Expr tail = f * f *
                    (f * polynomial(f, {-7.642696e-2f, 1.2773968e-1f, -1.3163014e-1f, 1.4200303e-1f, -1.662294e-1f, 2.0001273e-1f,
                                        -2.5000831e-1f, 3.3333331e-1f}) -
                     0.5f);
  const Expr inside = add(add(add(tail, multiply(e, Expr(kLn2Low))), f), multiply(e, Expr(kLn2High)));
  const Expr zero = 0.0f;
  const Expr outside = select(equal(x, zero), Expr(-kInfinity), less(x, zero), Expr(std::numeric_limits<float>::quiet_NaN()), x);
  return select(less(zero, x) && less(x, Expr(kInfinity)), inside, outside);
}

Expr sigmoid(const Expr& x) {
  const Expr one = like(x, 1);
  return divide(one, add(one, arithmetic::exp(negate(x))));
}

Expr tanh(const Expr& x) {
  if (is_double(x)) return library("tanh", {x});
  const Expr bounded = clip(select(arithmetic::is_nan(x), Expr(0.0f), x), Expr(-7.90531111f), Expr(7.90531111f));
  const Expr square = bounded * bounded;
  const Expr numerator = polynomial(square, {-2.76076847742355e-16f, 2.00018790482477e-13f, -8.60467152213735e-11f, 5.12229709037114e-08f,
                                             1.48572235717979e-05f, 6.37261928875436e-04f, 4.89352455891786e-03f});
  const Expr denominator = polynomial(square, {1.19825839466702e-06f, 1.18534705686654e-04f, 2.26843463243900e-03f, 4.89352518554385e-03f});
  return select(arithmetic::is_nan(x), x, within_one(multiply(bounded, divide(numerator, denominator))));
}

Expr erf(const Expr& x) {
  if (is_double(x)) return library("erf", {x});
  const Expr bounded = clip(select(arithmetic::is_nan(x), Expr(0.0f), x), Expr(-4.0f), Expr(4.0f));
  const Expr square = bounded * bounded;
  const Expr numerator = polynomial(square, {-2.72614225801306e-10f, 2.77068142495902e-08f, -2.10102402082508e-06f, -5.69250639462346e-05f,
                                             -7.34990630326855e-04f, -2.95459980854025e-03f, -1.60960333262415e-02f});
  const Expr denominator = polynomial(
      square, {-1.45660718464996e-05f, -2.13374055278905e-04f, -1.68282697438203e-03f, -7.37332916720468e-03f, -1.42647390514189e-02f});
  return select(arithmetic::is_nan(x), x, within_one(multiply(bounded, divide(numerator, denominator))));
}

Expr softplus(const Expr& x) {
  // max(x, 0) + log(1 + u) with u = arithmetic::exp(-|x|) in [0, 1]. What 1 + u lost by rounding is given back by the quotient of u and (1 + u) - 1.
  const Expr one = like(x, 1);
  if (is_double(x)) return add(maximum(x, like(x, 0)), library("log1p", {arithmetic::exp(negate(absolute(x)))}));
  const Expr u = arithmetic::exp(negate(absolute(x)));
  const Expr sum = add(one, u);
  const Expr logarithm = select(equal(sum, one), u, divide(multiply(arithmetic::log(sum), u), subtract(sum, one)));
  return add(maximum(x, like(x, 0)), logarithm);
}

Expr square_root(const Expr& x) { return Halide::sqrt(x); }

Expr power(const Expr& a, const Expr& b) {
  if (const auto exponent = Halide::Internal::as_const_float(b)) {
    if (*exponent == 1) return a;
    if (*exponent == 2) return multiply(a, a);
    if (*exponent == 3) return multiply(multiply(a, a), a);
    if (*exponent == -1) return divide(like(a, 1), a);
  }
  return library(is_double(a) ? "pow" : "powf", {a, b});
}

}  // namespace calotype::layers::arithmetic
