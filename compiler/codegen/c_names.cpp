/// \file
/// Identifiers from names that need not be any.
#include "codegen/c_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ir/failure.h"

namespace calotype::codegen {
namespace {

/// C11's and C++20's, with the two words that gcc predefines as macros.
constexpr std::string_view keywords[] = {
    "alignas",     "alignof",      "and",       "and_eq",   "asm",       "auto",         "bitand",   "bitor",
    "bool",        "break",        "case",      "catch",    "char",      "char16_t",     "char32_t", "char8_t",
    "class",       "co_await",     "co_return", "co_yield", "compl",     "concept",      "const",    "const_cast",
    "consteval",   "constexpr",    "constinit", "continue", "decltype",  "default",      "delete",   "do",
    "double",      "dynamic_cast", "else",      "enum",     "explicit",  "export",       "extern",   "false",
    "float",       "for",          "friend",    "goto",     "if",        "inline",       "int",      "linux",
    "long",        "mutable",      "namespace", "new",      "noexcept",  "not",          "not_eq",   "nullptr",
    "operator",    "or",           "or_eq",     "private",  "protected", "public",       "register", "reinterpret_cast",
    "requires",    "restrict",     "return",    "short",    "signed",    "sizeof",       "static",   "static_assert",
    "static_cast", "struct",       "switch",    "template", "this",      "thread_local", "throw",    "true",
    "try",         "typedef",      "typeid",    "typename", "union",     "unix",         "unsigned", "using",
    "virtual",     "void",         "volatile",  "wchar_t",  "while",     "xor",          "xor_eq"};

/// What the header's own macros take: NAME_STATE_BYTES, NAME_WEIGHTS_BYTES.
constexpr std::string_view taken_macros[] = {"STATE", "WEIGHTS"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string c_identifier(std::string_view name) {
  std::string identifier;
  for (const char c : name) identifier += is_letter(c) || is_digit(c) ? c : '_';
  if (identifier.empty() || is_digit(identifier.front())) identifier.insert(identifier.begin(), '_');
  if (contains(keywords, identifier)) identifier += '_';
  return identifier;
}

std::string upper_case(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

std::vector<std::int64_t> CallerBuffer::memory_extents() const {
  std::vector<std::int64_t> extents = buffer->type.extents;
  if (channels_last() && extents.size() >= 2) std::rotate(extents.begin() + 1, extents.begin() + 2, extents.end());
  return extents;
}

std::vector<CallerBuffer> caller_buffers(const plan::Plan& plan, std::string_view library_name) {
  std::vector<CallerBuffer> buffers;
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    const plan::Buffer& buffer = plan.buffer(plan.inputs[i]);
    const bool named = i < plan.graph.inputs.size();
    buffers.push_back({named ? plan.graph.value(plan.graph.inputs[i].value).name : buffer.name, {}, {}, true, &buffer});
  }
  for (std::size_t i = 0; i < plan.results.size(); ++i) {
    const plan::Buffer& buffer = plan.buffer(plan.results[i]);
    const bool named = i < plan.graph.results.size() && !plan.graph.results[i].name.empty();
    buffers.push_back({named ? plan.graph.results[i].name : buffer.name, {}, {}, false, &buffer});
  }
  std::map<std::string, const CallerBuffer*> taken;  // by macro name: members that differ in case alone would share macros
  for (CallerBuffer& caller : buffers) {
    caller.c_name = c_identifier(caller.name);
    std::string stem = upper_case(caller.c_name);
    if (contains(taken_macros, stem)) stem += '_';
    caller.macro_name = fmt::format("{}_{}", upper_case(library_name), stem);
    const auto [other, is_new] = taken.emplace(caller.macro_name, &caller);
    if (!is_new) {
      throw Failure(Fault::input, fmt::format("'{}' and '{}' become the same name in C: rename one of these inputs and outputs",
                                              other->second->name, caller.name));
    }
  }
  return buffers;
}

}  // namespace calotype::codegen
