/// \file
/// The printer: a graph as the text that parses to it again. Operands are always written, so that no statement depends on the one above.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "frontend/frontend.h"
#include "frontend/text/lexer.h"
#include "frontend/text/reserved_words.h"
#include "layers/layer.h"

namespace calotype::frontend {
namespace {

constexpr std::size_t line_length = 120;

std::string name_text(const std::string& name) { return text::is_bare_name(name) ? name : text::quote(name); }

/// A symbol outside arithmetic's parentheses is a bare name; any other is a quoted name, in parentheses so that it is no string.
std::string symbol_text(const std::string& symbol) {
  const bool bare = text::is_bare_name(symbol) && text::why_reserved(symbol).empty();
  return bare ? symbol : fmt::format("({})", text::quote(symbol));
}

int precedence(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::add:
    case Expression::Kind::subtract: return 1;
    case Expression::Kind::multiply:
    case Expression::Kind::divide: return 2;
    default: return expression.kind == Expression::Kind::number && expression.number < 0 ? 0 : 3;
  }
}

std::string expression_text(const Expression& expression) {
  if (expression.kind == Expression::Kind::number) return fmt::format("{}", expression.number);
  if (expression.kind == Expression::Kind::symbol) return symbol_text(expression.symbol);
  const auto operand = [](const Expression& part, int least) {
    const std::string text = expression_text(part);
    return precedence(part) < least ? fmt::format("({})", text) : text;
  };
  const char sign = expression.kind == Expression::Kind::add        ? '+'
                    : expression.kind == Expression::Kind::subtract ? '-'
                    : expression.kind == Expression::Kind::multiply ? '*'
                                                                    : '/';
  const int level = precedence(expression);
  return fmt::format("{} {} {}", operand(*expression.left, level), sign, operand(*expression.right, level + 1));
}

/// The shortest text that reads back as the same number, and as a real: 2 is 2.0.
std::string real_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

/// One statement, broken into lines between the items of its brackets.
class Line {
 public:
  void add(std::string_view text) { text_ += text; }

  /// An item of a list: on a new line if this one is full.
  void item(std::string_view text, bool first) {
    if (!first) text_ += ',';
    if (!first && text_.size() - line_start_ + 1 + text.size() > line_length) {
      text_ += '\n';
      line_start_ = text_.size();
      text_ += "      ";
    } else if (!first) {
      text_ += ' ';
    }
    text_ += text;
  }

  void value(const Attribute& attribute, std::string_view before, bool first, bool as_extents) {
    if (const auto* list = std::get_if<Attribute::List>(&attribute.value); list && !(as_extents && is_extents(*list))) {
      item(fmt::format("{}[", before), first);
      for (std::size_t i = 0; i < list->size(); ++i) value((*list)[i], "", i == 0, false);
      text_ += ']';
    } else {
      item(fmt::format("{}{}", before, plain(attribute)), first);
    }
  }

  const std::string& text() const { return text_; }

 private:
  static bool is_extents(const Attribute::List& list) {
    if (list.size() < 2) return false;
    for (const Attribute& item : list) {
      const auto* number = std::get_if<std::int64_t>(&item.value);
      if (!number || *number < 0) return false;
    }
    return true;
  }

  static std::string plain(const Attribute& attribute) {
    struct Text {
      std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
      std::string operator()(double number) const { return real_text(number); }
      std::string operator()(bool flag) const { return flag ? "true" : "false"; }
      std::string operator()(const Word& word) const { return word.text; }
      std::string operator()(const std::string& string) const { return text::quote(string); }
      std::string operator()(const ExpressionPointer& expression) const { return expression_text(*expression); }
      std::string operator()(const Attribute::List& extents) const {
        std::string text;
        for (const Attribute& extent : extents) text += fmt::format("{}{}", text.empty() ? "" : "x", std::get<std::int64_t>(extent.value));
        return text;
      }
    };
    return std::visit(Text{}, attribute.value);
  }

  std::string text_;
  std::size_t line_start_ = 0;
};

std::string dimension_text(const Dimension& dimension) {
  const auto* number = std::get_if<std::int64_t>(&dimension);
  return number ? fmt::format("{}", *number) : expression_text(*std::get<ExpressionPointer>(dimension));
}

std::string declaration_text(const Declaration& declaration) {
  std::vector<std::string> dimensions;
  for (const Dimension& dimension : declaration.dimensions) dimensions.push_back(dimension_text(dimension));
  if (declaration.channels_last && dimensions.size() > 2) std::rotate(dimensions.begin() + 1, dimensions.begin() + 2, dimensions.end());
  return fmt::format("{}[{}]{}", name_of(declaration.element), fmt::join(dimensions, ", "),
                     declaration.channels_last ? " channels_last" : "");
}

bool is_extents_argument(const layers::Layer* layer, std::string_view name) {
  if (!layer) return false;
  for (const layers::Argument& argument : layers::arguments_of(*layer)) {
    if (argument.name == name) return argument.kind == layers::ArgumentKind::extents;
  }
  return false;
}

/// parameter(f32[3]): the type of a source that has both halves of one. Empty otherwise.
std::string inline_type(const Op& op) {
  const Attribute* type = find(op.attributes, "type");
  const Attribute* shape = find(op.attributes, "shape");
  const auto* word = type ? std::get_if<Word>(&type->value) : nullptr;
  if (!word || !shape || !std::holds_alternative<Attribute::List>(shape->value)) return {};
  return word->text;
}

/// Operands as the text has them: weights that a layer implies are not written.
std::vector<std::string> operand_texts(const Graph& graph, const Op& op) {
  const auto is_implicit = [&](ValueId id) { return id != no_value && graph.value(id).implicit; };
  std::size_t count = op.operands.size();
  if (std::any_of(op.operands.begin(), op.operands.end(), is_implicit)) {
    while (count > 0 && (op.operands[count - 1] == no_value || is_implicit(op.operands[count - 1]))) --count;
  }
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    const ValueId id = op.operands[i];
    texts.push_back(id == no_value || is_implicit(id) ? "_" : name_text(graph.value(id).name));
  }
  return texts;
}

/// How far names are padded, so that the equal signs stand below each other; a few long names stick out.
constexpr std::size_t widest_padded = 40;

std::string results_text(const Graph& graph, const Op& op) {
  std::vector<std::string> results;
  for (const ValueId result : op.results) results.push_back(name_text(graph.value(result).name));
  return fmt::format("{}", fmt::join(results, ", "));
}

std::string statement_text(const Graph& graph, const Op& op, std::size_t width) {
  const layers::Layer* layer = layers::find_layer(op.kind);
  const bool is_source = layer && layer->traits.is_source;
  const std::string type = is_source ? inline_type(op) : "";

  Line line;
  line.add(fmt::format("  {:{}} = {}(", results_text(graph, op), width, op.kind));
  bool first = true;
  for (const std::string& operand : operand_texts(graph, op)) line.item(operand, std::exchange(first, false));
  for (const NamedAttribute& attribute : op.attributes) {
    if (!type.empty() && attribute.name == "shape") line.value(attribute.value, type, std::exchange(first, false), false);
    if (is_source && attribute.name == "value") line.value(attribute.value, "", std::exchange(first, false), false);
  }
  for (const NamedAttribute& attribute : op.attributes) {
    if (!type.empty() && (attribute.name == "type" || attribute.name == "shape")) continue;
    if (is_source && attribute.name == "value") continue;
    line.value(attribute.value, attribute.name + "=", std::exchange(first, false), is_extents_argument(layer, attribute.name));
  }
  line.add(")\n");
  return line.text();
}

/// Number `index` of the tensor, in the shortest text that reads back in its type.
std::string element_text(const TensorData& data, std::int64_t index) {
  switch (data.type.element) {
    case ElementType::f32: {
      const float number = load<float>(data, index);
      return std::isfinite(number) ? fmt::format("{}", number) : real_text(static_cast<double>(number));
    }
    case ElementType::i64: return fmt::format("{}", load<std::int64_t>(data, index));
    case ElementType::u64: return fmt::format("{}", load<std::uint64_t>(data, index));
    case ElementType::boolean: return load<std::uint8_t>(data, index) != 0 ? "true" : "false";
    default: break;
  }
  const double number = load_as_double(data, index);
  return is_float(data.type.element) ? real_text(number) : fmt::format("{}", number);
}

void add_numbers(Line& line, const TensorData& data, std::size_t dimension, std::int64_t& index, bool first) {
  if (dimension == data.type.extents.size()) return line.item(element_text(data, index++), first);
  line.item("[", first);
  for (std::int64_t i = 0; i < data.type.extents[dimension]; ++i) add_numbers(line, data, dimension + 1, index, i == 0);
  line.add("]");
}

/// A tensor that no statement made: passes leave constants so, and weights that lost their statement.
std::string tensor_text(const Value& value) {
  if (!value.data) return fmt::format("  {} = parameter({})\n", name_text(value.name), to_text(value.type));
  Line line;
  line.add(fmt::format("  {} = constant(", name_text(value.name)));
  std::int64_t index = 0;
  add_numbers(line, value.data->read(), 0, index, true);
  line.add(fmt::format(", type={})\n", name_of(value.data->type().element)));
  return line.text();
}

bool stands_alone(const Value& value) {
  const bool is_tensor = value.origin == Value::Origin::weight || value.origin == Value::Origin::constant;
  return is_tensor && !value.implicit && value.producer == no_op;
}

}  // namespace

std::string print(const Graph& graph) {
  Line header;
  header.add(fmt::format("network {}(", name_text(graph.name)));
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const GraphInput& input = graph.inputs[i];
    header.item(fmt::format("{}: {}", name_text(graph.value(input.value).name), declaration_text(input.declaration)), i == 0);
  }
  header.add(") -> ");
  for (std::size_t i = 0; i < graph.results.size(); ++i) {
    const GraphResult& result = graph.results[i];
    const std::string type = result.declaration.stated ? ": " + declaration_text(result.declaration) : "";
    header.item(name_text(result.name) + type, i == 0);
  }
  std::string text = header.text() + " {\n";
  for (const std::string& file : graph.weight_files) text += fmt::format("  weights {}\n", text::quote(file));
  for (const Value& value : graph.values) {
    if (stands_alone(value)) text += tensor_text(value);
  }
  std::size_t width = 0;
  for (const Op& op : graph.ops) {
    if (const std::size_t size = results_text(graph, op).size(); size <= widest_padded) width = std::max(width, size);
  }
  for (const Op& op : graph.ops) text += statement_text(graph, op, width);
  for (const GraphResult& result : graph.results) {
    const std::string& name = graph.value(result.value).name;
    if (result.name != name) text += fmt::format("  {} = {}\n", name_text(result.name), name_text(name));
  }
  return text + "}\n";
}

}  // namespace calotype::frontend
