#pragma once
/// \file
/// The parser's hands: the token at hand, whether the statement goes on, how to complain, and where to go on after a mistake.
#include "frontend/text/lexer.h"

namespace calotype::frontend::text {

/// Thrown after a mistake was reported; caught where the parser can go on.
struct SyntaxMistake {};

/// Reads tokens one after the other. Inside a statement and outside brackets, the end of a line is the end of the statement.
class TokenReader {
 public:
  TokenReader(const Source& source, Diagnostics& diagnostics)
      : source_(source), diagnostics_(diagnostics), tokens_(lex(source, diagnostics)) {}

  const Source& source() const { return source_; }
  Diagnostics& diagnostics() { return diagnostics_; }

  const Token& token(std::size_t ahead = 0) const { return tokens_[std::min(at_ + ahead, tokens_.size() - 1)]; }
  std::string_view text(std::size_t ahead = 0) const { return source_.text(token(ahead).span); }
  bool at_end() const { return token().kind == TokenKind::end; }
  /// Has the statement's line ended before the token at hand?
  bool line_ended() const { return at_end() || (open_.empty() && in_statement_ && at_ != statement_ && token().first_on_line); }
  bool is(char symbol, std::size_t ahead = 0) const;
  bool is_name(std::size_t ahead = 0) const;
  bool is_word(std::string_view word, std::size_t ahead = 0) const;

  Span previous() const { return at_ == 0 ? Span{} : tokens_[at_ - 1].span; }
  /// The empty place behind the last token.
  Span behind() const { return {previous().end, previous().end}; }

  const Token& take() { return tokens_[at_ < tokens_.size() - 1 ? at_++ : at_]; }
  /// Takes the symbol if it stands here on the same statement.
  bool accept(char symbol);
  /// Takes the symbol or complains; `after` says after what it was expected.
  void expect(char symbol, std::string_view after);
  /// Takes an opening bracket: line ends no longer matter until `close`.
  void open(char symbol, std::string_view after);
  void close(char symbol, std::string_view after);

  void begin_statement();
  void end_statement() { in_statement_ = false; }

  /// "'kernel'", "the end of the line"
  std::string found() const;
  /// Reports "expected WHAT, found ..." here and throws.
  [[noreturn]] void expected(std::string_view what, std::vector<std::string> notes = {});
  [[noreturn]] void mistake(Span where, std::string message, std::vector<std::string> notes = {});

  /// After a mistake: passes over the rest of the statement, to a line that can be another one, or a brace.
  void skip_statement();
  /// After a mistake outside braces: passes over everything up to `{` or the next block or network; true at `{`.
  bool skip_header();
  /// After a mistake in a list of a header: passes over the rest of the item; true if another one follows.
  bool skip_item();
  bool starts_definition() const;
  /// Does the list that is being read end here: at its bracket, or because the bracket is missing?
  bool list_ended(char bracket) const { return is(bracket) || is('}') || at_end(); }

 private:
  std::size_t names_before_equals() const;
  bool looks_like_binding() const;
  bool looks_like_statement() const;

  const Source& source_;
  Diagnostics& diagnostics_;
  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::size_t statement_ = 0;
  bool in_statement_ = false;
  std::vector<std::size_t> open_;  ///< the brackets that are open, as token indices
};

}  // namespace calotype::frontend::text
