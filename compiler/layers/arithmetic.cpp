/// \file
/// Comparisons, sums, quotients, shifts and conversions. A float operation is made strict by writing Halide's strict intrinsic for it alone; the
/// operands stay as they are, so that a strict epilogue does not make the convolution before it strict.
#include "layers/arithmetic.h"

#include <algorithm>
#include <cmath>

namespace calotype::layers::arithmetic {
namespace {

using Halide::select;
using Halide::Internal::Call;

Expr strict(Call::IntrinsicOp operation, const Type& result, const Expr& a, const Expr& b) {
  return Call::make(result, operation, {a, b}, Call::PureIntrinsic);
}

/// Signed operands as unsigned ones of the same bits, where Halide lets them wrap.
template <typename Operation>
Expr wrapped(const Expr& a, const Expr& b, Operation operation) {
  if (!a.type().is_int()) return operation(a, b);
  const Type bits = a.type().with_code(halide_type_uint);
  return Halide::reinterpret(a.type(), operation(Halide::reinterpret(bits, a), Halide::reinterpret(bits, b)));
}

/// A divisor for which the machine's division neither traps nor overflows.
Expr safe_divisor(const Expr& b) {
  if (b.type().is_uint()) return select(b == 0, like(b, 1), b);
  return select(b == 0 || b == -1, like(b, 1), b);
}

}  // namespace

Expr like(const Expr& x, double number) { return Halide::Internal::make_const(x.type(), number); }

Expr less(const Expr& a, const Expr& b) {
  return a.type().is_float() ? strict(Call::strict_lt, Halide::Bool(a.type().lanes()), a, b) : a < b;
}

Expr less_equal(const Expr& a, const Expr& b) {
  // Not strict_le: for x86 Halide makes !(b < a) of it, which is true for a NaN.
  return a.type().is_float() ? less(a, b) || equal(a, b) : a <= b;
}

Expr equal(const Expr& a, const Expr& b) {
  return a.type().is_float() ? strict(Call::strict_eq, Halide::Bool(a.type().lanes()), a, b) : a == b;
}

Expr is_nan(const Expr& x) {
  if (!x.type().is_float()) return Halide::Internal::const_false();
  // Not Halide::is_nan: it copies the operand, made strict, as a tree in which nothing is shared any more.
  return Call::make(Halide::Bool(), x.type().bits() == 64 ? "is_nan_f64" : "is_nan_f32", {widen(x)}, Call::PureExtern);
}

Expr minimum(const Expr& a, const Expr& b) {
  if (!a.type().is_float()) return Halide::min(a, b);
  return select(arithmetic::is_nan(b), b, select(less(b, a), b, a));
}

Expr maximum(const Expr& a, const Expr& b) {
  if (!a.type().is_float()) return Halide::max(a, b);
  return select(arithmetic::is_nan(b), b, select(less(a, b), b, a));
}

Expr relu(const Expr& x) { return select(less(x, like(x, 0)), like(x, 0), x); }

Expr clip(const Expr& x, const Expr& least, const Expr& most) {
  const Expr raised = select(less(x, least), least, x);
  return select(less(most, raised), most, raised);
}

Expr add(const Expr& a, const Expr& b) {
  if (a.type().is_float()) return strict(Call::strict_add, a.type(), a, b);
  return wrapped(a, b, [](const Expr& x, const Expr& y) { return x + y; });
}

Expr subtract(const Expr& a, const Expr& b) {
  if (a.type().is_float()) return strict(Call::strict_sub, a.type(), a, b);
  return wrapped(a, b, [](const Expr& x, const Expr& y) { return x - y; });
}

Expr multiply(const Expr& a, const Expr& b) {
  if (a.type().is_float()) return strict(Call::strict_mul, a.type(), a, b);
  return wrapped(a, b, [](const Expr& x, const Expr& y) { return x * y; });
}

Expr negate(const Expr& x) {
  if (!x.type().is_float()) return subtract(like(x, 0), x);
  // Not 0 - x, which would lose the sign of zero.
  const Type bits = x.type().with_code(halide_type_uint);
  const Expr sign = Halide::Internal::make_const(bits, std::uint64_t{1} << (bits.bits() - 1));
  return Halide::reinterpret(x.type(), Halide::reinterpret(bits, x) ^ sign);
}

Expr absolute(const Expr& x) {
  if (x.type().is_uint()) return x;
  if (x.type().is_int()) return select(x < 0, negate(x), x);
  return Halide::abs(x);
}

Expr divide(const Expr& a, const Expr& b) {
  if (a.type().is_float()) return strict(Call::strict_div, a.type(), a, b);
  const Expr quotient = Halide::div_round_to_zero(a, safe_divisor(b));
  if (a.type().is_uint()) return select(b == 0, like(a, 0), quotient);
  return select(b == 0, like(a, 0), b == -1, negate(a), quotient);
}

Expr remainder(const Expr& a, const Expr& b) {
  const Expr rest = Halide::mod_round_to_zero(a, safe_divisor(b));  // by 1 in place of 0 and -1: 0, which is right
  return rest;
}

Expr floored_remainder(const Expr& a, const Expr& b) {
  const Expr rest = remainder(a, b);
  if (a.type().is_uint()) return rest;
  return select(rest != 0 && ((rest < 0) != (b < 0)), add(rest, b), rest);
}

Expr shift_left(const Expr& x, const Expr& count) {
  const Type bits = x.type().with_code(halide_type_uint);
  const Expr places = Halide::cast(bits, count);  // a negative count becomes a large one
  const Expr last = Halide::Internal::make_const(bits, x.type().bits() - 1);
  const Expr shifted = Halide::reinterpret(bits, x) << Halide::min(places, last);
  return select(places > last, like(x, 0), x.type().is_int() ? Halide::reinterpret(x.type(), shifted) : shifted);
}

Expr shift_right(const Expr& x, const Expr& count) {
  const Type bits = x.type().with_code(halide_type_uint);
  const Expr places = Halide::cast(bits, count);
  const Expr last = Halide::Internal::make_const(bits, x.type().bits() - 1);
  const Expr shifted = x >> Halide::min(places, last);
  return x.type().is_int() ? shifted : select(places > last, like(x, 0), shifted);
}

Expr convert(const Type& to, const Expr& x) {
  const Type from = x.type();
  if (to == from) return x;
  if (to.is_float()) return narrow(to, widen(x));
  if (from.is_float()) {
    const Expr number = widen(x);
    // Powers of two, exact in any float: the first numbers that do not fit.
    const double above = std::ldexp(1.0, to.is_int() ? to.bits() - 1 : to.bits());
    const double below = to.is_int() ? -above : 0.0;
    const Expr inside =
        Halide::cast(to, select(less(number, like(number, above)) && less(like(number, below), number), number, like(number, 0)));
    return select(less_equal(like(number, above), number), to.max(), less_equal(number, like(number, below)), to.min(), inside);
  }
  const Type bits = to.with_code(halide_type_uint);
  const Expr low = Halide::cast(bits, from.is_int() ? Halide::cast(from.with_bits(std::max(from.bits(), to.bits())), x) : x);
  return to.is_int() ? Halide::reinterpret(to, low) : low;
}

Expr to_boolean(const Expr& x) {
  const Expr number = widen(x);
  return select(equal(number, like(number, 0)), Halide::cast<std::uint8_t>(0), Halide::cast<std::uint8_t>(1));
}

Expr widen(const Expr& x) { return x.type().is_float() && x.type().bits() < 32 ? Halide::cast<float>(x) : x; }

Expr narrow(const Type& to, const Expr& x) {
  if (x.type() == to) return x;
  const Expr rounded = Halide::cast(to, x);
  if (to.bits() != 16) return rounded;
  // Halide's emulation, used where the processor has no such conversion, makes infinity of NaN.
  const Expr not_a_number = Halide::reinterpret(to, Halide::cast<std::uint16_t>(to.is_bfloat() ? 0x7fc0 : 0x7e00));
  return select(equal(x, x), rounded, not_a_number);
}

}  // namespace calotype::layers::arithmetic
