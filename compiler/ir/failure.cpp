/// \file
/// Rendering of diagnostics: the place, the message, the quoted line with its caret, the notes.
#include "ir/failure.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace calotype {
namespace {

std::string_view line_of(std::string_view text, int line) {
  for (int current = 1; current < line; ++current) {
    const std::size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, text.find('\n'));
}

/// The quoted line and a caret below the span. Tabs stay tabs in the caret's line, so that both lines align in a terminal.
std::string quote(const SourceLocation& where) {
  const std::string_view line = line_of(where.file->text, where.line);
  if (line.empty() || where.column < 1) return {};
  std::string caret;
  for (int i = 0; i + 1 < where.column; ++i) {
    const auto at = static_cast<std::size_t>(i);
    caret += at < line.size() && line[at] == '\t' ? '\t' : ' ';
  }
  caret += '^';
  const int room = static_cast<int>(line.size()) - where.column + 1;
  if (where.length > 1) caret.append(static_cast<std::size_t>(std::max(0, std::min(where.length, room) - 1)), '~');
  return fmt::format("{}\n{}\n", line, caret);
}

std::string_view label(Fault fault) {
  switch (fault) {
    case Fault::unsupported: return "not supported";
    case Fault::bug: return "internal error";
    default: return "error";
  }
}

}  // namespace

std::string render(const Failure& failure) {
  std::string text;
  for (const Diagnostic& diagnostic : failure.diagnostics()) {
    if (diagnostic.where) text += fmt::format("{}:{}:{}: ", diagnostic.where.file->path, diagnostic.where.line, diagnostic.where.column);
    text += fmt::format("{}: ", label(diagnostic.fault));
    if (!diagnostic.where && !diagnostic.layer.empty()) text += fmt::format("layer {}: ", diagnostic.layer);
    text += fmt::format("{}\n", diagnostic.message);
    if (diagnostic.where) text += quote(diagnostic.where);
    for (const std::string& note : diagnostic.notes) text += fmt::format("note: {}\n", note);
  }
  return text;
}

}  // namespace calotype
