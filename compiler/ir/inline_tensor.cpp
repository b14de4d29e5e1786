/// \file
/// Nested lists to tensors.
#include "ir/inline_tensor.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "ir/number_format.h"

namespace calotype {
namespace {

using List = Attribute::List;

bool is_number(const Attribute& attribute) {
  return std::holds_alternative<std::int64_t>(attribute.value) || std::holds_alternative<double>(attribute.value) ||
         std::holds_alternative<bool>(attribute.value);
}

void check_level(const Attribute& attribute, const std::vector<std::int64_t>& extents, std::size_t level) {
  if (level == extents.size()) {
    if (is_number(attribute)) return;
    const bool deeper = std::holds_alternative<List>(attribute.value);
    throw Failure(Fault::input, deeper ? "lists and numbers stand side by side in this tensor" : "a tensor holds numbers only",
                  attribute.location);
  }
  const List* list = std::get_if<List>(&attribute.value);
  if (list == nullptr) throw Failure(Fault::input, "lists and numbers stand side by side in this tensor", attribute.location);
  if (static_cast<std::int64_t>(list->size()) != extents[level]) {
    throw Failure(Fault::input, fmt::format("this list has {} entries where the first of its level has {}", list->size(), extents[level]),
                  attribute.location);
  }
  for (const Attribute& entry : *list) check_level(entry, extents, level + 1);
}

template <typename Visit>
void each_number(const Attribute& attribute, const Visit& visit) {
  if (const List* list = std::get_if<List>(&attribute.value)) {
    for (const Attribute& entry : *list) each_number(entry, visit);
  } else {
    visit(attribute);
  }
}

}  // namespace

bool is_tensor(const Attribute& attribute) {
  const List* list = std::get_if<List>(&attribute.value);
  return list == nullptr ? is_number(attribute) : std::all_of(list->begin(), list->end(), is_tensor);
}

std::vector<std::int64_t> inline_extents(const Attribute& attribute) {
  std::vector<std::int64_t> extents;
  for (const Attribute* level = &attribute; const List* list = std::get_if<List>(&level->value);) {
    extents.push_back(static_cast<std::int64_t>(list->size()));
    if (list->empty()) break;
    level = &list->front();
  }
  check_level(attribute, extents, 0);
  return extents;
}

ElementType inline_element_type(const Attribute& attribute) {
  bool all_boolean = true;
  bool all_whole = true;
  bool any = false;
  each_number(attribute, [&](const Attribute& number) {
    any = true;
    all_boolean = all_boolean && std::holds_alternative<bool>(number.value);
    all_whole = all_whole && std::holds_alternative<std::int64_t>(number.value);
  });
  if (!any) return ElementType::f32;
  return all_boolean ? ElementType::boolean : all_whole ? ElementType::i64 : ElementType::f32;
}

TensorData inline_tensor(const Attribute& attribute, ElementType element) {
  const TensorType type{element, inline_extents(attribute)};
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  std::int64_t index = 0;
  each_number(attribute, [&](const Attribute& number) {
    bool fits = true;
    if (const auto* whole = std::get_if<std::int64_t>(&number.value)) {
      fits = store_integer(bytes, element, index, *whole);
    } else if (const auto* real = std::get_if<double>(&number.value)) {
      fits = store_double(bytes, element, index, *real);
    } else {
      fits = store_integer(bytes, element, index, std::get<bool>(number.value) ? 1 : 0);
    }
    if (!fits) throw Failure(Fault::input, fmt::format("this number does not fit {}", name_of(element)), number.location);
    ++index;
  });
  return own(type, std::move(bytes));
}

bool broadcast_to(TensorData& data, const std::vector<std::int64_t>& extents) {
  if (data.type.extents == extents) return true;
  const std::size_t rank = extents.size();
  if (data.type.extents.size() > rank) return false;
  std::vector<std::int64_t> from(rank - data.type.extents.size(), 1);
  from.insert(from.end(), data.type.extents.begin(), data.type.extents.end());
  std::vector<std::size_t> stride(rank, 0);
  std::size_t step = static_cast<std::size_t>(bytes_of(data.type.element));
  for (std::size_t i = rank; i-- > 0;) {
    if (from[i] != extents[i] && from[i] != 1) return false;
    if (from[i] == extents[i]) stride[i] = step;
    step *= static_cast<std::size_t>(from[i]);
  }

  const TensorType type{data.type.element, extents};
  const auto width = static_cast<std::size_t>(bytes_of(type.element));
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  std::vector<std::int64_t> index(rank, 0);
  for (std::size_t to = 0; to < bytes.size(); to += width) {
    std::size_t at = 0;
    for (std::size_t i = 0; i < rank; ++i) at += static_cast<std::size_t>(index[i]) * stride[i];
    std::memcpy(bytes.data() + to, data.bytes.data() + at, width);
    for (std::size_t i = rank; i-- > 0;) {
      if (++index[i] < extents[i]) break;
      index[i] = 0;
    }
  }
  data = own(type, std::move(bytes));
  return true;
}

}  // namespace calotype
