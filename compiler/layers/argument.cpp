/// \file
/// Checks the arguments of a statement against its layer's table, all mistakes at once, each with what would have been right.
#include "layers/argument.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

namespace calotype::layers {
namespace {

template <typename T>
const T* as(const Attribute& attribute) {
  return std::get_if<T>(&attribute.value);
}

bool is_integer(const Attribute& attribute) {
  return as<std::int64_t>(attribute) != nullptr || as<ExpressionPointer>(attribute) != nullptr;
}

bool is_real(const Attribute& attribute) { return is_integer(attribute) || as<double>(attribute) != nullptr; }

/// A list of which every entry passes, not nested.
template <typename Test>
bool is_list_of(const Attribute& attribute, Test test) {
  const auto* list = as<Attribute::List>(attribute);
  return list != nullptr && std::all_of(list->begin(), list->end(), test);
}

bool is_word(const Attribute& attribute, std::string_view text) {
  const auto* word = as<Word>(attribute);
  return word != nullptr && word->text == text;
}

bool is_tensor(const Attribute& attribute) {
  const auto* list = as<Attribute::List>(attribute);
  if (list != nullptr) return std::all_of(list->begin(), list->end(), is_tensor);
  return is_real(attribute) || as<bool>(attribute) != nullptr;
}

/// What the attribute is, for messages.
std::string written(const Attribute& attribute) {
  if (const auto* number = as<std::int64_t>(attribute)) return fmt::format("{}", *number);
  if (const auto* number = as<double>(attribute)) return fmt::format("{}", *number);
  if (const auto* flag = as<bool>(attribute)) return *flag ? "true" : "false";
  if (const auto* word = as<Word>(attribute)) return fmt::format("'{}'", word->text);
  if (as<std::string>(attribute) != nullptr) return "a string";
  if (as<Attribute::List>(attribute) != nullptr) return "a list";
  return "an expression";
}

bool passes(const Argument& argument, const Attribute& attribute) {
  switch (argument.kind) {
    case ArgumentKind::integer: return is_integer(attribute);
    case ArgumentKind::real: return is_real(attribute);
    case ArgumentKind::boolean: return as<bool>(attribute) != nullptr;
    case ArgumentKind::word: return as<Word>(attribute) != nullptr;
    case ArgumentKind::extents: return is_integer(attribute) || is_list_of(attribute, is_integer);
    case ArgumentKind::padding:
      return is_integer(attribute) || is_list_of(attribute, is_integer) || is_word(attribute, "valid") || is_word(attribute, "same") ||
             is_word(attribute, "same_lower");
    case ArgumentKind::integers: return is_integer(attribute) || is_list_of(attribute, is_integer);
    case ArgumentKind::reals: return is_real(attribute) || is_list_of(attribute, is_real);
    case ArgumentKind::type: return as<Word>(attribute) != nullptr && element_type_of(as<Word>(attribute)->text).has_value();
    case ArgumentKind::text: return as<std::string>(attribute) != nullptr;
    case ArgumentKind::tensor: return is_tensor(attribute);
    case ArgumentKind::boolean_or_tensor: return is_tensor(attribute);
  }
  return false;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

std::vector<std::string_view> choices_of(const Argument& argument) {
  if (argument.choices != any_activation) return words_of(argument.choices);
  std::vector<std::string_view> names = {"none"};
  for (const Layer* layer : all_layers()) {
    if (layer->traits.is_activation) names.push_back(layer->name);
  }
  return names;
}

/// "an integer, not 'fast'", or for a word what may stand: "relu, tanh or none".
std::string with_suggestion(std::string message, const std::string& nearest) {
  return nearest.empty() ? message : fmt::format("{}; did you mean '{}'?", message, nearest);
}

void check_operands(const Layer& layer, const Op& op, std::vector<Diagnostic>& diagnostics) {
  const auto operands = operands_of(layer);
  const bool variadic = !operands.empty() && operands.back().kind == Operand::Kind::variadic;
  if (!variadic && op.operands.size() > operands.size()) {
    std::vector<std::string_view> names;
    for (const Operand& operand : operands) names.push_back(operand.name);
    const std::string most = operands.empty() ? "no operand" : fmt::format("at most {} ({})", operands.size(), fmt::join(names, ", "));
    diagnostics.push_back(
        {Fault::input, op.location, fmt::format("{} takes {}, not {}", layer.name, most, op.operands.size()), {}, op.name});
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Operand::Kind kind = operands[i].kind;
    const bool is_there = i < op.operands.size() && op.operands[i] != no_value;
    if (!is_there && (kind == Operand::Kind::required || kind == Operand::Kind::variadic)) {
      diagnostics.push_back({Fault::input,
                             op.location,
                             fmt::format("{} needs its operand '{}' (number {})", layer.name, operands[i].name, i + 1),
                             {},
                             op.name});
    }
  }
  for (std::size_t i = operands.size(); variadic && i < op.operands.size(); ++i) {
    if (op.operands[i] == no_value) {
      diagnostics.push_back({Fault::input, op.location, fmt::format("operand {} of {} may not be '_'", i + 1, layer.name), {}, op.name});
    }
  }
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

std::span<const Operand> operands_of(const Layer& layer) {
  std::size_t count = 0;
  while (count < std::size(layer.operands) && !layer.operands[count].name.empty()) ++count;
  return std::span(layer.operands).first(count);
}

std::span<const Argument> arguments_of(const Layer& layer) {
  std::size_t count = 0;
  while (count < std::size(layer.arguments) && !layer.arguments[count].name.empty()) ++count;
  return std::span(layer.arguments).first(count);
}

const Layer* find_layer(std::string_view name) {
  const auto layers = all_layers();
  const auto found =
      std::lower_bound(layers.begin(), layers.end(), name, [](const Layer* layer, std::string_view key) { return layer->name < key; });
  return found != layers.end() && (*found)->name == name ? *found : nullptr;
}

Argument argument_of(const Layer& layer, std::string_view name) {
  for (const Argument& argument : arguments_of(layer)) {
    if (argument.name == name) return argument;
  }
  for (const Operand& operand : operands_of(layer)) {
    if (operand.name == name && operand.kind == Operand::Kind::weight) return optional(operand.name, ArgumentKind::tensor);
  }
  return {};
}

bool argument_is_declared(const Layer& layer, std::string_view name) {
  const auto arguments = arguments_of(layer);
  return std::any_of(arguments.begin(), arguments.end(), [&](const Argument& argument) { return argument.name == name; });
}

Attribute attribute_of(std::string_view fallback) {
  Attribute attribute;
  if (fallback == "true" || fallback == "false") {
    attribute.value = fallback == "true";
    return attribute;
  }
  const char* const end = fallback.data() + fallback.size();
  std::int64_t integer = 0;
  if (const auto read = std::from_chars(fallback.data(), end, integer); read.ec == std::errc() && read.ptr == end) {
    attribute.value = integer;
    return attribute;
  }
  double real = 0;  // reads inf, -inf and nan too
  if (const auto read = std::from_chars(fallback.data(), end, real); read.ec == std::errc() && read.ptr == end) {
    attribute.value = real;
    return attribute;
  }
  attribute.value = Word{std::string(fallback)};
  return attribute;
}

std::string describe(const Argument& argument) {
  switch (argument.kind) {
    case ArgumentKind::integer: return "an integer";
    case ArgumentKind::real: return "a number";
    case ArgumentKind::boolean: return "true or false";
    case ArgumentKind::word: {
      const auto choices = choices_of(argument);
      return choices.empty() ? "a word" : fmt::format("one of {}", fmt::join(choices, ", "));
    }
    case ArgumentKind::extents: return "extents such as 3x3, or one number for every spatial dimension";
    case ArgumentKind::padding: return "valid, same, same_lower, a number, extents, or [begin..., end...]";
    case ArgumentKind::integers: return "integers such as [0, 1]";
    case ArgumentKind::reals: return "numbers such as [0.5, 1]";
    case ArgumentKind::type: return "an element type such as f32";
    case ArgumentKind::text: return "a string in quotes";
    case ArgumentKind::tensor: return "numbers in nested lists";
    case ArgumentKind::boolean_or_tensor: return "true, false or numbers in nested lists";
  }
  return "a value";
}

std::string mismatch(const Argument& argument, const Attribute& attribute) {
  if (!passes(argument, attribute)) return fmt::format("'{}' wants {}, not {}", argument.name, describe(argument), written(attribute));
  if (argument.kind != ArgumentKind::word || argument.choices.empty()) return {};
  const std::string& text = as<Word>(attribute)->text;
  const auto choices = choices_of(argument);
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return {};
  return with_suggestion(fmt::format("'{}' wants {}, not '{}'", argument.name, describe(argument), text), nearest_name(text, choices));
}

std::vector<Diagnostic> check_arguments(const Layer& layer, const Op& op) {
  std::vector<Diagnostic> diagnostics;
  check_operands(layer, op, diagnostics);

  std::vector<std::string_view> names;
  for (const Argument& argument : arguments_of(layer)) names.push_back(argument.name);
  for (const Operand& operand : operands_of(layer)) {
    if (operand.kind == Operand::Kind::weight && std::find(names.begin(), names.end(), operand.name) == names.end())
      names.push_back(operand.name);
  }

  std::vector<std::string> meant;  // required arguments that are there, misspelt
  for (std::size_t i = 0; i < op.attributes.size(); ++i) {
    const NamedAttribute& written_argument = op.attributes[i];
    const SourceLocation& name_at = written_argument.location ? written_argument.location : op.location;
    const auto is_same = [&](const NamedAttribute& other) { return other.name == written_argument.name; };
    if (std::any_of(op.attributes.begin(), op.attributes.begin() + static_cast<std::ptrdiff_t>(i), is_same)) {
      diagnostics.push_back({Fault::input, name_at, fmt::format("argument '{}' is given twice", written_argument.name), {}, op.name});
      continue;
    }
    const Argument argument = argument_of(layer, written_argument.name);
    if (argument.name.empty()) {
      Diagnostic unknown{Fault::input, name_at, fmt::format("unknown argument '{}'", written_argument.name), {}, op.name};
      meant.push_back(nearest_name(written_argument.name, names));
      unknown.message = with_suggestion(std::move(unknown.message), meant.back());
      unknown.notes.push_back(names.empty() ? fmt::format("{} takes no argument", layer.name)
                                            : fmt::format("{} takes {}", layer.name, fmt::join(names, ", ")));
      diagnostics.push_back(std::move(unknown));
      continue;
    }
    if (std::string message = mismatch(argument, written_argument.value); !message.empty()) {
      const SourceLocation& value_at = written_argument.value.location ? written_argument.value.location : name_at;
      diagnostics.push_back({Fault::input, value_at, std::move(message), {}, op.name});
    }
  }

  for (const Argument& argument : arguments_of(layer)) {
    const bool is_misspelt = std::find(meant.begin(), meant.end(), argument.name) != meant.end();
    if (argument.is_required && !is_misspelt && find(op.attributes, argument.name) == nullptr) {
      diagnostics.push_back({Fault::input,
                             op.location,
                             fmt::format("{} needs the argument '{}': {}", layer.name, argument.name, describe(argument)),
                             {},
                             op.name});
    }
  }
  return diagnostics;
}

std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates) {
  // Edit distance row by row, two letters swapped counting once; a suggestion may be wrong in at most a third of its letters, or in one of a
  // short name.
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(1, name.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    std::vector<std::size_t> row(candidate.size() + 1);
    std::vector<std::size_t> above, above_that;
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < name.size(); ++i) {
      above_that = std::move(above);
      above = row;
      row[0] = i + 1;
      for (std::size_t j = 0; j < candidate.size(); ++j) {
        const std::size_t replaced = above[j] + (name[i] == candidate[j] ? 0 : 1);
        row[j + 1] = std::min({replaced, row[j] + 1, above[j + 1] + 1});
        const bool swapped = i > 0 && j > 0 && name[i] == candidate[j - 1] && name[i - 1] == candidate[j];
        if (swapped) row[j + 1] = std::min(row[j + 1], above_that[j - 1] + 1);
      }
    }
    // With no letter in common it is another name: M is not N, but c may be C.
    const bool unlike = row.back() >= std::max(name.size(), candidate.size()) && !equal_ignoring_case(name, candidate);
    if (row.back() < best_distance && !unlike) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return std::string(best);
}

std::string with_commas(std::int64_t number) {
  std::string digits = fmt::format("{}", number);
  const std::size_t first = number < 0 ? 1 : 0;
  for (std::size_t i = digits.size(); i > first + 3;) {
    i -= 3;
    digits.insert(i, 1, ',');
  }
  return digits;
}

}  // namespace calotype::layers
