#pragma once
/// \file
/// Tensors written in a description as nested lists of numbers: `[[0.25], [0.5]]`.
#include <cstdint>
#include <vector>

#include "ir/attribute.h"
#include "ir/tensor_data.h"

namespace calotype {

/// Does the attribute hold a tensor: a number, `true` or `false`, or nested lists of such?
bool is_tensor(const Attribute& attribute);

/// Extents of the nested lists, outermost first; none for a lone number. Throws Failure(input) where lists of one level differ in length,
/// where numbers and lists mix, or for what is no number.
std::vector<std::int64_t> inline_extents(const Attribute& attribute);

/// The element type that the numbers ask for: bool if all are true or false, i64 if all are whole numbers written as such, else f32.
ElementType inline_element_type(const Attribute& attribute);

/// The numbers as a tensor of that element type. Throws Failure(input) for a number that an integer type cannot hold; reals round to nearest.
TensorData inline_tensor(const Attribute& attribute, ElementType element);

/// Repeats `data` as NumPy broadcasts it to `extents` (trailing dimensions align, extent 1 repeats); false where that does not fit.
bool broadcast_to(TensorData& data, const std::vector<std::int64_t>& extents);

}  // namespace calotype
