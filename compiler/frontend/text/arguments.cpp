/// \file
/// Integer arithmetic of arguments. Numbers fold at once; what depends on a symbol stays a tree until passes::bind_symbols.
#include "frontend/text/arguments.h"

#include <fmt/format.h>

#include "frontend/text/reserved_words.h"
#include "layers/layer.h"

namespace calotype::frontend::text {
namespace {

using Kind = Value::Kind;

constexpr int most_nodes = 1000;  // of one expression, parameters replaced

ExpressionPointer number(std::int64_t value, SourceLocation where) {
  return std::make_shared<const Expression>(Expression{Expression::Kind::number, value, {}, nullptr, nullptr, std::move(where)});
}

ExpressionPointer symbol(std::string name, SourceLocation where) {
  return std::make_shared<const Expression>(Expression{Expression::Kind::symbol, 0, std::move(name), nullptr, nullptr, std::move(where)});
}

/// Nodes of the tree, counted up to a limit only: parameters can make it share subtrees many times over.
int nodes(const Expression& expression, int limit) {
  if (limit <= 0) return 1;
  int count = 1;
  if (expression.left) count += nodes(*expression.left, limit - count);
  if (expression.right && count < limit) count += nodes(*expression.right, limit - count);
  return count;
}

Expression::Kind kind_of(Kind kind) {
  switch (kind) {
    case Kind::add: return Expression::Kind::add;
    case Kind::multiply: return Expression::Kind::multiply;
    case Kind::divide: return Expression::Kind::divide;
    default: return Expression::Kind::subtract;
  }
}

std::int64_t count(const Attribute& attribute) {
  const auto* list = std::get_if<Attribute::List>(&attribute.value);
  if (!list) return 1;
  std::int64_t total = 1;
  for (const Attribute& item : *list) total += count(item);
  return total;
}

class Reader {
 public:
  explicit Reader(const Environment& environment) : environment_(environment) {}

  Attribute read(const Value& value) {
    Attribute attribute{std::int64_t{0}, at(value.span)};
    switch (value.kind) {
      case Kind::integer: attribute.value = value.integer; break;
      case Kind::real: attribute.value = value.real; break;
      case Kind::boolean: attribute.value = value.integer != 0; break;
      case Kind::string: attribute.value = value.text; break;
      case Kind::name: return name(value);
      case Kind::list: {
        Attribute::List list;
        list.reserve(value.items.size());
        for (const Value& item : value.items) list.push_back(read(item));
        attribute.value = std::move(list);
        break;
      }
      case Kind::absent: fail(value, "'_' stands for an absent operand; an argument is left out instead");
      case Kind::type: fail(value, "a type with extents stands in parameter(...) only");
      default: return attribute_of(arithmetic(value), at(value.span));
    }
    return attribute;
  }

  ExpressionPointer arithmetic(const Value& value) {
    switch (value.kind) {
      case Kind::integer: return number(value.integer, at(value.span));
      case Kind::name: return term(value);
      case Kind::group: return value.items[0].kind == Kind::string ? term(value.items[0]) : arithmetic(value.items[0]);
      case Kind::negate: return combine(Kind::subtract, number(0, at(value.span)), arithmetic(value.items[0]), value);
      case Kind::add:
      case Kind::subtract:
      case Kind::multiply:
      case Kind::divide: {
        const ExpressionPointer left = arithmetic(value.items[0]);
        return combine(value.kind, left, arithmetic(value.items[1]), value);
      }
      default: fail(value, fmt::format("arithmetic is on integers, and {} is none", environment_.source->text(value.span)));
    }
  }

 private:
  SourceLocation at(Span span) const { return environment_.source->at(span); }

  [[noreturn]] void fail(const Value& value, std::string message, std::vector<std::string> notes = {}) const {
    throw Failure(Fault::input, std::move(message), at(value.span), std::move(notes));
  }

  static Attribute attribute_of(const ExpressionPointer& expression, SourceLocation where) {
    if (expression->kind == Expression::Kind::number) return {expression->number, std::move(where)};
    return {expression, std::move(where)};
  }

  const Attribute* parameter(const std::string& name) const {
    if (!environment_.parameters) return nullptr;
    const auto found = environment_.parameters->find(name);
    return found == environment_.parameters->end() ? nullptr : &found->second;
  }

  bool is_symbol(const std::string& name) const { return !environment_.symbols || environment_.symbols->contains(name); }

  Attribute name(const Value& value) const {
    if (const Attribute* bound = parameter(value.text)) {
      if (environment_.budget && (*environment_.budget -= count(*bound)) < 0) fail(value, "the blocks' arguments grow beyond all bounds");
      return {bound->value, bound->location ? bound->location : at(value.span)};
    }
    // A symbol that was quoted in the header may be named like a word; unquoted, that is the word.
    if (is_symbol(value.text) && why_reserved(value.text).empty()) return {symbol(value.text, at(value.span)), at(value.span)};
    return {Word{value.text}, at(value.span)};
  }

  /// A name inside arithmetic: a parameter that is a number, or a symbol.
  ExpressionPointer term(const Value& value) const {
    if (const Attribute* bound = value.kind == Kind::name ? parameter(value.text) : nullptr) {
      if (const auto* integer = std::get_if<std::int64_t>(&bound->value)) return number(*integer, bound->location);
      if (const auto* expression = std::get_if<ExpressionPointer>(&bound->value)) return *expression;
      fail(value, fmt::format("arithmetic is on integers, and '{}' is none here", value.text),
           {fmt::format("'{}' was given in line {}", value.text, bound->location.line)});
    }
    if (is_symbol(value.text)) return symbol(value.text, at(value.span));
    std::vector<std::string_view> candidates;
    if (environment_.symbols) candidates.assign(environment_.symbols->begin(), environment_.symbols->end());
    if (environment_.parameters) {
      for (const auto& [name, unused] : *environment_.parameters) candidates.push_back(name);
    }
    const std::string nearest = layers::nearest_name(value.text, candidates);
    if (!nearest.empty()) fail(value, fmt::format("unknown name '{}' in arithmetic; did you mean '{}'?", value.text, nearest));
    fail(value, fmt::format("unknown name '{}' in arithmetic", value.text),
         {"arithmetic is on numbers, parameters of the block and symbols of the network's inputs"});
  }

  ExpressionPointer combine(Kind kind, ExpressionPointer left, ExpressionPointer right, const Value& value) const {
    const bool known = left->kind == Expression::Kind::number && right->kind == Expression::Kind::number;
    if (kind == Kind::divide && right->kind == Expression::Kind::number && right->number == 0) fail(value, "division by zero");
    if (nodes(*left, most_nodes) + nodes(*right, most_nodes) >= most_nodes)
      fail(value, fmt::format("the expression has more than {} terms", most_nodes));
    const Expression whole{kind_of(kind), 0, {}, std::move(left), std::move(right), at(value.span)};
    if (!known) return std::make_shared<const Expression>(whole);
    try {
      return number(evaluate(whole, {}), at(value.span));
    } catch (const Failure& failure) {
      fail(value, failure.diagnostics().front().message);
    }
  }

  const Environment& environment_;
};

}  // namespace

Attribute attribute_of(const Value& value, const Environment& environment) { return Reader(environment).read(value); }

Dimension dimension_of(const Value& value, const Environment& environment) {
  Value dimension = value;
  if (dimension.kind == Kind::string) dimension = {Kind::group, value.span, 0, 0, {}, {value}};
  const ExpressionPointer extent = Reader(environment).arithmetic(dimension);
  if (extent->kind != Expression::Kind::number) return extent;
  if (extent->number < 0)
    throw Failure(Fault::input, fmt::format("an extent is at least 0, not {}", extent->number), environment.source->at(value.span));
  return extent->number;
}

void collect_names(const Value& value, std::vector<Name>& names) {
  if (value.kind == Kind::name) names.push_back({value.text, value.span});
  for (const Value& item : value.items) collect_names(item, names);
}

}  // namespace calotype::frontend::text
