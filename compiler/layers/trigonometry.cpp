/// \file
/// sin, cos, tan, asin, acos, atan, and the hyperbolic sinh, cosh, asinh, acosh, atanh (tanh is in activations.cpp).
///
/// f32 is computed by polynomials that vectorize; the errors stated below are measured over every exponent. Arguments of sin, cos and tan are
/// reduced exactly, however large. f64 calls the C library for each element: polynomials of that precision are not worth their length here.
/// Coefficients of the polynomials are Cephes's (Moshier), the reduction of large arguments is that of Arm's optimized routines.
#include <initializer_list>
#include <limits>

#include "layers/elementwise.h"

namespace calotype::layers {
namespace {

using arithmetic::add;
using arithmetic::divide;
using arithmetic::less;
using arithmetic::like;
using arithmetic::multiply;
using arithmetic::negate;
using arithmetic::square_root;
using arithmetic::subtract;
using Halide::Expr;
using Halide::select;

constexpr float pi = 3.14159265358979f;
constexpr float half_pi = 1.57079632679490f;
constexpr float quarter_pi = 0.785398163397448f;
constexpr float ln2 = 0.693147180559945f;
constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();

bool is_double(const Expr& x) { return x.type().bits() == 64; }

/// The sum of coefficients times powers of x, highest power first. Relaxed: becomes fused multiply-adds.
Expr polynomial(const Expr& x, std::initializer_list<float> coefficients) {
  Expr sum;
  for (const float coefficient : coefficients) sum = sum.defined() ? sum * x + coefficient : Expr(coefficient);
  return sum;
}

Expr bits_of(const Expr& x) { return Halide::reinterpret<std::uint32_t>(x); }

/// y with the sign of x, for y >= 0.
Expr with_sign_of(const Expr& x, const Expr& y) {
  return Halide::reinterpret<float>(bits_of(y) | (bits_of(x) & Halide::Internal::make_const(Halide::UInt(32), 0x80000000U)));
}

/* sin, cos, tan */

/// x = quadrant * pi/2 + rest with |rest| <= pi/4.
struct Quadrant {
  Expr rest;  ///< f32
  Expr quadrant;  ///< UInt(32); its two low bits matter
};

/// For |x| up to 2^19: pi/2 in two doubles, of which the first times the quadrant is exact.
Quadrant reduce_small(const Expr& x) {
  const Expr number = Halide::cast<double>(x);
  // Adding 1.5 * 2^52 rounds to a whole number, which then stands in the low bits.
  const Expr magic = Expr(6755399441055744.0);
  const Expr shifted = add(multiply(number, Expr(0.63661977236758134)), magic);
  const Expr n = subtract(shifted, magic);
  const Expr rest = subtract(subtract(number, multiply(n, Expr(1.57079632673412561417))), multiply(n, Expr(6.07710050650619224932e-11)));
  return {Halide::cast<float>(rest), Halide::cast<std::uint32_t>(Halide::reinterpret<std::uint64_t>(shifted))};
}

/// For larger ones: the mantissa times those 96 bits of 4/pi that decide the fraction, in whole numbers.
Quadrant reduce_large(const Expr& x) {
  static constexpr std::uint32_t inverse[24] = {0x000000a2, 0x0000a2f9, 0x00a2f983, 0xa2f9836e, 0xf9836e4e, 0x836e4e44,
                                                0x6e4e4415, 0x4e441529, 0x441529fc, 0x1529fc27, 0x29fc2757, 0xfc2757d1,
                                                0x2757d1f5, 0x57d1f534, 0xd1f534dd, 0xf534ddc0, 0x34ddc0db, 0xddc0db62,
                                                0xc0db6295, 0xdb629599, 0x6295993c, 0x95993c43, 0x993c4390, 0x3c439041};
  const Expr bits = bits_of(x);
  const Expr place = (bits >> 26) & 15;
  const auto word = [&](int offset) {
    Expr chosen = Halide::Internal::make_const(Halide::UInt(32), inverse[15 + offset]);
    // Arguments from 2^19 on have an exponent of at least 127 + 19: place 2.
    for (int i = 14; i >= 2; --i) chosen = select(place == i, Halide::Internal::make_const(Halide::UInt(32), inverse[i + offset]), chosen);
    return Halide::cast<std::uint64_t>(chosen);
  };
  const Expr mantissa = Halide::cast<std::uint64_t>(((bits & 0x7fffff) | 0x800000) << ((bits >> 23) & 7));
  const Expr high = mantissa * word(0), middle = mantissa * word(4), low = mantissa * word(8);
  const Expr product = ((high << 32) | (low >> 32)) + middle;
  const Expr n = (product + Halide::Internal::make_const(Halide::UInt(64), std::uint64_t{1} << 61)) >> 62;
  const Expr fraction = Halide::reinterpret<std::int64_t>(product - (n << 62));
  const Expr rest = multiply(Halide::cast<double>(fraction), Expr(3.40612158008655459e-19));  // pi / 2^63
  const Expr quadrant = Halide::cast<std::uint32_t>(n);
  const Expr is_negative = (bits >> 31) != 0;
  return {Halide::cast<float>(select(is_negative, negate(rest), rest)), select(is_negative, 0 - quadrant, quadrant)};
}

/// Of an infinity or NaN: NaN.
Quadrant reduce(const Expr& x) {
  const Expr size = arithmetic::absolute(x);
  const Expr is_small = less(size, Expr(524288.0f));
  const Quadrant small = reduce_small(select(is_small, x, 0.0f)), large = reduce_large(x);
  const Expr is_finite = less(size, Expr(std::numeric_limits<float>::infinity()));
  return {select(is_small, small.rest, is_finite, large.rest, Expr(0.0f)), select(is_small, small.quadrant, large.quadrant)};
}

Expr finite_or_nan(const Expr& x, const Expr& y) {
  return select(less(arithmetic::absolute(x), Expr(std::numeric_limits<float>::infinity())), y, Expr(not_a_number));
}

/// The sine, `quarters` quarter turns further on. 2 ulp.
Expr sine(const Expr& x, int quarters) {
  const Quadrant reduced = reduce(x);
  const Expr& r = reduced.rest;
  const Expr square = r * r;
  const Expr sine_part = polynomial(square, {-1.9515295891e-4f, 8.3321608736e-3f, -1.6666654611e-1f}) * square * r + r;
  const Expr cosine_part =
      polynomial(square, {2.443315711809948e-5f, -1.388731625493765e-3f, 4.166664568298827e-2f}) * square * square - 0.5f * square + 1.0f;
  const Expr quadrant = reduced.quadrant + Halide::Internal::make_const(Halide::UInt(32), quarters);
  const Expr y = select((quadrant & 1) != 0, cosine_part, sine_part);
  return finite_or_nan(x, Halide::reinterpret<float>(bits_of(y) ^ ((quadrant & 2) << 30)));
}

Expr sin_of(const Call&, const Expr& x) { return is_double(x) ? arithmetic::library("sin", {x}) : sine(x, 0); }
Expr cos_of(const Call&, const Expr& x) { return is_double(x) ? arithmetic::library("cos", {x}) : sine(x, 1); }

/// 3 ulp.
Expr tan_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("tan", {x});
  const Quadrant reduced = reduce(x);
  const Expr& r = reduced.rest;
  const Expr square = r * r;
  const Expr tangent = polynomial(square, {9.38540185543e-3f, 3.11992232697e-3f, 2.44301354525e-2f, 5.34112807005e-2f, 1.33387994085e-1f,
                                           3.33331568548e-1f}) *
                           square * r +
                       r;
  return finite_or_nan(x, select((reduced.quadrant & 1) != 0, divide(Expr(-1.0f), tangent), tangent));
}

/* asin, acos, atan */

/// The arc sine of x in [0, 1/2].
Expr arc_sine(const Expr& x) {
  const Expr square = x * x;
  return polynomial(square, {4.2163199048e-2f, 2.4181311049e-2f, 4.5470025998e-2f, 7.4953002686e-2f, 1.6666752422e-1f}) * square * x + x;
}

/// sqrt((1 - |x|) / 2), whose arc sine is half the arc cosine of |x|. NaN beyond 1.
Expr half_angle(const Expr& size) { return square_root(multiply(Expr(0.5f), subtract(Expr(1.0f), size))); }

/// 3 ulp. NaN outside of [-1, 1].
Expr asin_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("asin", {x});
  const Expr size = arithmetic::absolute(x);
  const Expr is_large = less(Expr(0.5f), size);
  const Expr angle = arc_sine(select(less(size, Expr(1.0f)), select(is_large, half_angle(size), size), Expr(0.0f)));
  const Expr y = with_sign_of(x, select(is_large, subtract(Expr(half_pi), multiply(Expr(2.0f), angle)), angle));
  return select(arithmetic::less_equal(size, Expr(1.0f)), y, Expr(not_a_number));
}

/// 3 ulp. NaN outside of [-1, 1].
Expr acos_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("acos", {x});
  const Expr size = arithmetic::absolute(x);
  const Expr is_large = less(Expr(0.5f), size);
  const Expr angle = arc_sine(select(less(size, Expr(1.0f)), select(is_large, half_angle(size), size), Expr(0.0f)));
  const Expr twice = multiply(Expr(2.0f), angle);
  const Expr is_negative = less(x, Expr(0.0f));
  const Expr y = select(is_large, select(is_negative, subtract(Expr(pi), twice), twice),
                        select(is_negative, add(Expr(half_pi), angle), subtract(Expr(half_pi), angle)));
  return select(arithmetic::less_equal(size, Expr(1.0f)), y, Expr(not_a_number));
}

/// 3 ulp.
Expr atan_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("atan", {x});
  const Expr size = arithmetic::absolute(x);
  const Expr one = 1.0f;
  const Expr is_large = less(Expr(2.414213562373095f), size), is_medium = less(Expr(0.4142135623730950f), size);
  const Expr begin = select(is_large, Expr(half_pi), is_medium, Expr(quarter_pi), Expr(0.0f));
  const Expr medium = divide(subtract(size, one), add(size, one));
  const Expr r = select(arithmetic::is_nan(x), Expr(0.0f), is_large, divide(Expr(-1.0f), size), is_medium, medium, size);
  const Expr square = r * r;
  const Expr rest = polynomial(square, {8.05374449538e-2f, -1.38776856032e-1f, 1.99777106478e-1f, -3.33329491539e-1f}) * square * r + r;
  return select(arithmetic::is_nan(x), x, with_sign_of(x, add(begin, rest)));
}

/* sinh, cosh */

/// exp(|x|) / 2, without overflow before its time, and exp(-|x|) / 2.
struct Exponentials {
  Expr rising, falling;
};
Exponentials exponentials_of(const Expr& x) {
  const Expr root = arithmetic::exp(multiply(Expr(0.5f), arithmetic::absolute(x)));
  return {multiply(multiply(Expr(0.5f), root), root), divide(divide(Expr(0.5f), root), root)};
}

/// 5 ulp.
Expr sinh_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("sinh", {x});
  const Expr is_small = less(arithmetic::absolute(x), Expr(1.0f));
  const Expr r = select(is_small, x, Expr(0.0f));
  const Expr square = r * r;
  const Expr small = polynomial(square, {2.03721912945e-4f, 8.33028376239e-3f, 1.66667160211e-1f}) * square * r + r;
  const Exponentials parts = exponentials_of(x);
  return select(is_small, small, arithmetic::is_nan(x), x, with_sign_of(x, subtract(parts.rising, parts.falling)));
}

/// 5 ulp.
Expr cosh_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("cosh", {x});
  const Exponentials parts = exponentials_of(x);
  return add(parts.rising, parts.falling);
}

/* asinh, acosh, atanh */

constexpr float square_is_safe = 1e9f;  ///< from here on 1 is nothing beside x squared, which still fits

/// 4 ulp.
Expr asinh_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("asinh", {x});
  const Expr size = arithmetic::absolute(x);
  const Expr is_small = less(size, Expr(0.5f)), is_large = less(Expr(square_is_safe), size);
  const Expr r = select(is_small, x, Expr(0.0f));
  const Expr square = r * r;
  const Expr small = polynomial(square, {2.0122003309e-2f, -4.2699340972e-2f, 7.4847586088e-2f, -1.6666288134e-1f}) * square * r + r;
  const Expr sum = add(size, square_root(add(multiply(size, size), Expr(1.0f))));
  const Expr y = add(arithmetic::log(select(is_large, size, sum)), select(is_large, Expr(ln2), Expr(0.0f)));
  return select(is_small, small, arithmetic::is_nan(x), x, with_sign_of(x, y));
}

/// 4 ulp. NaN below 1.
Expr acosh_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("acosh", {x});
  const Expr beyond = subtract(x, Expr(1.0f));
  const Expr is_small = less(beyond, Expr(0.5f)), is_large = less(Expr(square_is_safe), x);
  const Expr r = select(is_small && less(Expr(0.0f), beyond), beyond, Expr(0.0f));
  const Expr small =
      multiply(polynomial(r, {1.7596881071e-3f, -7.5272886713e-3f, 2.6454905019e-2f, -1.1784741703e-1f, 1.4142135263e0f}), square_root(r));
  const Expr sum = add(x, square_root(multiply(beyond, add(x, Expr(1.0f)))));
  const Expr y = add(arithmetic::log(select(is_large, x, sum)), select(is_large, Expr(ln2), Expr(0.0f)));
  return select(less(x, Expr(1.0f)), Expr(not_a_number), is_small, small, y);
}

/// 4 ulp. NaN outside of [-1, 1].
Expr atanh_of(const Call&, const Expr& x) {
  if (is_double(x)) return arithmetic::library("atanh", {x});
  const Expr is_small = less(arithmetic::absolute(x), Expr(0.5f));
  const Expr r = select(is_small, x, Expr(0.0f));
  const Expr square = r * r;
  const Expr small =
      polynomial(square, {1.81740078349e-1f, 8.24370301058e-2f, 1.46691431730e-1f, 1.99782164500e-1f, 3.33337300303e-1f}) * square * r + r;
  const Expr quotient = divide(add(Expr(1.0f), x), subtract(Expr(1.0f), x));
  return select(is_small, small, multiply(Expr(0.5f), arithmetic::log(quotient)));
}

constexpr OnnxForm acos_onnx[] = {{.op_type = "Acos"}};
constexpr OnnxForm acosh_onnx[] = {{.op_type = "Acosh"}};
constexpr OnnxForm asin_onnx[] = {{.op_type = "Asin"}};
constexpr OnnxForm asinh_onnx[] = {{.op_type = "Asinh"}};
constexpr OnnxForm atan_onnx[] = {{.op_type = "Atan"}};
constexpr OnnxForm atanh_onnx[] = {{.op_type = "Atanh"}};
constexpr OnnxForm cos_onnx[] = {{.op_type = "Cos"}};
constexpr OnnxForm cosh_onnx[] = {{.op_type = "Cosh"}};
constexpr OnnxForm sin_onnx[] = {{.op_type = "Sin"}};
constexpr OnnxForm sinh_onnx[] = {{.op_type = "Sinh"}};
constexpr OnnxForm tan_onnx[] = {{.op_type = "Tan"}};

}  // namespace

extern constinit const Layer acos = unary("acos", same_float, acos_onnx);
extern constinit const Layer acosh = unary("acosh", same_float, acosh_onnx);
extern constinit const Layer asin = unary("asin", same_float, asin_onnx);
extern constinit const Layer asinh = unary("asinh", same_float, asinh_onnx);
extern constinit const Layer atan = unary("atan", same_float, atan_onnx);
extern constinit const Layer atanh = unary("atanh", same_float, atanh_onnx);
extern constinit const Layer cos = unary("cos", same_float, cos_onnx);
extern constinit const Layer cosh = unary("cosh", same_float, cosh_onnx);
extern constinit const Layer sin = unary("sin", same_float, sin_onnx);
extern constinit const Layer sinh = unary("sinh", same_float, sinh_onnx);
extern constinit const Layer tan = unary("tan", same_float, tan_onnx);

extern constinit const Definition acos_definition = {"acos", define_unary<acos_of>};
extern constinit const Definition acosh_definition = {"acosh", define_unary<acosh_of>};
extern constinit const Definition asin_definition = {"asin", define_unary<asin_of>};
extern constinit const Definition asinh_definition = {"asinh", define_unary<asinh_of>};
extern constinit const Definition atan_definition = {"atan", define_unary<atan_of>};
extern constinit const Definition atanh_definition = {"atanh", define_unary<atanh_of>};
extern constinit const Definition cos_definition = {"cos", define_unary<cos_of>};
extern constinit const Definition cosh_definition = {"cosh", define_unary<cosh_of>};
extern constinit const Definition sin_definition = {"sin", define_unary<sin_of>};
extern constinit const Definition sinh_definition = {"sinh", define_unary<sinh_of>};
extern constinit const Definition tan_definition = {"tan", define_unary<tan_of>};

}  // namespace calotype::layers
