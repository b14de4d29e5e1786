/// \file
/// Rounding to half, bfloat16 and integers.
#include "ir/number_format.h"

#include <bit>
#include <cmath>
#include <limits>
#include <type_traits>

namespace calotype {
namespace {

template <typename T>
bool put(std::span<std::byte> bytes, std::int64_t index, T value) {
  std::memcpy(bytes.data() + static_cast<std::size_t>(index) * sizeof(T), &value, sizeof(T));
  return true;
}

template <typename T>
bool put_whole(std::span<std::byte> bytes, std::int64_t index, double number) {
  // The upper bound as a power of two: max() itself is no double for 64-bit types.
  const double limit = std::ldexp(1.0, std::numeric_limits<T>::digits);
  const double least = std::is_signed_v<T> ? -limit : 0.0;
  if (!(number >= least && number < limit) || number != std::trunc(number)) return false;
  return put(bytes, index, static_cast<T>(number));
}

template <typename T>
bool put_whole(std::span<std::byte> bytes, std::int64_t index, std::int64_t number) {
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (number < 0) return false;
  } else if (number < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
             number > static_cast<std::int64_t>(std::numeric_limits<T>::max())) {
    return false;
  }
  return put(bytes, index, static_cast<T>(number));
}

template <typename Number>
bool store(std::span<std::byte> bytes, ElementType element, std::int64_t index, Number number) {
  switch (element) {
    case ElementType::f64: return put(bytes, index, static_cast<double>(number));
    case ElementType::f32: return put(bytes, index, static_cast<float>(number));
    case ElementType::f16: return put(bytes, index, half_of_float(static_cast<float>(number)));
    case ElementType::bf16: return put(bytes, index, bfloat16_of_float(static_cast<float>(number)));
    case ElementType::i8: return put_whole<std::int8_t>(bytes, index, number);
    case ElementType::u8: return put_whole<std::uint8_t>(bytes, index, number);
    case ElementType::i16: return put_whole<std::int16_t>(bytes, index, number);
    case ElementType::u16: return put_whole<std::uint16_t>(bytes, index, number);
    case ElementType::i32: return put_whole<std::int32_t>(bytes, index, number);
    case ElementType::u32: return put_whole<std::uint32_t>(bytes, index, number);
    case ElementType::i64: return put_whole<std::int64_t>(bytes, index, number);
    case ElementType::u64: return put_whole<std::uint64_t>(bytes, index, number);
    case ElementType::boolean: return put(bytes, index, static_cast<std::uint8_t>(number != 0 ? 1 : 0));
  }
  return false;
}

/// `bits` without its lowest `drop` bits, rounded to nearest, ties to even.
std::uint32_t round_off(std::uint32_t bits, int drop) {
  const std::uint32_t half = 1U << (drop - 1);
  const std::uint32_t kept = bits >> drop;
  const std::uint32_t rest = bits & ((1U << drop) - 1);
  return kept + (rest > half || (rest == half && (kept & 1U) != 0) ? 1U : 0U);
}

}  // namespace

std::uint16_t half_of_float(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  const std::uint32_t magnitude = bits & 0x7fffffffU;
  if (magnitude > 0x7f800000U) return static_cast<std::uint16_t>(sign | 0x7e00U);   // nan
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);  // 65520 and more round to infinity
  const int exponent = static_cast<int>(magnitude >> 23) - 127;
  const std::uint32_t fraction = (magnitude & 0x7fffffU) | 0x800000U;
  if (exponent < -25) return static_cast<std::uint16_t>(sign);
  if (exponent < -14) return static_cast<std::uint16_t>(sign | round_off(fraction, -1 - exponent));  // subnormal: units of 2^-24
  // A carry out of the fraction moves the exponent up by one, which is what it should do.
  return static_cast<std::uint16_t>(sign | (round_off(magnitude, 13) - (112U << 10)));
}

std::uint16_t bfloat16_of_float(float number) {
  const auto bits = std::bit_cast<std::uint32_t>(number);
  if ((bits & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);  // nan stays nan
  return static_cast<std::uint16_t>(round_off(bits, 16));
}

bool store_double(std::span<std::byte> bytes, ElementType element, std::int64_t index, double number) {
  return store(bytes, element, index, number);
}

bool store_integer(std::span<std::byte> bytes, ElementType element, std::int64_t index, std::int64_t number) {
  return store(bytes, element, index, number);
}

}  // namespace calotype
