/// \file
/// The statement that tables make of a node, and what adapt functions build with.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/number_format.h"
#include "layers/argument.h"
#include "layers/layer.h"

namespace calotype::layers {
namespace {

/// The operand's position in the layer's table.
std::size_t position_of(const Layer& layer, std::string_view operand) {
  const auto operands = operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].name == operand) return i;
  }
  throw Failure(Fault::bug, fmt::format("the ONNX form of {} names an operand '{}' that it has not", layer.name, operand));
}

bool takes_lists(ArgumentKind kind) {
  return kind == ArgumentKind::integers || kind == ArgumentKind::reals || kind == ArgumentKind::extents || kind == ArgumentKind::padding;
}

bool takes_reals(ArgumentKind kind) { return kind == ArgumentKind::real || kind == ArgumentKind::reals; }

/// "CRD=crd DCR=dcr": ours for theirs; a value that is not listed keeps its name.
std::string renamed(std::string_view words, const std::string& theirs) {
  while (!words.empty()) {
    const std::string_view entry = words.substr(0, words.find(' '));
    words.remove_prefix(std::min(words.size(), entry.size() + 1));
    const std::size_t equals = entry.find('=');
    if (entry.substr(0, equals) == theirs) return std::string(entry.substr(equals + 1));
  }
  return theirs;
}

/// A list of equal numbers is one number where the argument is of extents: stride=2.
Attribute shortest(const Argument& argument, Attribute attribute) {
  const auto* list = std::get_if<Attribute::List>(&attribute.value);
  if (argument.kind != ArgumentKind::extents || list == nullptr || list->empty()) return attribute;
  const auto* first = std::get_if<std::int64_t>(&list->front().value);
  const auto is_first = [&](const Attribute& a) { return std::get<std::int64_t>(a.value) == *first; };
  return first != nullptr && std::all_of(list->begin(), list->end(), is_first) ? list->front() : attribute;
}

bool same(const Attribute& a, const Attribute& b) {
  const auto number = [](const Attribute& x) -> std::optional<double> {
    if (const auto* i = std::get_if<std::int64_t>(&x.value)) return static_cast<double>(*i);
    if (const auto* r = std::get_if<double>(&x.value)) return *r;
    return std::nullopt;
  };
  if (number(a) || number(b)) return number(a) == number(b);
  if (a.value.index() != b.value.index()) return false;
  if (const auto* flag = std::get_if<bool>(&a.value)) return *flag == std::get<bool>(b.value);
  if (const auto* word = std::get_if<Word>(&a.value)) return *word == std::get<Word>(b.value);
  return false;
}

/// Appends the argument unless it says what the default says.
void append(Attributes& attributes, const Layer& layer, std::string_view name, Attribute value) {
  const Argument argument = argument_of(layer, name);
  if (argument.name.empty())
    throw Failure(Fault::bug, fmt::format("the ONNX form of {} names an argument '{}' that it has not", layer.name, name));
  value = shortest(argument, std::move(value));
  if (!argument.fallback.empty() && same(value, attribute_of(argument.fallback))) return;
  attributes.push_back({std::string(name), std::move(value)});
}

Attribute list_of(const OnnxAttribute& attribute, const OnnxBuilder& builder) {
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) return {*number};
  if (const auto* number = std::get_if<double>(&attribute.value)) return {*number};
  if (const auto* numbers = std::get_if<std::vector<std::int64_t>>(&attribute.value)) return named("", *numbers).value;
  if (const auto* numbers = std::get_if<std::vector<double>>(&attribute.value)) return named("", *numbers).value;
  builder.fail(fmt::format("attribute {} must be numbers", attribute.name));
}

/// The attribute as the argument that the rule names; nothing where the node leaves it out and has no default of its own.
std::optional<Attribute> argument_from(const OnnxArgument& rule, const OnnxAttribute* attribute, const OnnxBuilder& builder) {
  if (attribute == nullptr) {
    if (rule.fallback.empty()) return std::nullopt;
    return attribute_of(rule.kind == OnnxArgument::Kind::flag ? (rule.fallback == "0" ? "false" : "true") : rule.fallback);
  }
  const OnnxNode& node = builder.node();
  switch (rule.kind) {
    case OnnxArgument::Kind::flag: return Attribute{node.integer(rule.onnx, 0) != 0};
    case OnnxArgument::Kind::word: return Attribute{Word{renamed(rule.words, node.text(rule.onnx, ""))}};
    case OnnxArgument::Kind::type: {
      const std::optional<ElementType> element = element_type_of_onnx(node.integer(rule.onnx, 0));
      if (!element) builder.unsupported(fmt::format("{} is data type {}, which Calotype has not", rule.onnx, node.integer(rule.onnx, 0)));
      return Attribute{Word{std::string(name_of(*element))}};
    }
    default: return list_of(*attribute, builder);
  }
}

/// Does the node say what `only` allows?
bool is_only(const OnnxArgument& rule, const OnnxAttribute& attribute) {
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) return fmt::format("{}", *number) == rule.fallback;
  if (const auto* number = std::get_if<double>(&attribute.value)) return fmt::format("{}", *number) == rule.fallback;
  if (const auto* text = std::get_if<std::string>(&attribute.value)) return *text == rule.fallback;
  return false;
}

/// Refuses attributes that the form does not list.
void check_attributes(const OnnxForm& form, const OnnxBuilder& builder) {
  for (const OnnxAttribute& attribute : builder.node().attributes) {
    if (attribute.name == "consumed_inputs") continue;  // a hint on memory, up to opset 5
    const auto* rule = std::find_if(std::begin(form.attributes), std::end(form.attributes),
                                    [&](const OnnxArgument& r) { return r.kind != OnnxArgument::Kind::none && r.onnx == attribute.name; });
    if (rule == std::end(form.attributes)) builder.unsupported(fmt::format("attribute {} is not supported", attribute.name));
    if (rule->kind == OnnxArgument::Kind::only && !is_only(*rule, attribute)) {
      builder.unsupported(fmt::format("attribute {} is supported as {} only", attribute.name, rule->fallback));
    }
  }
}

}  // namespace

OnnxBuilder::OnnxBuilder(Graph& graph, const OnnxNode& node, const Layer* layer, const OnnxForm& form, std::vector<ValueId> inputs,
                         Surroundings surroundings)
    : graph_(graph),
      node_(node),
      layer_(layer),
      form_(form),
      inputs_(std::move(inputs)),
      outputs_(node.outputs.size(), no_value),
      surroundings_(std::move(surroundings)) {
  check_attributes(form, *this);
}

ValueId OnnxBuilder::input(std::size_t i) const {
  if (!has(i)) fail(fmt::format("input {} is missing", i));
  return inputs_[i];
}

bool OnnxBuilder::is_known(ValueId value) const { return graph_.value(value).data.has_value(); }

std::optional<TensorData> OnnxBuilder::known(ValueId value) const {
  if (!is_known(value)) return std::nullopt;
  return graph_.value(value).data->read();
}

const std::vector<std::int64_t>* OnnxBuilder::declared(std::size_t i) const {
  return node_.has_output(i) ? surroundings_.declared(node_.outputs[i]) : nullptr;
}

TensorData OnnxBuilder::require_known(std::size_t i) const {
  if (std::optional<TensorData> data = known(input(i))) return std::move(*data);
  throw UnknownNumbers(Fault::unsupported,
                       fmt::format("{} must be known at compile time, but {}", node_.inputs[i], surroundings_.explain(inputs_[i])));
}

std::vector<std::int64_t> OnnxBuilder::integers(std::size_t i) const {
  const TensorData data = require_known(i);
  std::vector<std::int64_t> numbers;
  for (std::int64_t at = 0; at < data.type.elements(); ++at) {
    switch (data.type.element) {
      case ElementType::i64: numbers.push_back(load<std::int64_t>(data, at)); break;
      case ElementType::i32: numbers.push_back(load<std::int32_t>(data, at)); break;
      default: {
        const double number = load_as_double(data, at);
        if (!(std::abs(number) < 9e18)) fail(fmt::format("{} must hold integers", node_.inputs[i]));
        numbers.push_back(static_cast<std::int64_t>(number));
      }
    }
  }
  return numbers;
}

std::vector<double> OnnxBuilder::reals(std::size_t i) const {
  const TensorData data = require_known(i);
  std::vector<double> numbers;
  for (std::int64_t at = 0; at < data.type.elements(); ++at) numbers.push_back(load_as_double(data, at));
  return numbers;
}

Op OnnxBuilder::statement() const {
  if (layer_ == nullptr) throw Failure(Fault::bug, fmt::format("the expansion of {} has no layer to make a statement of", form_.op_type));
  const Layer& layer = *layer_;
  Op op;
  op.kind = layer.name;

  const bool is_listed = form_.inputs[0].kind != OnnxInput::Kind::none;
  const OnnxInput* rule = form_.inputs;
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    if (!is_listed) {
      op.operands.push_back(inputs_[i]);
      continue;
    }
    if (rule->kind == OnnxInput::Kind::none) fail(fmt::format("{} inputs are more than {} takes", inputs_.size(), node_.op_type));
    if (rule->kind == OnnxInput::Kind::operand) {
      const std::size_t position = position_of(layer, rule->name);
      const bool is_variadic = operands_of(layer)[position].kind == Operand::Kind::variadic;
      const std::size_t at = is_variadic ? std::max(position, op.operands.size()) : position;
      op.operands.resize(std::max(op.operands.size(), at + 1), no_value);
      op.operands[at] = inputs_[i];
      if (is_variadic) continue;
    } else if (rule->kind == OnnxInput::Kind::argument && has(i)) {
      const Argument argument = argument_of(layer, rule->name);
      if (takes_lists(argument.kind)) {
        append(op.attributes, layer, rule->name, takes_reals(argument.kind) ? named("", reals(i)).value : named("", integers(i)).value);
      } else {
        if (type(inputs_[i]).elements() != 1)
          fail(fmt::format("{} must be one number, not {}", node_.inputs[i], to_text(type(inputs_[i]))));
        append(op.attributes, layer, rule->name, takes_reals(argument.kind) ? Attribute{reals(i).front()} : Attribute{integers(i).front()});
      }
    }
    ++rule;
  }
  while (!op.operands.empty() && op.operands.back() == no_value) op.operands.pop_back();

  for (const OnnxArgument& argument : form_.attributes) {
    if (argument.argument.empty()) continue;
    std::optional<Attribute> value = argument_from(argument, node_.find(argument.onnx), *this);
    if (value) append(op.attributes, layer, argument.argument, std::move(*value));
  }
  const auto operands = operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const bool is_absent = i >= op.operands.size() || op.operands[i] == no_value;
    if (operands[i].kind != Operand::Kind::weight || !is_absent || !argument_is_declared(layer, operands[i].name)) continue;
    op.attributes.push_back(named(operands[i].name, false));
  }
  return op;
}

std::vector<ValueId> OnnxBuilder::emit_all(Op op, int results) {
  const Layer* layer = find_layer(op.kind);
  if (layer == nullptr) throw Failure(Fault::bug, fmt::format("no layer is named {}", op.kind));
  // What says no more than the default is left out, so that imported text stays short.
  Attributes written;
  for (NamedAttribute& attribute : op.attributes) {
    if (argument_is_declared(*layer, attribute.name)) {
      append(written, *layer, attribute.name, std::move(attribute.value));
    } else {
      written.push_back(std::move(attribute));
    }
  }
  const auto arguments = arguments_of(*layer);
  const auto place = [&](const NamedAttribute& attribute) {
    return std::find_if(arguments.begin(), arguments.end(), [&](const Argument& a) { return a.name == attribute.name; }) -
           arguments.begin();
  };
  std::stable_sort(written.begin(), written.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  op.attributes = std::move(written);
  op.results.assign(static_cast<std::size_t>(results), no_value);
  return surroundings_.emit(std::move(op));
}

ValueId OnnxBuilder::emit(std::string kind, std::vector<ValueId> operands, Attributes attributes) {
  Op op;
  op.kind = std::move(kind);
  op.operands = std::move(operands);
  op.attributes = std::move(attributes);
  return emit(std::move(op));
}

ValueId OnnxBuilder::constant(TensorData data, std::string name) {
  Value value;
  value.name = std::move(name);
  value.origin = Value::Origin::constant;
  value.type = data.type;
  value.typed = true;
  value.data = std::move(data);
  return add_value(graph_, std::move(value));
}

ValueId OnnxBuilder::constant(ElementType element, double number) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(bytes_of(element)));
  if (!store_double(bytes, element, 0, number)) fail(fmt::format("{} does not fit {}", number, name_of(element)));
  return constant(own({element, {}}, std::move(bytes)));
}

ValueId OnnxBuilder::constant(const std::vector<std::int64_t>& numbers) {
  return constant(own({ElementType::i64, {static_cast<std::int64_t>(numbers.size())}}, numbers));
}

void OnnxBuilder::bind(std::size_t output, ValueId value) {
  if (output < outputs_.size()) outputs_[output] = value;
}

void OnnxBuilder::unsupported(std::string message) const { throw Failure(Fault::unsupported, std::move(message)); }
void OnnxBuilder::fail(std::string message) const { throw Failure(Fault::input, std::move(message)); }

}  // namespace calotype::layers
