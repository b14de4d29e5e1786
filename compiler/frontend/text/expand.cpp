/// \file
/// Expansion: a block's statements once for each instance, their names behind the instance's name, until only layers are left.
#include "frontend/text/expand.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

namespace calotype::frontend::text {
namespace {

using Parameters = std::map<std::string, Attribute, std::less<>>;

constexpr std::size_t longest_name = 2000;
constexpr std::int64_t most_substituted = 1'000'000;

/// Thrown when going on makes no sense: a bound was passed.
struct Stop {};

/// Where a body is expanded: the network, or one instance of a block.
struct Instance {
  std::string prefix;  ///< "" or "layer1.0."
  std::unordered_map<std::string, ValueId> operands;  ///< parameters that are bound to values
  Parameters arguments;  ///< all other parameters
  const Statement* call = nullptr;  ///< what made the instance
  const Instance* outer = nullptr;
};

class Expander {
 public:
  Expander(const CheckedFile& checked, const Source& source, Diagnostics& diagnostics)
      : checked_(checked), source_(source), diagnostics_(diagnostics) {}

  Graph run() {
    const Network& network = *checked_.file->network;
    graph_.name = network.name.text;
    graph_.source = source_.file();
    try {
      for (const Declared& input : network.inputs) declare_input(input);
      const Instance whole;
      body(network.body, whole, graph_.inputs.empty() ? no_value : graph_.inputs.front().value);
      for (const Declared& result : network.results) declare_result(result);
    } catch (const Stop&) {
    } catch (const Failure& failure) {
      for (const Diagnostic& diagnostic : failure.diagnostics()) diagnostics_.add(diagnostic);
    }
    return std::move(graph_);
  }

 private:
  [[noreturn]] void stop(Span where, std::string message, std::vector<std::string> notes = {}) {
    diagnostics_.add(where, std::move(message), std::move(notes));
    throw Stop{};
  }

  void declare_input(const Declared& input) {
    GraphValue value;
    value.name = input.name.text;
    value.origin = GraphValue::Origin::input;
    value.location = source_.at(input.name.span);
    const ValueId id = add_value(graph_, std::move(value));
    define(input.name, input.name.text, id);
    graph_.inputs.push_back({id, declaration(input)});
  }

  void declare_result(const Declared& result) {
    GraphResult given{result.name.text, lookup(result.name.text, result.name.span, Instance{}), {}, source_.at(result.name.span)};
    if (result.type) given.declaration = declaration(result);
    graph_.results.push_back(std::move(given));
  }

  Declaration declaration(const Declared& declared) const {
    Declaration declaration;
    declaration.element = *element_type_of(declared.type->text);
    declaration.stated = true;
    declaration.channels_last = declared.channels_last;
    const Environment environment{&source_, nullptr, nullptr, nullptr};
    for (const Value& dimension : declared.type->items) declaration.dimensions.push_back(dimension_of(dimension, environment));
    // The buffer's order was written; the logical order has the channels second.
    std::vector<Dimension>& dimensions = declaration.dimensions;
    if (declared.channels_last) std::rotate(dimensions.begin() + 1, dimensions.end() - 1, dimensions.end());
    return declaration;
  }

  void define(const Name& name, const std::string& full_name, ValueId id) {
    if (full_name.size() > longest_name)
      stop(name.span,
           fmt::format("with the names of its blocks, '{}...' is longer than {} characters", full_name.substr(0, 40), longest_name));
    const auto [known, is_new] = names_.emplace(full_name, Defined{id, name.span});
    if (!is_new) {
      diagnostics_.add(name.span, fmt::format("'{}' is defined twice", full_name),
                       {fmt::format("it is first defined in line {}", source_.line(known->second.span))});
    }
  }

  ValueId lookup(const std::string& name, Span where, const Instance& instance) {
    if (const auto bound = instance.operands.find(name); bound != instance.operands.end()) return bound->second;
    const auto known = names_.find(instance.prefix + name);
    if (known != names_.end()) return known->second.id;
    std::vector<std::string_view> candidates;
    for (const auto& [candidate, unused] : names_) {
      if (std::string_view(candidate).starts_with(instance.prefix))
        candidates.push_back(std::string_view(candidate).substr(instance.prefix.size()));
    }
    const std::string nearest = layers::nearest_name(name, candidates);
    diagnostics_.add(where, nearest.empty() ? fmt::format("unknown name '{}'", name)
                                            : fmt::format("unknown name '{}'; did you mean '{}'?", name, nearest));
    return no_value;
  }

  ValueId operand(const Value& value, const Instance& instance) {
    return value.kind == Value::Kind::absent ? no_value : lookup(value.text, value.span, instance);
  }

  /// `above` is the value of the statement above; for the first statement the sole input.
  void body(const Body& body, const Instance& instance, ValueId above) {
    for (const Statement& statement : body.statements) {
      if (++statements_ > most_statements) {
        stop(statement.span, fmt::format("expanded, the blocks have more than {} statements", layers::with_commas(most_statements)));
      }
      if (diagnostics_.full()) throw Stop{};
      switch (statement.kind) {
        case Statement::Kind::weights: graph_.weight_files.push_back(statement.callee.text); break;
        case Statement::Kind::alias:
          above = operand(statement.operands.front(), instance);
          define(statement.results.front(), instance.prefix + statement.results.front().text, above);
          break;
        case Statement::Kind::call: above = call(statement, instance, above); break;
      }
    }
  }

  ValueId call(const Statement& statement, const Instance& instance, ValueId above) {
    const auto block = checked_.blocks.find(statement.callee.text);
    if (block != checked_.blocks.end()) return block_call(statement, block->second, instance, above);
    return layer_call(statement, *layers::find_layer(statement.callee.text), instance, above);
  }

  Environment environment(const Instance& instance) {
    return {&source_, &checked_.symbols, instance.outer ? &instance.arguments : nullptr, &budget_};
  }

  ValueId block_call(const Statement& statement, const Definition& definition, const Instance& outer, ValueId above) {
    const Block& block = *definition.block;
    Instance instance{outer.prefix + statement.results.front().text + ".", {}, {}, &statement, &outer};
    const std::vector<Binding> bindings = bind(statement, definition, diagnostics_);
    // Defaults see no other parameter: they are the block's, not the caller's.
    const Environment given = environment(outer);
    const Environment none{&source_, &checked_.symbols, nullptr, &budget_};
    for (std::size_t i = 0; i < bindings.size(); ++i) {
      const std::string& name = block.parameters[i].name.text;
      const Binding& binding = bindings[i];
      const bool is_default = binding.from == Binding::From::fallback;
      if (binding.from == Binding::From::statement_above) {
        instance.operands[name] = above;
      } else if (definition.kinds[i] == ParameterKind::operand || binding.value->kind == Value::Kind::absent) {
        instance.operands[name] = operand(*binding.value, outer);
      } else if (definition.kinds[i] == ParameterKind::argument) {
        argument(instance.arguments[name], *binding.value, is_default ? none : given);
      }
    }
    enter(instance);
    body(block.body, instance, first_operand(definition, instance));
    enter(outer);
    for (std::size_t i = 0; i < block.results.size(); ++i) {
      const ValueId result = lookup(block.results[i].text, block.results[i].span, instance);
      define(statement.results[i], outer.prefix + statement.results[i].text, result);
      if (i == 0) above = result;
    }
    return above;
  }

  void argument(Attribute& attribute, const Value& value, const Environment& environment) {
    try {
      attribute = attribute_of(value, environment);
    } catch (const Failure& failure) {
      for (const Diagnostic& diagnostic : failure.diagnostics()) diagnostics_.add(diagnostic);
    }
    if (budget_ < 0) throw Stop{};
  }

  /// What the block's first statement takes where it writes no operand: the check saw that there is one choice.
  static ValueId first_operand(const Definition& definition, const Instance& instance) {
    for (std::size_t i = 0; i < definition.kinds.size(); ++i) {
      if (definition.kinds[i] == ParameterKind::operand) return instance.operands.at(definition.block->parameters[i].name.text);
    }
    return no_value;
  }

  ValueId layer_call(const Statement& statement, const layers::Layer& layer, const Instance& instance, ValueId above) {
    const std::size_t mistakes = diagnostics_.count();
    Op op;
    op.name = instance.prefix + statement.results.front().text;
    op.kind = layer.name;
    op.location = source_.at(statement.span);
    for (const Value* value : operands_of(statement, layer, diagnostics_)) op.operands.push_back(operand(*value, instance));
    if (takes_value_above(statement, layer)) op.operands.push_back(above);
    op.attributes = attributes_of(statement, layer, environment(instance), diagnostics_);
    if (budget_ < 0) throw Stop{};
    const bool readable = diagnostics_.count() == mistakes;

    const auto op_id = static_cast<OpId>(graph_.ops.size());
    for (const Name& name : statement.results) {
      GraphValue value;
      value.name = instance.prefix + name.text;
      value.producer = op_id;
      value.location = source_.at(name.span);
      const ValueId id = add_value(graph_, std::move(value));
      define(name, instance.prefix + name.text, id);
      op.results.push_back(id);
    }
    if (readable) {
      for (Diagnostic& diagnostic : layers::check_arguments(layer, op)) diagnostics_.add(std::move(diagnostic));
    }
    graph_.ops.push_back(std::move(op));
    return graph_.ops.back().results.front();
  }

  /// Messages about an instance say which one it is and where it comes from: the innermost blocks and the network's statement.
  void enter(const Instance& instance) {
    std::vector<std::string> notes;
    for (const Instance* at = &instance; at->outer; at = at->outer) {
      const std::string name = at->prefix.substr(0, at->prefix.size() - 1);
      const std::string shown = name.size() > 60 ? "..." + name.substr(name.size() - 57) : name;
      notes.push_back(fmt::format("in {} = {}(...) of line {}", shown, at->call->callee.text, source_.line(at->call->span)));
    }
    if (notes.size() > 4) notes.erase(notes.begin() + 3, notes.end() - 1);
    diagnostics_.set_context(std::move(notes));
  }

  using GraphValue = calotype::Value;
  struct Defined {
    ValueId id;
    Span span;
  };

  const CheckedFile& checked_;
  const Source& source_;
  Diagnostics& diagnostics_;
  Graph graph_;
  std::unordered_map<std::string, Defined> names_;
  int statements_ = 0;
  std::int64_t budget_ = most_substituted;
};

}  // namespace

Graph expand(const CheckedFile& checked, const Source& source, Diagnostics& diagnostics) {
  return Expander(checked, source, diagnostics).run();
}

}  // namespace calotype::frontend::text
