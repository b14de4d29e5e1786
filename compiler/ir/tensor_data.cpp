/// \file
/// Conversions of stored numbers.
#include "ir/tensor_data.h"

#include <bit>
#include <cmath>

namespace calotype {

float float_of_half(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const int fraction = bits & 1023;
  float magnitude = 0;
  if (exponent == 31) {
    magnitude = fraction != 0 ? std::nanf("") : INFINITY;
  } else if (exponent == 0) {
    magnitude = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    magnitude = std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -magnitude : magnitude;
}

float float_of_bfloat16(std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }

double load_as_double(const TensorData& data, std::int64_t index) {
  switch (data.type.element) {
    case ElementType::f64: return load<double>(data, index);
    case ElementType::f32: return static_cast<double>(load<float>(data, index));
    case ElementType::f16: return static_cast<double>(float_of_half(load<std::uint16_t>(data, index)));
    case ElementType::bf16: return static_cast<double>(float_of_bfloat16(load<std::uint16_t>(data, index)));
    case ElementType::i8: return load<std::int8_t>(data, index);
    case ElementType::boolean:
    case ElementType::u8: return load<std::uint8_t>(data, index);
    case ElementType::i16: return load<std::int16_t>(data, index);
    case ElementType::u16: return load<std::uint16_t>(data, index);
    case ElementType::i32: return load<std::int32_t>(data, index);
    case ElementType::u32: return load<std::uint32_t>(data, index);
    case ElementType::i64: return static_cast<double>(load<std::int64_t>(data, index));
    case ElementType::u64: return static_cast<double>(load<std::uint64_t>(data, index));
  }
  return 0;
}

TensorData to_float32(const TensorData& data) {
  if (data.type.element == ElementType::f32) return data;
  std::vector<float> numbers(static_cast<std::size_t>(data.type.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(load_as_double(data, static_cast<std::int64_t>(i)));
  return own({ElementType::f32, data.type.extents}, std::move(numbers));
}

}  // namespace calotype
