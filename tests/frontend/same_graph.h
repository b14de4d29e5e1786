#pragma once
/// \file
/// Equality of graphs apart from locations, for the tests of the printer.
#include <cmath>
#include <string>

#include "ir/graph.h"

namespace calotype {

inline bool same(const Expression& a, const Expression& b) {
  const auto same_part = [](const ExpressionPointer& x, const ExpressionPointer& y) { return x && y ? same(*x, *y) : !x && !y; };
  return a.kind == b.kind && a.number == b.number && a.symbol == b.symbol && same_part(a.left, b.left) && same_part(a.right, b.right);
}

inline bool same(const Attribute& a, const Attribute& b) {
  if (a.value.index() != b.value.index()) return false;
  if (const auto* list = std::get_if<Attribute::List>(&a.value)) {
    const auto& other = std::get<Attribute::List>(b.value);
    if (list->size() != other.size()) return false;
    for (std::size_t i = 0; i < list->size(); ++i) {
      if (!same((*list)[i], other[i])) return false;
    }
    return true;
  }
  if (const auto* real = std::get_if<double>(&a.value)) {
    const double other = std::get<double>(b.value);
    return (std::isnan(*real) && std::isnan(other)) || (*real == other && std::signbit(*real) == std::signbit(other));
  }
  if (const auto* expression = std::get_if<ExpressionPointer>(&a.value)) return same(**expression, *std::get<ExpressionPointer>(b.value));
  if (const auto* number = std::get_if<std::int64_t>(&a.value)) return *number == std::get<std::int64_t>(b.value);
  if (const auto* flag = std::get_if<bool>(&a.value)) return *flag == std::get<bool>(b.value);
  if (const auto* word = std::get_if<Word>(&a.value)) return *word == std::get<Word>(b.value);
  return std::get<std::string>(a.value) == std::get<std::string>(b.value);
}

inline bool same(const Declaration& a, const Declaration& b) {
  if (a.element != b.element || a.channels_last != b.channels_last || a.stated != b.stated || a.dimensions.size() != b.dimensions.size())
    return false;
  for (std::size_t i = 0; i < a.dimensions.size(); ++i) {
    if (a.dimensions[i].index() != b.dimensions[i].index()) return false;
    const auto* expression = std::get_if<ExpressionPointer>(&a.dimensions[i]);
    if (expression ? !same(**expression, *std::get<ExpressionPointer>(b.dimensions[i]))
                   : std::get<std::int64_t>(a.dimensions[i]) != std::get<std::int64_t>(b.dimensions[i])) {
      return false;
    }
  }
  return true;
}

/// The first difference in words, or nothing.
inline std::string difference(const Graph& a, const Graph& b) {
  if (a.name != b.name) return "the name";
  if (a.weight_files != b.weight_files) return "the weight files";
  if (a.values.size() != b.values.size()) return "how many values there are";
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (a.values[i].name != b.values[i].name || a.values[i].origin != b.values[i].origin || a.values[i].producer != b.values[i].producer) {
      return "value " + a.values[i].name;
    }
  }
  if (a.inputs.size() != b.inputs.size()) return "how many inputs there are";
  for (std::size_t i = 0; i < a.inputs.size(); ++i) {
    if (a.inputs[i].value != b.inputs[i].value || !same(a.inputs[i].declaration, b.inputs[i].declaration)) return "an input";
  }
  if (a.results.size() != b.results.size()) return "how many results there are";
  for (std::size_t i = 0; i < a.results.size(); ++i) {
    const GraphResult &x = a.results[i], &y = b.results[i];
    if (x.name != y.name || x.value != y.value || !same(x.declaration, y.declaration)) return "result " + x.name;
  }
  if (a.ops.size() != b.ops.size()) return "how many ops there are";
  for (std::size_t i = 0; i < a.ops.size(); ++i) {
    const Op &x = a.ops[i], &y = b.ops[i];
    if (x.name != y.name || x.kind != y.kind || x.operands != y.operands || x.results != y.results) return "op " + x.name;
    if (x.attributes.size() != y.attributes.size()) return "how many arguments " + x.name + " has";
    for (std::size_t j = 0; j < x.attributes.size(); ++j) {
      if (x.attributes[j].name != y.attributes[j].name || !same(x.attributes[j].value, y.attributes[j].value)) {
        return "argument " + x.attributes[j].name + " of " + x.name;
      }
    }
  }
  return {};
}

}  // namespace calotype
