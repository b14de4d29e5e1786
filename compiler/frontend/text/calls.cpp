/// \file
/// Operands and arguments of calls, for layers and for blocks.
#include "frontend/text/calls.h"

#include <fmt/format.h>

#include <algorithm>

namespace calotype::frontend::text {
namespace {

bool has_argument(const layers::Layer& layer, std::string_view name) {
  const auto arguments = layers::arguments_of(layer);
  return std::any_of(arguments.begin(), arguments.end(), [&](const layers::Argument& argument) { return argument.name == name; });
}

std::optional<std::size_t> position_of(const Block& block, std::string_view name) {
  for (std::size_t i = 0; i < block.parameters.size(); ++i) {
    if (block.parameters[i].name.text == name) return i;
  }
  return std::nullopt;
}

std::string signature(const Block& block) {
  std::string text = block.name.text + "(";
  for (const Parameter& parameter : block.parameters) {
    if (text.back() != '(') text += ", ";
    text += parameter.name.text;
    if (parameter.fallback) text += "=...";
  }
  return text + ")";
}

/// The parameter that the value of the statement above binds to: the first that is an operand.
std::optional<std::size_t> leading_operand(const Definition& definition) {
  const auto found = std::find(definition.kinds.begin(), definition.kinds.end(), ParameterKind::operand);
  if (found == definition.kinds.end()) return std::nullopt;
  return static_cast<std::size_t>(found - definition.kinds.begin());
}

/// parameter(f32[3]) and constant([1]): what stands without a name.
void read_inline(const Value& value, const layers::Layer& layer, const Environment& environment, Attributes& attributes) {
  const SourceLocation where = environment.source->at(value.span);
  if (value.kind != Value::Kind::type) {
    if (!has_argument(layer, "value")) {
      throw Failure(Fault::input, fmt::format("{} takes a type, as in {}(f32[64, 3, 3, 3])", layer.name, layer.name), where);
    }
    attributes.push_back({"value", attribute_of(value, environment), where});
    return;
  }
  if (!has_argument(layer, "shape")) {
    throw Failure(Fault::input, fmt::format("{} takes numbers, as in {}([[1, 2], [3, 4]], type=f32)", layer.name, layer.name), where);
  }
  Attribute::List shape;
  for (const Value& item : value.items) {
    const Dimension dimension = dimension_of(item, environment);
    const SourceLocation at = environment.source->at(item.span);
    const auto* number = std::get_if<std::int64_t>(&dimension);
    shape.push_back(number ? Attribute{*number, at} : Attribute{std::get<ExpressionPointer>(dimension), at});
  }
  const auto length = static_cast<std::uint32_t>(value.text.size());
  attributes.push_back({"type", {Word{value.text}, environment.source->at({value.span.begin, value.span.begin + length})}, where});
  attributes.push_back({"shape", {std::move(shape), where}, where});
}

}  // namespace

bool is_operand(const Value& value) {
  return value.kind == Value::Kind::name || value.kind == Value::Kind::string || value.kind == Value::Kind::absent;
}

bool takes_value_above(const Statement& statement, const layers::Layer& layer) {
  return statement.operands.empty() && !layer.traits.is_source && !layers::operands_of(layer).empty();
}

bool takes_value_above(const Statement& statement, const Definition& definition) {
  const std::optional<std::size_t> leading = leading_operand(definition);
  if (!leading || !statement.operands.empty()) return false;
  const std::string& name = definition.block->parameters[*leading].name.text;
  return std::none_of(statement.arguments.begin(), statement.arguments.end(),
                      [&](const Argument& argument) { return argument.name.text == name; });
}

std::vector<const Value*> operands_of(const Statement& statement, const layers::Layer& layer, Diagnostics& diagnostics) {
  std::vector<const Value*> operands;
  if (layer.traits.is_source) return operands;
  for (const Value& operand : statement.operands) {
    if (is_operand(operand)) {
      operands.push_back(&operand);
    } else {
      diagnostics.add(operand.span, "an operand is the name of a value",
                      {"arguments are written with their names, as in kernel=3x3; numbers that stand inline are NAME = constant([1, 2])"});
    }
  }
  return operands;
}

Attributes attributes_of(const Statement& statement, const layers::Layer& layer, const Environment& environment, Diagnostics& diagnostics,
                         bool* complete) {
  Attributes attributes;
  const auto report = [&](const Failure& failure) {
    for (const Diagnostic& diagnostic : failure.diagnostics()) diagnostics.add(diagnostic);
    if (complete) *complete = false;
  };
  if (layer.traits.is_source) {
    for (const Value& value : statement.operands) {
      if (&value != &statement.operands.front()) {
        diagnostics.add(value.span, fmt::format("{} takes one value without a name", layer.name));
        break;
      }
      try {
        read_inline(value, layer, environment, attributes);
      } catch (const Failure& failure) {
        report(failure);
      }
    }
  }
  for (const Argument& argument : statement.arguments) {
    try {
      attributes.push_back({argument.name.text, attribute_of(argument.value, environment), environment.source->at(argument.name.span)});
    } catch (const Failure& failure) {
      report(failure);
    }
  }
  return attributes;
}

std::vector<Binding> bind(const Statement& statement, const Definition& definition, Diagnostics& diagnostics) {
  const Block& block = *definition.block;
  std::vector<Binding> bindings(block.parameters.size());
  Names misspelt;

  for (std::size_t i = 0; i < statement.operands.size(); ++i) {
    const Value& operand = statement.operands[i];
    if (i >= bindings.size()) {
      diagnostics.add(operand.span, fmt::format("block '{}' has {} parameters", block.name.text, bindings.size()), {signature(block)});
      break;
    }
    bindings[i] = {Binding::From::call, &operand};
    const std::string& name = block.parameters[i].name.text;
    if (definition.kinds[i] == ParameterKind::argument) {
      diagnostics.add(operand.span, fmt::format("parameter '{0}' of block '{1}' is an argument; write {0}=...", name, block.name.text));
    } else if (!is_operand(operand)) {
      diagnostics.add(operand.span, "an operand is the name of a value", {fmt::format("the call is {}", signature(block))});
    }
  }
  for (const Argument& argument : statement.arguments) {
    const std::optional<std::size_t> position = position_of(block, argument.name.text);
    if (!position) {
      std::vector<std::string_view> names;
      for (const Parameter& parameter : block.parameters) names.push_back(parameter.name.text);
      const std::string nearest = layers::nearest_name(argument.name.text, names);
      misspelt.insert(nearest);
      diagnostics.add(argument.name.span,
                      nearest.empty() ? fmt::format("block '{}' has no parameter '{}'", block.name.text, argument.name.text)
                                      : fmt::format("block '{}' has no parameter '{}'; did you mean '{}'?", block.name.text,
                                                    argument.name.text, nearest),
                      {fmt::format("the call is {}", signature(block))});
    } else if (bindings[*position].from != Binding::From::nothing) {
      diagnostics.add(argument.name.span, fmt::format("parameter '{}' is given twice", argument.name.text));
    } else {
      bindings[*position] = {Binding::From::call, &argument.value};
      if (definition.kinds[*position] == ParameterKind::operand && !is_operand(argument.value)) {
        diagnostics.add(argument.value.span, fmt::format("parameter '{}' of block '{}' is an operand: the name of a value",
                                                         argument.name.text, block.name.text));
      }
    }
  }
  if (takes_value_above(statement, definition)) bindings[*leading_operand(definition)] = {Binding::From::statement_above, nullptr};

  for (std::size_t i = 0; i < bindings.size(); ++i) {
    const Parameter& parameter = block.parameters[i];
    if (bindings[i].from != Binding::From::nothing || misspelt.contains(parameter.name.text)) continue;
    if (parameter.fallback) {
      bindings[i] = {Binding::From::fallback, &*parameter.fallback};
    } else {
      diagnostics.add(statement.callee.span, fmt::format("block '{}' needs its parameter '{}'", block.name.text, parameter.name.text),
                      {fmt::format("the call is {}", signature(block))});
    }
  }
  return bindings;
}

}  // namespace calotype::frontend::text
