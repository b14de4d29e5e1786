/// \file
/// Checks one body. Parameters of a block are unknown here: what depends on one is left to the block's instances.
#include "frontend/text/check_body.h"

#include <fmt/format.h>

#include <algorithm>

#include "frontend/text/suggestions.h"

namespace calotype::frontend::text {
namespace {

using layers::Layer;

class BodyChecker {
 public:
  BodyChecker(const Body& body, Definition* definition, const CheckedFile& file, const Source& source, Diagnostics& diagnostics)
      : body_(body), definition_(definition), file_(file), source_(source), diagnostics_(diagnostics) {
    for (const Statement& statement : body.statements) {
      for (const Name& name : statement.results) later_.emplace(name.text, name.span);
    }
    environment_ = {&source, &file.symbols, definition ? &parameters_ : nullptr, nullptr};
  }

  void define(const Name& name) {
    const auto [first, is_new] = defined_.emplace(name.text, name.span);
    if (!is_new) {
      diagnostics_.add(name.span, fmt::format("'{}' is defined twice", name.text),
                       {fmt::format("it is first defined in line {}", source_.line(first->second))});
    }
  }

  /// A parameter stands for itself, as a symbol.
  void define_parameter(std::size_t index) {
    const Name& name = definition_->block->parameters[index].name;
    define(name);
    positions_.emplace(name.text, index);
    Expression symbol{Expression::Kind::symbol, 0, name.text};
    if (const std::optional<Value>& fallback = definition_->block->parameters[index].fallback;
        fallback && fallback->kind != Value::Kind::absent) {
      argument(*fallback, {&source_, &file_.symbols, nullptr, nullptr});
    }
    parameters_[name.text] = {std::make_shared<const Expression>(std::move(symbol))};  // no location: that of its use
  }

  /// `inputs` are what the first statement can take as its operand.
  void statements(const std::vector<std::string>& inputs) {
    bool first = true;
    for (const Statement& statement : body_.statements) {
      if (statement.kind == Statement::Kind::weights) {
        weights(statement);
        continue;
      }
      if (!statement.broken) this->statement(statement, first, inputs);
      for (const Name& name : statement.results) define(name);
      if (is_instance(statement)) instances_.insert(statement.results.front().text);
      first = false;
    }
  }

  void result(const Name& name) {
    if (!knows(name.text) && !body_.incomplete) unknown(name.text, name.span);
  }

  bool is_defined_by_statement(const std::string& name) const { return later_.contains(name); }

  /// How parameters are used by what is written; in the first statement without an operand, the only one that can be an operand is it.
  void infer_kinds() {
    if (!definition_) return;
    for (const Statement& statement : body_.statements) {
      if (!statement.broken) infer_kinds(statement);
    }
    const auto first = std::find_if(body_.statements.begin(), body_.statements.end(),
                                    [](const Statement& statement) { return statement.kind != Statement::Kind::weights; });
    if (first == body_.statements.end() || first->broken || !takes_value_above(*first)) return;
    const std::vector<std::string> inputs = operand_parameters();
    if (inputs.size() == 1) definition_->kinds[positions_.at(inputs.front())] = ParameterKind::operand;
  }

  /// The parameters that are operands or can be.
  std::vector<std::string> operand_parameters() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < definition_->kinds.size(); ++i) {
      const Parameter& parameter = definition_->block->parameters[i];
      const ParameterKind kind = definition_->kinds[i];
      if (kind == ParameterKind::operand || (kind == ParameterKind::unused && !parameter.fallback)) names.push_back(parameter.name.text);
    }
    return names;
  }

 private:
  const Definition* block_of(const Statement& statement) const {
    const auto found = file_.blocks.find(statement.callee.text);
    return found == file_.blocks.end() ? nullptr : &found->second;
  }

  bool is_instance(const Statement& statement) const { return statement.kind == Statement::Kind::call && block_of(statement) != nullptr; }

  bool takes_value_above(const Statement& statement) const {
    if (statement.kind != Statement::Kind::call) return false;
    if (const Definition* block = block_of(statement)) return text::takes_value_above(statement, *block);
    const Layer* layer = layers::find_layer(statement.callee.text);
    return layer && text::takes_value_above(statement, *layer);
  }

  void infer_kinds(const Statement& statement) {
    const Definition* block = statement.kind == Statement::Kind::call ? block_of(statement) : nullptr;
    for (std::size_t i = 0; i < statement.operands.size(); ++i) {
      const Value& operand = statement.operands[i];
      use(operand, is_operand(operand) ? ParameterKind::operand : ParameterKind::argument);
    }
    for (const Argument& argument : statement.arguments) {
      ParameterKind kind = ParameterKind::argument;
      for (std::size_t i = 0; block && i < block->kinds.size(); ++i) {
        if (block->block->parameters[i].name.text == argument.name.text) kind = block->kinds[i];
      }
      if (kind != ParameterKind::unused) use(argument.value, kind);
    }
  }

  void use(const Value& value, ParameterKind kind) {
    std::vector<Name> names;
    collect_names(value, names);
    for (const Name& name : names) {
      const auto position = positions_.find(name.text);
      if (position == positions_.end()) continue;
      ParameterKind& known = definition_->kinds[position->second];
      const std::optional<Value>& fallback = definition_->block->parameters[position->second].fallback;
      if (kind == ParameterKind::operand && fallback && fallback->kind != Value::Kind::absent) {
        diagnostics_.add(name.span,
                         fmt::format("parameter '{}' has a default and so is an argument; it cannot stand as an operand", name.text));
      } else if (known == ParameterKind::unused) {
        known = kind;
        first_use_[name.text] = name.span;
      } else if (known != kind) {
        const char* is = known == ParameterKind::operand ? "an operand" : "an argument";
        const char* not_is = known == ParameterKind::operand ? "an argument" : "an operand";
        diagnostics_.add(name.span, fmt::format("parameter '{}' is {} in line {} and so cannot be {} here", name.text, is,
                                                source_.line(first_use_[name.text]), not_is));
      }
    }
  }

  void weights(const Statement& statement) {
    if (definition_) diagnostics_.add(statement.span, "weight files are named in the network, not in a block");
    if (statement.callee.text.empty()) diagnostics_.add(statement.callee.span, "the file's name is empty");
  }

  void statement(const Statement& statement, bool first, const std::vector<std::string>& inputs) {
    if (statement.kind == Statement::Kind::alias) return operand(statement.operands.front());
    if (first && takes_value_above(statement) && inputs.size() != 1) {
      diagnostics_.add(statement.callee.span, inputs.empty() ? std::string("there is no value that could be the operand")
                                                             : fmt::format("which of {} is the operand? Only a sole input needs no name",
                                                                           fmt::join(inputs, ", ")));
    }
    if (const Definition* block = block_of(statement)) return block_call(statement, *block);
    if (const Layer* layer = layers::find_layer(statement.callee.text)) return layer_call(statement, *layer);
    unknown_layer(statement);
  }

  void block_call(const Statement& statement, const Definition& definition) {
    const std::vector<Binding> bindings = bind(statement, definition, diagnostics_);
    for (std::size_t i = 0; i < bindings.size(); ++i) {
      if (bindings[i].from != Binding::From::call) continue;
      const Value& value = *bindings[i].value;
      if (definition.kinds[i] == ParameterKind::operand) {
        if (is_operand(value)) operand(value);
      } else if (definition.kinds[i] == ParameterKind::argument) {
        argument(value, environment_);
      }
    }
    result_count(statement, definition.block->results.size());
  }

  void layer_call(const Statement& statement, const Layer& layer) {
    Op op;
    op.name = statement.results.front().text;
    op.kind = layer.name;
    op.location = source_.at(statement.span);
    op.results.assign(statement.results.size(), 0);
    for (const Value* value : operands_of(statement, layer, diagnostics_)) {
      operand(*value);
      op.operands.push_back(value->kind == Value::Kind::absent ? no_value : 0);
    }
    // What is no operand was reported; it counts as one, so that its absence is not reported too.
    if (!layer.traits.is_source) op.operands.resize(statement.operands.size(), 0);
    if (text::takes_value_above(statement, layer)) op.operands.push_back(0);
    bool complete = true;
    op.attributes = attributes_of(statement, layer, environment_, diagnostics_, &complete);
    // An argument that could not be read was reported; the table would call it missing.
    if (complete) {
      for (Diagnostic& diagnostic : layers::check_arguments(layer, op)) {
        if (depends_on_parameter(statement, diagnostic.where)) continue;
        explain_operand(statement, diagnostic);
        diagnostics_.add(std::move(diagnostic));
      }
    }
    if (layer.results > 0) result_count(statement, static_cast<std::size_t>(layer.results));
  }

  /// Does the place lie in an argument that the value of a parameter decides?
  bool depends_on_parameter(const Statement& statement, const SourceLocation& where) const {
    if (!definition_) return false;
    const auto decides = [&](const Value& value) {
      const SourceLocation place = source_.at(value.span);
      std::vector<Name> names;
      if (where.line == place.line && where.column == place.column) collect_names(value, names);
      return std::any_of(names.begin(), names.end(), [&](const Name& name) { return positions_.contains(name.text); });
    };
    return std::any_of(statement.arguments.begin(), statement.arguments.end(),
                       [&](const Argument& argument) { return decides(argument.value); }) ||
           std::any_of(statement.operands.begin(), statement.operands.end(), decides);
  }

  /// Where the name of a value stands as an argument: says where it belongs.
  void explain_operand(const Statement& statement, Diagnostic& diagnostic) const {
    for (const Argument& argument : statement.arguments) {
      const SourceLocation place = source_.at(argument.value.span);
      const bool is_here = place.line == diagnostic.where.line && place.column == diagnostic.where.column;
      if (is_here && argument.value.kind == Value::Kind::name && knows(argument.value.text)) {
        diagnostic.notes.push_back(fmt::format("'{}' is a value; values stand first, as operands without a name", argument.value.text));
      }
    }
  }

  void argument(const Value& value, const Environment& environment) {
    try {
      attribute_of(value, environment);
    } catch (const Failure& failure) {
      for (const Diagnostic& diagnostic : failure.diagnostics()) diagnostics_.add(diagnostic);
    }
  }

  void result_count(const Statement& statement, std::size_t count) {
    if (statement.results.size() == count) return;
    const Span where = join(statement.results.front().span, statement.results.back().span);
    diagnostics_.add(
        where, fmt::format("{} has {} result{}, not {}", statement.callee.text, count, count == 1 ? "" : "s", statement.results.size()));
  }

  void operand(const Value& value) {
    if (value.kind == Value::Kind::absent) return;
    if (!knows(value.text) && !body_.incomplete) unknown(value.text, value.span);
  }

  /// Is it defined so far, or can it be a value inside an instance (`layer1.0.conv1`)? The latter is looked up once blocks are expanded.
  bool knows(const std::string& name) const {
    if (defined_.contains(name)) return true;
    for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
      if (instances_.contains(name.substr(0, dot))) return true;
    }
    return false;
  }

  void unknown(const std::string& name, Span where) {
    if (const auto later = later_.find(name); later != later_.end()) {
      diagnostics_.add(where, fmt::format("'{}' is used before it is defined", name),
                       {fmt::format("it is defined in line {}", source_.line(later->second))});
      return;
    }
    std::vector<std::string_view> candidates;
    for (const auto& [candidate, unused] : defined_) candidates.push_back(candidate);
    const std::string nearest = layers::nearest_name(name, candidates);
    std::vector<std::string> notes;
    if (nearest.empty() && definition_) notes.push_back("a block sees its parameters and its own statements only");
    diagnostics_.add(
        where,
        nearest.empty() ? fmt::format("unknown name '{}'", name) : fmt::format("unknown name '{}'; did you mean '{}'?", name, nearest),
        std::move(notes));
  }

  void unknown_layer(const Statement& statement) {
    const std::string& name = statement.callee.text;
    std::vector<std::string_view> blocks;
    for (const auto& [block, unused] : file_.blocks) blocks.push_back(block);
    const std::string nearest = suggested_layer(name, blocks);
    diagnostics_.add(statement.callee.span, nearest.empty() ? fmt::format("unknown layer '{}'", name)
                                                            : fmt::format("unknown layer '{}'; did you mean '{}'?", name, nearest));
    for (const Value& value : statement.operands) {
      if (value.kind == Value::Kind::name || value.kind == Value::Kind::absent) operand(value);
    }
  }

  const Body& body_;
  Definition* definition_;
  const CheckedFile& file_;
  const Source& source_;
  Diagnostics& diagnostics_;
  Environment environment_;
  std::map<std::string, Attribute, std::less<>> parameters_;
  std::map<std::string, std::size_t> positions_;  ///< of the parameters
  std::map<std::string, Span> first_use_;
  std::map<std::string, Span> defined_;
  std::map<std::string, Span> later_;
  std::set<std::string> instances_;
};

}  // namespace

void check_block(Definition& definition, const CheckedFile& file, const Source& source, Diagnostics& diagnostics) {
  const Block& block = *definition.block;
  BodyChecker checker(block.body, &definition, file, source, diagnostics);
  for (std::size_t i = 0; i < block.parameters.size(); ++i) checker.define_parameter(i);
  checker.infer_kinds();
  checker.statements(checker.operand_parameters());
  Names results;
  for (const Name& result : block.results) {
    if (!results.insert(result.text).second) diagnostics.add(result.span, fmt::format("'{}' is a result already", result.text));
    if (!checker.is_defined_by_statement(result.text) && !block.body.incomplete) {
      diagnostics.add(result.span, fmt::format("the result '{}' is no statement of block '{}'", result.text, block.name.text));
    }
  }
}

void check_network(const Network& network, const CheckedFile& file, const Source& source, Diagnostics& diagnostics) {
  BodyChecker checker(network.body, nullptr, file, source, diagnostics);
  std::vector<std::string> inputs;
  const Environment any_symbol{&source, nullptr, nullptr, nullptr};
  const auto check_type = [&](const Declared& declared) {
    for (const Value& dimension : declared.type ? declared.type->items : std::vector<Value>{}) {
      try {
        dimension_of(dimension, any_symbol);
      } catch (const Failure& failure) {
        for (const Diagnostic& diagnostic : failure.diagnostics()) diagnostics.add(diagnostic);
      }
    }
  };
  for (const Declared& input : network.inputs) {
    check_type(input);
    checker.define(input.name);
    inputs.push_back(input.name.text);
  }
  checker.statements(inputs);
  Names results;
  for (const Declared& result : network.results) {
    if (!results.insert(result.name.text).second)
      diagnostics.add(result.name.span, fmt::format("'{}' is a result already", result.name.text));
    checker.result(result.name);
    check_type(result);
  }
}

}  // namespace calotype::frontend::text
