#pragma once
/// \file
/// Arguments of a layer as plain data. What an argument means is the layer's business (layers/layer.h).
#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ir/expression.h"
#include "ir/failure.h"

namespace calotype {

/// A bare word such as `same` or `relu`, as opposed to a string in quotes.
struct Word {
  std::string text;
  bool operator==(const Word&) const = default;
};

/// One value: a number, a word, a string, a list of such, or an expression over symbols that `bind_symbols` replaces by its number.
/// The extents `3x5` are the list [3, 5].
struct Attribute {
  using List = std::vector<Attribute>;
  std::variant<std::int64_t, double, bool, Word, std::string, List, ExpressionPointer> value = std::int64_t{0};
  SourceLocation location = {};
};

/// An argument as written; defaults are not filled in.
struct NamedAttribute {
  std::string name;
  Attribute value;
  SourceLocation location = {};  ///< of the name
};

using Attributes = std::vector<NamedAttribute>;

/// The attribute of that name, or null.
inline const Attribute* find(const Attributes& attributes, std::string_view name) {
  for (const NamedAttribute& attribute : attributes) {
    if (attribute.name == name) return &attribute.value;
  }
  return nullptr;
}

}  // namespace calotype
