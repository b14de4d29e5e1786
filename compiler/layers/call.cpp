/// \file
/// How a layer reads its own statement: operands by name or position, arguments as numbers with their defaults filled in, and errors that
/// point at the argument at fault.
#include <fmt/format.h>

#include <algorithm>

#include "layers/argument.h"
#include "layers/layer.h"

namespace calotype::layers {
namespace {

/// Position of the operand of that name in the layer's list; a name that the layer does not declare is a mistake in the layer.
int position_of(const Layer& layer, std::string_view name) {
  const auto operands = operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].name == name) return static_cast<int>(i);
  }
  throw Failure(Fault::bug, fmt::format("layer '{}' declares no operand '{}'", layer.name, name));
}

/// The span from the name to the end of its value where both stand on one line.
SourceLocation whole(const NamedAttribute& attribute) {
  const SourceLocation& name = attribute.location;
  const SourceLocation& value = attribute.value.location;
  if (!name) return value;
  if (!value || value.line != name.line || value.column < name.column) return name;
  SourceLocation both = name;
  both.length = value.column + value.length - name.column;
  return both;
}

/// The attribute as written or by default; throws if there is neither.
Attribute attribute_for(const Call& call, std::string_view name) {
  if (const Attribute* written = find(call.op().attributes, name)) {
    const Argument argument = argument_of(call.layer(), name);
    // Front ends have checked kinds; ops that passes or tests make have not been looked at yet.
    if (const std::string message = mismatch(argument, *written); !message.empty()) call.fail(name, message);
    return *written;
  }
  const Argument argument = argument_of(call.layer(), name);
  if (argument.name.empty()) throw Failure(Fault::bug, fmt::format("layer '{}' declares no argument '{}'", call.layer().name, name));
  if (argument.fallback.empty()) {
    call.fail(fmt::format("{} needs the argument '{}': {}", call.layer().name, name, describe(argument)));
  }
  return attribute_of(argument.fallback);
}

std::int64_t to_integer(const Call& call, std::string_view name, const Attribute& attribute) {
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) return *number;
  if (const auto* expression = std::get_if<ExpressionPointer>(&attribute.value)) {
    call.fail(name, fmt::format("'{}' depends on symbols that have no value: {}", name, to_text(**expression)));
  }
  call.fail(name, fmt::format("'{}' wants an integer", name));
}

double to_real(const Call& call, std::string_view name, const Attribute& attribute) {
  if (const auto* number = std::get_if<double>(&attribute.value)) return *number;
  return static_cast<double>(to_integer(call, name, attribute));
}

/// The entries of a list, or the lone value as a list of one.
Attribute::List entries(const Attribute& attribute) {
  if (const auto* list = std::get_if<Attribute::List>(&attribute.value)) return *list;
  return {attribute};
}

int checked_axis(const Call& call, std::string_view name, std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) {
    call.fail(name, rank == 0
                        ? fmt::format("'{}' names axis {} of a scalar, which has none", name, axis)
                        : fmt::format("'{}' names axis {}, but the operand has rank {}: {} to {}", name, axis, rank, -rank, rank - 1));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace

bool Call::has(int position) const {
  return position >= 0 && position < operand_count() && op_->operands[static_cast<std::size_t>(position)] != no_value;
}

bool Call::has(std::string_view name) const { return has(position_of(*layer_, name)); }

const Value& Call::operand(int position) const {
  if (!has(position)) {
    const auto operands = operands_of(*layer_);
    const auto at = static_cast<std::size_t>(position);
    const std::string_view name = at < operands.size() ? operands[at].name : std::string_view("...");
    fail(fmt::format("{} needs its operand '{}' (number {})", layer_->name, name, position + 1));
  }
  return graph_->value(op_->operands[static_cast<std::size_t>(position)]);
}

const Value& Call::operand(std::string_view name) const { return operand(position_of(*layer_, name)); }

const TensorType& Call::result(int index) const {
  if (index < 0 || index >= result_count()) {
    throw Failure(Fault::bug, fmt::format("{} has no result {}", op_->name, index), op_->location);
  }
  return graph_->value(op_->results[static_cast<std::size_t>(index)]).type;
}

bool Call::has_argument(std::string_view name) const { return is_written(name) || !argument_of(*layer_, name).fallback.empty(); }

std::int64_t Call::integer(std::string_view name) const { return to_integer(*this, name, attribute_for(*this, name)); }

double Call::real(std::string_view name) const { return to_real(*this, name, attribute_for(*this, name)); }

bool Call::boolean(std::string_view name) const {
  const Attribute attribute = attribute_for(*this, name);
  const bool* flag = std::get_if<bool>(&attribute.value);
  return flag == nullptr || *flag;  // a tensor stands for true
}

std::string Call::word(std::string_view name) const {
  const Attribute attribute = attribute_for(*this, name);
  const auto* word = std::get_if<Word>(&attribute.value);
  if (word == nullptr) fail(name, fmt::format("'{}' wants a word", name));
  return word->text;
}

std::vector<std::int64_t> Call::integers(std::string_view name) const {
  std::vector<std::int64_t> numbers;
  for (const Attribute& entry : entries(attribute_for(*this, name))) numbers.push_back(to_integer(*this, name, entry));
  return numbers;
}

std::vector<double> Call::reals(std::string_view name) const {
  std::vector<double> numbers;
  for (const Attribute& entry : entries(attribute_for(*this, name))) numbers.push_back(to_real(*this, name, entry));
  return numbers;
}

ElementType Call::element_type(std::string_view name) const {
  const std::optional<ElementType> type = element_type_of(word(name));
  if (!type) fail(name, fmt::format("'{}' wants an element type such as f32", name));
  return *type;
}

std::vector<std::int64_t> Call::extents(std::string_view name, int rank, std::int64_t least) const {
  const Attribute attribute = attribute_for(*this, name);
  std::vector<std::int64_t> numbers = integers(name);
  if (!std::holds_alternative<Attribute::List>(attribute.value)) numbers.assign(static_cast<std::size_t>(rank), numbers.front());
  if (numbers.size() != static_cast<std::size_t>(rank)) {
    fail(name,
         fmt::format("'{}' has {} numbers, but the operand has {} spatial dimension{}", name, numbers.size(), rank, rank == 1 ? "" : "s"));
  }
  for (const std::int64_t number : numbers) {
    if (number < least) fail(name, fmt::format("'{}' must be at least {}, not {}", name, least, number));
  }
  return numbers;
}

Padding Call::padding(std::string_view name, int rank) const {
  const Attribute attribute = attribute_for(*this, name);
  Padding padding;
  if (const auto* word = std::get_if<Word>(&attribute.value)) {
    padding.mode = word->text == "valid" ? Padding::Mode::valid : word->text == "same" ? Padding::Mode::same : Padding::Mode::same_lower;
    return padding;
  }
  const auto dimensions = static_cast<std::size_t>(rank);
  const std::vector<std::int64_t> cells = integers(name);
  padding.mode = Padding::Mode::explicit_cells;
  for (const std::int64_t cell : cells) {
    if (cell < 0) fail(name, fmt::format("'{}' must not be negative; slice() takes cells away", name));
  }
  if (!std::holds_alternative<Attribute::List>(attribute.value)) {
    padding.begin.assign(dimensions, cells.front());
    padding.end = padding.begin;
  } else if (cells.size() == dimensions) {
    padding.begin = padding.end = cells;
  } else if (cells.size() == 2 * dimensions) {
    padding.begin.assign(cells.begin(), cells.begin() + rank);
    padding.end.assign(cells.begin() + rank, cells.end());
  } else {
    fail(name, fmt::format("'{}' has {} numbers; {} spatial dimension{} want{} {} (both sides alike) or {} ([begin..., end...])", name,
                           cells.size(), rank, rank == 1 ? "" : "s", rank == 1 ? "s" : "", rank, 2 * rank));
  }
  return padding;
}

int Call::axis(std::string_view name, int rank) const { return checked_axis(*this, name, integer(name), rank); }

std::vector<int> Call::axes(std::string_view name, int rank) const {
  std::vector<int> axes;
  for (const std::int64_t number : integers(name)) {
    const int axis = checked_axis(*this, name, number, rank);
    if (std::find(axes.begin(), axes.end(), axis) != axes.end()) fail(name, fmt::format("'{}' names axis {} twice", name, axis));
    axes.push_back(axis);
  }
  return axes;
}

void Call::fail(std::string_view argument, std::string message, std::vector<std::string> notes) const {
  SourceLocation where = op_->location;
  for (const NamedAttribute& attribute : op_->attributes) {
    if (!argument.empty() && attribute.name == argument && whole(attribute)) where = whole(attribute);
  }
  throw Failure({Diagnostic{Fault::input, std::move(where), std::move(message), std::move(notes), op_->name}});
}

void Call::unsupported(std::string message) const {
  throw Failure({Diagnostic{Fault::unsupported, op_->location, std::move(message), {}, op_->name}});
}

}  // namespace calotype::layers
