/// \file
/// Gives symbols their numbers: those of --set, and 1 for the batch that nobody gave.
#include <fmt/format.h>

#include <set>

#include "layers/layer.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

void collect(const Expression& expression, std::set<std::string>& names) {
  if (expression.kind == Expression::Kind::symbol) names.insert(expression.symbol);
  if (expression.left) collect(*expression.left, names);
  if (expression.right) collect(*expression.right, names);
}

void collect(const Attribute& attribute, std::set<std::string>& names) {
  if (const auto* expression = std::get_if<ExpressionPointer>(&attribute.value)) collect(**expression, names);
  if (const auto* list = std::get_if<Attribute::List>(&attribute.value)) {
    for (const Attribute& item : *list) collect(item, names);
  }
}

void collect(const Declaration& declaration, std::set<std::string>& names) {
  for (const Dimension& dimension : declaration.dimensions) {
    if (const auto* expression = std::get_if<ExpressionPointer>(&dimension)) collect(**expression, names);
  }
}

std::set<std::string> symbols_of(const Graph& graph) {
  std::set<std::string> names;
  for (const GraphInput& input : graph.inputs) collect(input.declaration, names);
  for (const GraphResult& result : graph.results) collect(result.declaration, names);
  for (const Op& op : graph.ops) {
    for (const NamedAttribute& attribute : op.attributes) collect(attribute.value, names);
  }
  return names;
}

Diagnostic no_such_symbol(const std::string& given, const std::set<std::string>& known) {
  const std::string nearest = layers::nearest_name(given, {known.begin(), known.end()});
  Diagnostic diagnostic{Fault::usage, {}, fmt::format("--set {}: the network has no symbol '{}'", given, given)};
  if (!nearest.empty()) diagnostic.message += fmt::format("; did you mean '{}'?", nearest);
  if (nearest.empty()) diagnostic.notes.push_back(known.empty() ? "it has none at all" : fmt::format("it has {}", fmt::join(known, ", ")));
  return diagnostic;
}

/// Replaces expressions and remembers what went wrong: each symbol without a value once.
class Binder {
 public:
  explicit Binder(const Symbols& symbols) : symbols_(symbols) {}

  void bind(Declaration& declaration, const SourceLocation& where) {
    for (Dimension& dimension : declaration.dimensions) {
      const auto* expression = std::get_if<ExpressionPointer>(&dimension);
      if (!expression) continue;
      const ExpressionPointer kept = *expression;
      const SourceLocation& at = kept->location ? kept->location : where;
      if (const std::optional<std::int64_t> number = value_of(*kept, at)) {
        if (*number < 0) add({Fault::input, at, fmt::format("{} is {}; an extent is at least 0", to_text(*kept), *number)});
        dimension = *number;
      }
    }
  }

  void bind(Attribute& attribute) {
    if (const auto* expression = std::get_if<ExpressionPointer>(&attribute.value)) {
      if (const std::optional<std::int64_t> number = value_of(**expression, attribute.location)) attribute.value = *number;
    } else if (auto* list = std::get_if<Attribute::List>(&attribute.value)) {
      for (Attribute& item : *list) bind(item);
    }
  }

  void add(Diagnostic diagnostic) {
    if (known_.insert(diagnostic.message).second) diagnostics_.push_back(std::move(diagnostic));
  }

  void throw_if_any() {
    if (!diagnostics_.empty()) throw Failure(std::move(diagnostics_));
  }

 private:
  std::optional<std::int64_t> value_of(const Expression& expression, const SourceLocation& where) {
    try {
      return evaluate(expression, symbols_);
    } catch (const Failure& failure) {
      for (Diagnostic diagnostic : failure.diagnostics()) {
        if (!diagnostic.where) diagnostic.where = where;
        add(std::move(diagnostic));
      }
      return std::nullopt;
    }
  }

  const Symbols& symbols_;
  std::vector<Diagnostic> diagnostics_;
  std::set<std::string> known_;
};

}  // namespace

void bind_symbols(Graph& graph, Symbols symbols) {
  const std::set<std::string> known = symbols_of(graph);
  std::vector<Diagnostic> unknown;
  for (const auto& [name, number] : symbols) {
    if (!known.contains(name)) unknown.push_back(no_such_symbol(name, known));
  }
  if (!unknown.empty()) throw Failure(std::move(unknown));

  for (const GraphInput& input : graph.inputs) {
    if (input.declaration.dimensions.empty()) continue;
    const auto* first = std::get_if<ExpressionPointer>(&input.declaration.dimensions.front());
    if (first && (*first)->kind == Expression::Kind::symbol) symbols.emplace((*first)->symbol, 1);
  }

  Binder binder(symbols);
  for (GraphInput& input : graph.inputs) binder.bind(input.declaration, graph.value(input.value).location);
  for (GraphResult& result : graph.results) binder.bind(result.declaration, result.location);
  for (Op& op : graph.ops) {
    for (NamedAttribute& attribute : op.attributes) binder.bind(attribute.value);
  }
  binder.throw_if_any();
}

}  // namespace calotype::passes
