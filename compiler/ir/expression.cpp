/// \file
/// Evaluation and printing of integer expressions.
#include "ir/expression.h"

#include <fmt/format.h>

#include "ir/checked.h"

namespace calotype {
namespace {

using Kind = Expression::Kind;

int precedence(Kind kind) {
  return kind == Kind::add || kind == Kind::subtract ? 1 : kind == Kind::multiply || kind == Kind::divide ? 2 : 3;
}

std::string operand_text(const Expression& operand, int least) {
  const std::string text = to_text(operand);
  const bool negative_number = operand.kind == Kind::number && operand.number < 0;
  return precedence(operand.kind) < least || negative_number ? fmt::format("({})", text) : text;
}

std::int64_t divide_exactly(std::int64_t a, std::int64_t b, const Expression& at) {
  if (b == 0) throw Failure(Fault::input, fmt::format("division by zero in {}", to_text(at)), at.location);
  if (b == -1) return checked_subtract(0, a);
  if (a % b != 0) throw Failure(Fault::input, fmt::format("{} / {} leaves a remainder; divisions must be exact", a, b), at.location);
  return a / b;
}

}  // namespace

std::int64_t evaluate(const Expression& expression, const Symbols& symbols) {
  switch (expression.kind) {
    case Kind::number: return expression.number;
    case Kind::symbol: {
      const auto found = symbols.find(expression.symbol);
      if (found != symbols.end()) return found->second;
      throw Failure(Fault::input, fmt::format("symbol '{0}' has no value; give it with --set {0}=...", expression.symbol),
                    expression.location);
    }
    default: break;
  }
  const std::int64_t a = evaluate(*expression.left, symbols);
  const std::int64_t b = evaluate(*expression.right, symbols);
  switch (expression.kind) {
    case Kind::add: return checked_add(a, b);
    case Kind::subtract: return checked_subtract(a, b);
    case Kind::multiply: return checked_multiply(a, b);
    default: return divide_exactly(a, b, expression);
  }
}

std::string to_text(const Expression& expression) {
  switch (expression.kind) {
    case Kind::number: return fmt::format("{}", expression.number);
    case Kind::symbol: return expression.symbol;
    default: break;
  }
  const int level = precedence(expression.kind);
  const char* sign = expression.kind == Kind::add        ? "+"
                     : expression.kind == Kind::subtract ? "-"
                     : expression.kind == Kind::multiply ? "*"
                                                         : "/";
  return fmt::format("{} {} {}", operand_text(*expression.left, level), sign, operand_text(*expression.right, level + 1));
}

}  // namespace calotype
