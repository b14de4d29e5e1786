/// \file
/// Expectations about tokens, and recovery after a mistake.
#include "frontend/text/token_reader.h"

#include <fmt/format.h>

namespace calotype::frontend::text {

bool TokenReader::is(char symbol, std::size_t ahead) const {
  return token(ahead).kind == TokenKind::symbol && token(ahead).symbol == symbol;
}

bool TokenReader::is_name(std::size_t ahead) const {
  return token(ahead).kind == TokenKind::name || token(ahead).kind == TokenKind::quoted;
}

bool TokenReader::is_word(std::string_view word, std::size_t ahead) const {
  return token(ahead).kind == TokenKind::name && text(ahead) == word;
}

bool TokenReader::accept(char symbol) {
  if (line_ended() || !is(symbol)) return false;
  take();
  return true;
}

void TokenReader::expect(char symbol, std::string_view after) {
  if (!accept(symbol)) expected(fmt::format("'{}' after {}", symbol, after));
}

void TokenReader::open(char symbol, std::string_view after) {
  if (line_ended() || !is(symbol)) expected(fmt::format("'{}' after {}", symbol, after));
  open_.push_back(at_);
  take();
}

void TokenReader::close(char symbol, std::string_view after) {
  if (accept(symbol)) {
    open_.pop_back();
    return;
  }
  // The place to mend is behind what stands, not at the next line's first word.
  if (at_end() || token().first_on_line) {
    const Span bracket = tokens_[open_.back()].span;
    const int line = source_.line(bracket);
    std::vector<std::string> notes;
    if (line != source_.line(previous())) notes.push_back(fmt::format("the '{}' stands in line {}", source_.text(bracket), line));
    mistake(behind(), fmt::format("'{}' is missing: the '{}' is not closed", symbol, source_.text(bracket)), std::move(notes));
  }
  expected(fmt::format("',' or '{}' after {}", symbol, after));
}

void TokenReader::begin_statement() {
  in_statement_ = true;
  statement_ = at_;
  open_.clear();
}

std::string TokenReader::found() const {
  if (at_end()) return "the end of the file";
  if (line_ended()) return "the end of the line";
  const std::string_view shown = text();
  return token().kind == TokenKind::quoted ? std::string(shown) : fmt::format("'{}'", shown);
}

void TokenReader::expected(std::string_view what, std::vector<std::string> notes) {
  if (token().kind == TokenKind::bad) throw SyntaxMistake{};
  mistake(line_ended() ? behind() : token().span, fmt::format("expected {}, found {}", what, found()), std::move(notes));
}

void TokenReader::mistake(Span where, std::string message, std::vector<std::string> notes) {
  diagnostics_.add(where, std::move(message), std::move(notes));
  throw SyntaxMistake{};
}

bool TokenReader::starts_definition() const {
  return token().first_on_line && (is_word("block") || is_word("network")) && is_name(1) && !token(1).first_on_line;
}

/// How many tokens `a, b =` takes here, 0 if it does not stand here.
std::size_t TokenReader::names_before_equals() const {
  std::size_t ahead = 1;
  while (is(',', ahead) && is_name(ahead + 1) && ahead < 64) ahead += 2;
  return is_name() && is('=', ahead) ? ahead + 1 : 0;
}

bool TokenReader::looks_like_binding() const {
  return names_before_equals() > 0 || (is_word("weights") && token(1).kind == TokenKind::quoted);
}

/// `a, b = layer(` or `weights "file"`: an argument that stands on a line of its own looks different.
bool TokenReader::looks_like_statement() const {
  const std::size_t ahead = names_before_equals();
  return ahead > 0 ? is_name(ahead) && is('(', ahead + 1) : looks_like_binding();
}

void TokenReader::skip_statement() {
  const auto step = [](char symbol) { return symbol == '(' || symbol == '[' ? 1 : symbol == ')' || symbol == ']' ? -1 : 0; };
  int depth = 0;
  for (std::size_t i = statement_; i < at_; ++i) depth += step(tokens_[i].symbol);
  // Where the line broke off, the next one may be its rest.
  const bool broke_off = at_ > statement_ && token().first_on_line;
  for (; !at_end() && !is('}'); take()) {
    if (at_ > statement_ && token().first_on_line) {
      if (starts_definition() || looks_like_statement()) break;
      if (depth <= 0 && (!broke_off || looks_like_binding())) break;
    }
    depth += step(token().symbol);
  }
  open_.clear();
  in_statement_ = false;
}

bool TokenReader::skip_item() {
  int depth = 0;
  while (open_.size() > 1) {
    open_.pop_back();
    ++depth;
  }
  for (; !at_end() && !is('{') && !starts_definition(); take()) {
    if (depth <= 0 && is(',')) {
      take();
      return true;
    }
    if (depth <= 0 && is(')')) return false;
    if (is('(') || is('[')) ++depth;
    if (is(')') || is(']')) --depth;
  }
  return false;
}

bool TokenReader::skip_header() {
  open_.clear();
  in_statement_ = false;
  while (!at_end() && !is('{') && !starts_definition()) take();
  return is('{');
}

}  // namespace calotype::frontend::text
