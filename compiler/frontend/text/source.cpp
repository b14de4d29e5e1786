/// \file
/// Lines and columns of a description, and the list of its mistakes.
#include "frontend/text/source.h"

#include <fmt/format.h>

#include <algorithm>

namespace calotype::frontend::text {
namespace {
constexpr std::size_t most_bytes = std::size_t{1} << 30;
}

Source::Source(std::shared_ptr<const SourceFile> file) : file_(std::move(file)) {
  const std::string& text = file_->text;
  if (text.size() > most_bytes) {
    throw Failure(Fault::unsupported, fmt::format("{} is larger than 1 GiB; keep weights in a safetensors file beside it", file_->path));
  }
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(static_cast<std::uint32_t>(i + 1));
  }
}

int Source::line(Span span) const {
  return static_cast<int>(std::upper_bound(line_starts_.begin(), line_starts_.end(), span.begin) - line_starts_.begin());
}

SourceLocation Source::at(Span span) const {
  const int line = this->line(span);
  const std::uint32_t start = line_starts_[static_cast<std::size_t>(line - 1)];
  return {file_, line, static_cast<int>(span.begin - start) + 1, static_cast<int>(span.end - span.begin)};
}

void Diagnostics::add(Span where, std::string message, std::vector<std::string> notes) {
  add(Diagnostic{Fault::input, source_->at(where), std::move(message), std::move(notes)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (!known_.emplace(diagnostic.where.line, diagnostic.where.column, diagnostic.message).second) return;
  if (full()) {
    ++left_out_;
  } else {
    diagnostic.notes.insert(diagnostic.notes.end(), context_.begin(), context_.end());
    diagnostics_.push_back(std::move(diagnostic));
  }
}

void Diagnostics::throw_if_any() {
  if (diagnostics_.empty()) return;
  std::stable_sort(diagnostics_.begin(), diagnostics_.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
  });
  if (left_out_ > 0) diagnostics_.back().notes.push_back(fmt::format("{} more mistakes are not shown", left_out_));
  throw Failure(std::move(diagnostics_));
}

}  // namespace calotype::frontend::text
