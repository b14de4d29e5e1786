#pragma once
/// \file
/// Integer arithmetic that throws in place of wrapping: extents, offsets and counts come from untrusted files.
#include <cstdint>
#include <span>

#include "ir/failure.h"

namespace calotype {

/// a * b; throws Failure(input) on overflow.
inline std::int64_t checked_multiply(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if (__builtin_mul_overflow(a, b, &product)) throw Failure(Fault::input, "a size exceeds 64 bits");
  return product;
}

/// a + b; throws Failure(input) on overflow.
inline std::int64_t checked_add(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) throw Failure(Fault::input, "a size exceeds 64 bits");
  return sum;
}

/// a - b; throws Failure(input) on overflow.
inline std::int64_t checked_subtract(std::int64_t a, std::int64_t b) {
  std::int64_t difference = 0;
  if (__builtin_sub_overflow(a, b, &difference)) throw Failure(Fault::input, "a size exceeds 64 bits");
  return difference;
}

/// Product of the extents, 1 for none; throws Failure(input) on overflow.
inline std::int64_t checked_product(std::span<const std::int64_t> extents) {
  std::int64_t product = 1;
  for (const std::int64_t extent : extents) product = checked_multiply(product, extent);
  return product;
}

}  // namespace calotype
