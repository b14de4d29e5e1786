/// \file
/// The arithmetic of one step, on 64-bit integers cut down to the type's bits, on float and on double.
#include "codegen/tape_step.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "ir/number_format.h"
#include "ir/tensor_data.h"

namespace calotype::codegen {
namespace {

using Halide::Type;

/// The low bits, widened by the type's sign.
Slot wrapped(const Type& type, std::uint64_t bits) {
  Slot slot;
  const int unused = 64 - type.bits();
  slot.u = bits << unused;
  if (type.is_int()) {
    slot.i >>= unused;
  } else {
    slot.u >>= unused;
  }
  return slot;
}

bool is_narrow_float(const Type& type) { return type.is_float() && type.bits() == 16; }

/// f32 to the nearest number of a 16-bit type, kept as f32.
float rounded(const Type& type, float number) {
  if (!is_narrow_float(type)) return number;
  return type.is_bfloat() ? float_of_bfloat16(bfloat16_of_float(number)) : float_of_half(half_of_float(number));
}

Slot real_slot(const Type& type, double number) {
  Slot slot{};
  if (type.bits() == 64) {
    slot.d = number;
  } else {
    slot.f = rounded(type, static_cast<float>(number));
  }
  return slot;
}

Slot flag_slot(bool flag) {
  Slot slot{};
  slot.u = flag ? 1 : 0;
  return slot;
}

double real_of(const Type& type, Slot slot) {
  if (type.is_float()) return type.bits() == 64 ? slot.d : static_cast<double>(slot.f);
  return type.is_int() ? static_cast<double>(slot.i) : static_cast<double>(slot.u);
}

/// Halide leaves a float beyond the integer undefined; definitions clamp before. As x86 has it: the least integer.
std::int64_t integer_of(double number) {
  if (!(number > -9.3e18 && number < 9.2233720368547758e18))
    return number >= 9.2233720368547758e18 && number < 1.8446744073709552e19 ? static_cast<std::int64_t>(static_cast<std::uint64_t>(number))
                                                                             : std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(number);
}

Slot convert(const Step& step, Slot x) {
  const Type &from = step.from, &to = step.to;
  if (to.is_float()) {
    // One rounding: from 64-bit integers straight to f32.
    Slot slot{};
    if (to.bits() == 64) {
      slot.d = real_of(from, x);
    } else if (from.is_float()) {
      slot.f = rounded(to, from.bits() == 64 ? static_cast<float>(x.d) : x.f);
    } else {
      slot.f = rounded(to, from.is_int() ? static_cast<float>(x.i) : static_cast<float>(x.u));
    }
    return slot;
  }
  if (to.bits() == 1) return flag_slot(from.is_float() ? real_of(from, x) != 0 : x.u != 0);
  if (from.is_float()) return wrapped(to, static_cast<std::uint64_t>(integer_of(real_of(from, x))));
  return wrapped(to, x.u);
}

Slot reinterpreted(const Step& step, Slot x) {
  std::byte bytes[8] = {};
  store_slot(step.from, bytes, x);
  return load_slot(step.to, bytes);
}

/// Halide's division and remainder: rounded so that the remainder is not negative; by zero 0.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return static_cast<std::int64_t>(-static_cast<std::uint64_t>(a));
  const std::int64_t quotient = a / b, rest = a % b;
  return rest < 0 ? quotient - (b > 0 ? 1 : -1) : quotient;
}

std::int64_t floor_remainder(std::int64_t a, std::int64_t b) {
  if (b == 0 || b == -1) return 0;
  const std::int64_t rest = a % b;
  return rest < 0 ? rest + (b > 0 ? b : -b) : rest;
}

template <typename T>
T float_function(Operation operation, T a, T b) {
  switch (operation) {
    case Operation::add: return a + b;
    case Operation::subtract: return a - b;
    case Operation::multiply: return a * b;
    case Operation::divide: return a / b;
    case Operation::remainder: return std::fmod(a, b);
    case Operation::minimum: return b < a ? b : a;
    case Operation::maximum: return a < b ? b : a;
    case Operation::absolute: return std::fabs(a);
    case Operation::square_root: return std::sqrt(a);
    case Operation::floor: return std::floor(a);
    case Operation::ceil: return std::ceil(a);
    case Operation::truncate: return std::trunc(a);
    case Operation::round: return std::nearbyint(a);
    case Operation::power: return std::pow(a, b);
    case Operation::exponential: return std::exp(a);
    case Operation::logarithm: return std::log(a);
    case Operation::sine: return std::sin(a);
    case Operation::cosine: return std::cos(a);
    case Operation::tangent: return std::tan(a);
    case Operation::arc_sine: return std::asin(a);
    case Operation::arc_cosine: return std::acos(a);
    case Operation::arc_tangent: return std::atan(a);
    case Operation::arc_tangent2: return std::atan2(a, b);
    case Operation::hyperbolic_sine: return std::sinh(a);
    case Operation::hyperbolic_cosine: return std::cosh(a);
    case Operation::hyperbolic_tangent: return std::tanh(a);
    case Operation::arc_hyperbolic_sine: return std::asinh(a);
    case Operation::arc_hyperbolic_cosine: return std::acosh(a);
    case Operation::arc_hyperbolic_tangent: return std::atanh(a);
    default: throw NotOnTape("an operation of integers on floats");
  }
}

std::uint64_t shifted(const Type& type, Slot x, std::int64_t count) {
  // A negative count shifts the other way, as Halide has it.
  const std::int64_t bits = type.bits();
  if (count >= 0) return count >= bits ? 0 : x.u << count;
  const std::int64_t right = std::min<std::int64_t>(-count, type.is_int() ? bits - 1 : bits);
  if (right >= 64) return type.is_int() && x.i < 0 ? ~std::uint64_t{0} : 0;
  return type.is_int() ? static_cast<std::uint64_t>(x.i >> right) : x.u >> right;
}

std::uint64_t integer_function(Operation operation, const Step& step, Slot a, Slot b) {
  const bool is_signed = step.from.is_int();
  const auto bits = static_cast<unsigned>(step.from.bits());
  switch (operation) {
    case Operation::add: return a.u + b.u;
    case Operation::subtract: return a.u - b.u;
    case Operation::multiply: return a.u * b.u;
    case Operation::divide: return is_signed ? static_cast<std::uint64_t>(floor_divide(a.i, b.i)) : b.u == 0 ? 0 : a.u / b.u;
    case Operation::remainder: return is_signed ? static_cast<std::uint64_t>(floor_remainder(a.i, b.i)) : b.u == 0 ? 0 : a.u % b.u;
    case Operation::truncating_divide:
      if (b.u == 0) return 0;
      if (!is_signed) return a.u / b.u;
      return b.i == -1 ? -a.u : static_cast<std::uint64_t>(a.i / b.i);
    case Operation::truncating_remainder:
      if (b.u == 0) return 0;
      if (!is_signed) return a.u % b.u;
      return b.i == -1 ? 0 : static_cast<std::uint64_t>(a.i % b.i);
    case Operation::minimum: return is_signed ? (b.i < a.i ? b.u : a.u) : (b.u < a.u ? b.u : a.u);
    case Operation::maximum: return is_signed ? (a.i < b.i ? b.u : a.u) : (a.u < b.u ? b.u : a.u);
    case Operation::absolute: return is_signed && a.i < 0 ? -a.u : a.u;
    case Operation::bit_and: return a.u & b.u;
    case Operation::bit_or: return a.u | b.u;
    case Operation::bit_xor: return a.u ^ b.u;
    case Operation::bit_not: return ~a.u;
    case Operation::shift_left: return shifted(step.from, a, b.i);
    case Operation::shift_right: return shifted(step.from, a, -b.i);
    case Operation::leading_zeros: {
      const std::uint64_t cut = bits == 64 ? a.u : a.u & ((std::uint64_t{1} << bits) - 1);
      return static_cast<std::uint64_t>(std::countl_zero(cut)) - (64 - bits);
    }
    case Operation::trailing_zeros: return std::min<std::uint64_t>(bits, static_cast<std::uint64_t>(std::countr_zero(a.u)));
    case Operation::population: return static_cast<std::uint64_t>(std::popcount(bits == 64 ? a.u : a.u & ((std::uint64_t{1} << bits) - 1)));
    default: throw NotOnTape("an operation of floats on integers");
  }
}

template <typename T>
bool compared(Operation operation, T a, T b) {
  return operation == Operation::equal ? a == b : operation == Operation::less ? a < b : a <= b;
}

bool comparison(Operation operation, const Type& type, Slot a, Slot b) {
  if (!type.is_float()) return type.is_int() ? compared(operation, a.i, b.i) : compared(operation, a.u, b.u);
  return type.bits() == 64 ? compared(operation, a.d, b.d) : compared(operation, a.f, b.f);
}

}  // namespace

Slot apply(const Step& step, const Slot* x) {
  const auto operation = static_cast<Operation>(step.operation);
  switch (operation) {
    case Operation::convert: return convert(step, x[0]);
    case Operation::reinterpret: return reinterpreted(step, x[0]);
    case Operation::equal:
    case Operation::less:
    case Operation::less_equal: return flag_slot(comparison(operation, step.from, x[0], x[1]));
    case Operation::logical_and: return flag_slot(x[0].u != 0 && x[1].u != 0);
    case Operation::logical_or: return flag_slot(x[0].u != 0 || x[1].u != 0);
    case Operation::logical_not: return flag_slot(x[0].u == 0);
    case Operation::select: return x[0].u != 0 ? x[1] : x[2];
    case Operation::copy: return x[0];
    case Operation::is_nan: return flag_slot(std::isnan(real_of(step.from, x[0])));
    case Operation::is_infinite: return flag_slot(std::isinf(real_of(step.from, x[0])));
    case Operation::is_finite: return flag_slot(std::isfinite(real_of(step.from, x[0])));
    default: break;
  }
  const Slot b = step.operands.size() > 1 ? x[1] : Slot{};
  if (!step.from.is_float()) return wrapped(step.to, integer_function(operation, step, x[0], b));
  Slot slot{};
  if (step.from.bits() == 64) {
    slot.d = float_function(operation, x[0].d, b.d);
  } else {
    slot.f = rounded(step.from, float_function(operation, x[0].f, b.f));
  }
  return slot;
}

Slot load_slot(const Type& type, const void* at) {
  if (type.is_float() && type.bits() == 16) {
    std::uint16_t bits = 0;
    std::memcpy(&bits, at, sizeof bits);
    Slot slot{};
    slot.f = type.is_bfloat() ? float_of_bfloat16(bits) : float_of_half(bits);
    return slot;
  }
  Slot slot{};
  std::memcpy(&slot, at, static_cast<std::size_t>(type.bytes()));
  return type.is_float() ? slot : wrapped(type, slot.u);
}

void store_slot(const Type& type, void* at, Slot slot) {
  if (type.is_float() && type.bits() == 16) {
    const std::uint16_t bits = type.is_bfloat() ? bfloat16_of_float(slot.f) : half_of_float(slot.f);
    std::memcpy(at, &bits, sizeof bits);
    return;
  }
  std::memcpy(at, &slot, static_cast<std::size_t>(type.bytes()));
}

Slot constant_slot(const Type& type, std::int64_t number) { return wrapped(type, static_cast<std::uint64_t>(number)); }
Slot constant_slot(const Type& type, std::uint64_t number) { return wrapped(type, number); }
Slot constant_slot(const Type& type, double number) { return real_slot(type, number); }

std::int64_t index_of(const Type&, Slot slot) { return slot.i; }

}  // namespace calotype::codegen
