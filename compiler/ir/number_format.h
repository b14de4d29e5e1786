#pragma once
/// \file
/// Narrow floats from wide ones, rounded to nearest even; the inverse of float_of_half and float_of_bfloat16 (ir/tensor_data.h).
#include <cstdint>

#include "ir/tensor_data.h"

namespace calotype {

std::uint16_t half_of_float(float number);
std::uint16_t bfloat16_of_float(float number);

/// Stores the number as element `index` of `bytes`. Floats round to nearest, bool is 0 or 1; an integer type must be able to hold it:
/// false where it cannot, and nothing is stored.
bool store_double(std::span<std::byte> bytes, ElementType element, std::int64_t index, double number);
bool store_integer(std::span<std::byte> bytes, ElementType element, std::int64_t index, std::int64_t number);

}  // namespace calotype
