/// \file
/// Names and sizes of element types, and the checked size of a tensor.
#include "ir/tensor_type.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "ir/checked.h"

namespace calotype {
namespace {

struct Row {
  ElementType type;
  std::string_view name;
  std::int64_t bytes;
};

constexpr std::array<Row, 13> table = {{{ElementType::f64, "f64", 8},
                                        {ElementType::f32, "f32", 4},
                                        {ElementType::f16, "f16", 2},
                                        {ElementType::bf16, "bf16", 2},
                                        {ElementType::i8, "i8", 1},
                                        {ElementType::u8, "u8", 1},
                                        {ElementType::i16, "i16", 2},
                                        {ElementType::u16, "u16", 2},
                                        {ElementType::i32, "i32", 4},
                                        {ElementType::u32, "u32", 4},
                                        {ElementType::i64, "i64", 8},
                                        {ElementType::u64, "u64", 8},
                                        {ElementType::boolean, "bool", 1}}};

const Row& row_of(ElementType type) { return table[static_cast<std::size_t>(type)]; }

}  // namespace

std::int64_t bytes_of(ElementType type) { return row_of(type).bytes; }

std::string_view name_of(ElementType type) { return row_of(type).name; }

std::optional<ElementType> element_type_of(std::string_view name) {
  for (const Row& row : table) {
    if (row.name == name) return row.type;
  }
  return std::nullopt;
}

bool is_float(ElementType type) { return type <= ElementType::bf16; }

bool is_signed_integer(ElementType type) {
  return type == ElementType::i8 || type == ElementType::i16 || type == ElementType::i32 || type == ElementType::i64;
}

bool is_unsigned_integer(ElementType type) {
  return type == ElementType::u8 || type == ElementType::u16 || type == ElementType::u32 || type == ElementType::u64;
}

std::int64_t TensorType::elements() const { return checked_product(extents); }

std::int64_t TensorType::bytes() const { return checked_multiply(elements(), bytes_of(element)); }

std::string to_text(const TensorType& type) { return fmt::format("{}{}", name_of(type.element), to_text(type.extents)); }

std::string to_text(const std::vector<std::int64_t>& extents) { return fmt::format("[{}]", fmt::join(extents, ", ")); }

}  // namespace calotype
