#pragma once
/// \file
/// Integer expressions over the symbols of a description: `N`, `2 * C`, `(H - 1) / 2`. Immutable trees, shared freely.
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "ir/failure.h"

namespace calotype {

struct Expression;
using ExpressionPointer = std::shared_ptr<const Expression>;
using Symbols = std::map<std::string, std::int64_t>;

/// A number, a symbol, or two operands joined by one of + - * /. Negation is `0 - x`.
struct Expression {
  enum class Kind { number, symbol, add, subtract, multiply, divide };
  Kind kind = Kind::number;
  std::int64_t number = 0;
  std::string symbol = {};
  ExpressionPointer left = {}, right = {};
  SourceLocation location = {};
};

/// The value with the symbols replaced; throws Failure(input) for an unbound symbol, an inexact division or an overflow.
std::int64_t evaluate(const Expression& expression, const Symbols& symbols);

/// The text that parses to the same tree, with only the parentheses that it needs.
std::string to_text(const Expression& expression);

}  // namespace calotype
