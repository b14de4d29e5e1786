#pragma once
/// \file
/// What is known of a tensor at compile time: element type and extents in logical order (batch, channels, spatial...).
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calotype {

enum class ElementType : std::uint8_t { f64, f32, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, boolean };

/// Bytes of one element in memory; `boolean` takes one.
std::int64_t bytes_of(ElementType type);

/// The name in the text format: "f32", "bool", ...
std::string_view name_of(ElementType type);

/// The type of that name, or nothing.
std::optional<ElementType> element_type_of(std::string_view name);

bool is_float(ElementType type);
bool is_signed_integer(ElementType type);
bool is_unsigned_integer(ElementType type);

struct TensorType {
  ElementType element = ElementType::f32;
  std::vector<std::int64_t> extents;  ///< logical order; empty for a scalar; an extent may be 0

  int rank() const { return static_cast<int>(extents.size()); }
  std::int64_t elements() const;  ///< product of the extents; throws Failure on overflow
  std::int64_t bytes() const;     ///< elements times the element's size; throws Failure on overflow
  bool operator==(const TensorType&) const = default;
};

/// "f32[1, 3, 224, 224]"
std::string to_text(const TensorType& type);

/// "[1, 3, 224, 224]"
std::string to_text(const std::vector<std::int64_t>& extents);

}  // namespace calotype
