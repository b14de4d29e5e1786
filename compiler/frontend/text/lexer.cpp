/// \file
/// The lexer: names with dotted parts, numbers, extents, strings with JSON's escapes, comments.
#include "frontend/text/lexer.h"

#include <fmt/format.h>

#include <array>

namespace calotype::frontend::text {
namespace {

// Names grow with each block around them, and suggestions compare them letter by letter.
constexpr std::size_t longest_name = 500;
constexpr std::size_t longest_string = 4000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_'; }
bool is_word(char c) { return is_letter(c) || is_digit(c); }
bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

/// Length of the UTF-8 sequence that begins the text, or 0 where it is malformed (overlong forms and surrogates too).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) || (lead == 0xF0 && second < 0x90) ||
      (lead == 0xF4 && second > 0x8F))
    return 0;
  return length;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto push = [&](std::uint32_t byte) { text += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (code < 0x80) {
    push(code);
  } else if (code < 0x800) {
    push(0xC0 | (code >> 6)), push(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    push(0xE0 | (code >> 12)), push(0x80 | ((code >> 6) & 0x3F)), push(0x80 | (code & 0x3F));
  } else {
    push(0xF0 | (code >> 18)), push(0x80 | ((code >> 12) & 0x3F)), push(0x80 | ((code >> 6) & 0x3F)), push(0x80 | (code & 0x3F));
  }
}

/// The four hexadecimal digits at the start of the text.
std::optional<std::uint32_t> hexadecimal(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  std::uint32_t code = 0;
  for (const char c : text.substr(0, 4)) {
    const int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return std::nullopt;
    code = code * 16 + static_cast<std::uint32_t>(digit);
  }
  return code;
}

/// One escape at the start of the text, after its backslash: how long it is and what it stands for; length 0 where it is none of JSON's.
struct Escape {
  std::size_t length = 0;
  std::uint32_t code = 0;
};

Escape escape_at(std::string_view text) {
  constexpr std::string_view letters = "\"\\/bfnrt", codes = "\"\\/\b\f\n\r\t";
  if (text.empty()) return {};
  if (const std::size_t i = letters.find(text[0]); i != std::string_view::npos) return {1, static_cast<std::uint32_t>(codes[i])};
  if (text[0] != 'u') return {};
  const std::optional<std::uint32_t> high = hexadecimal(text.substr(1));
  if (!high || (*high >= 0xDC00 && *high < 0xE000)) return {};
  if (*high < 0xD800 || *high >= 0xE000) return {5, *high};
  if (text.substr(5, 2) != "\\u") return {};
  const std::optional<std::uint32_t> low = hexadecimal(text.substr(7));
  if (!low || *low < 0xDC00 || *low >= 0xE000) return {};
  return {11, 0x10000 + ((*high - 0xD800) << 10) + (*low - 0xDC00)};
}

class Lexer {
 public:
  Lexer(const Source& source, Diagnostics& diagnostics) : text_(source.text()), diagnostics_(diagnostics) {}

  std::vector<Token> run() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
    while (skip_blanks()) token();
    push(TokenKind::end, at_);
    return std::move(tokens_);
  }

 private:
  char current() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  char next() const { return at_ + 1 < text_.size() ? text_[at_ + 1] : '\0'; }
  Span span_from(std::size_t begin) const { return {static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(at_)}; }

  void push(TokenKind kind, std::size_t begin, char symbol = 0) {
    tokens_.push_back({kind, line_begins_, symbol, span_from(begin)});
    line_begins_ = false;
  }

  void bad(std::size_t begin, std::string message, std::vector<std::string> notes = {}) {
    diagnostics_.add(span_from(begin), std::move(message), std::move(notes));
    push(TokenKind::bad, begin);
  }

  /// Passes over blanks, line ends and comments; false at the end of the text.
  bool skip_blanks() {
    while (at_ < text_.size()) {
      if (current() == '\n') {
        line_begins_ = true;
        ++at_;
      } else if (is_space(current())) {
        ++at_;
      } else if (current() == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        return true;
      }
    }
    line_begins_ = true;
    return false;
  }

  void token() {
    const std::size_t begin = at_;
    if (is_letter(current())) return name();
    if (is_digit(current())) return number();
    if (current() == '"') return string();
    if (current() == '-' && next() == '>') {
      at_ += 2;
      return push(TokenKind::arrow, begin);
    }
    if (std::string_view("()[]{},=:+-*/").find(current()) != std::string_view::npos) {
      ++at_;
      return push(TokenKind::symbol, begin, text_[begin]);
    }
    unexpected();
  }

  void name() {
    const std::size_t begin = at_;
    while (is_word(current())) ++at_;
    while (current() == '.' && is_word(next())) {
      ++at_;
      while (is_word(current())) ++at_;
    }
    if (at_ - begin > longest_name) return bad(begin, fmt::format("a name has at most {} characters", longest_name));
    push(TokenKind::name, begin);
  }

  void digits() {
    while (is_digit(current())) ++at_;
  }

  void number() {
    const std::size_t begin = at_;
    TokenKind kind = TokenKind::integer;
    digits();
    if (current() == 'x' && is_digit(next())) {
      kind = TokenKind::extents;
      while (current() == 'x' && is_digit(next())) {
        ++at_;
        digits();
      }
    } else {
      if (current() == '.') {
        kind = TokenKind::real;
        ++at_;
        digits();
      }
      if (current() == 'e' || current() == 'E') {
        const bool sign = next() == '+' || next() == '-';
        const std::size_t digit = at_ + (sign ? 2 : 1);
        if (digit < text_.size() && is_digit(text_[digit])) {
          kind = TokenKind::real;
          at_ = digit;
          digits();
        }
      }
    }
    if (!is_word(current()) && current() != '.') return push(kind, begin);
    while (is_word(current()) || current() == '.') ++at_;
    bad(begin, fmt::format("'{}' is neither a number (64, 0.5, 1e-5) nor extents (3x3)", text_.substr(begin, at_ - begin)),
        {"a name that begins with a digit stands in double quotes"});
  }

  void string() {
    const std::size_t begin = at_++;
    std::string message;
    while (current() != '"') {
      if (at_ >= text_.size() || current() == '\n') return bad(begin, "the string is not closed; it ends with \" on the same line");
      const std::size_t length = utf8_length(text_.substr(at_));
      if (length == 0) {
        message = "the string is not valid UTF-8";
        ++at_;
      } else if (current() == '\\') {
        const Escape escape = escape_at(text_.substr(at_ + 1));
        if (escape.length == 0) message = R"(the string has an escape that JSON does not know; a backslash is written \\)";
        const bool nothing_follows = at_ + 1 >= text_.size() || next() == '\n';
        at_ += nothing_follows ? 1 : 1 + std::max<std::size_t>(escape.length, 1);
      } else {
        if (static_cast<unsigned char>(current()) < 0x20 && current() != '\t')
          message = "the string has a control character; write it as an escape";
        at_ += length;
      }
    }
    ++at_;
    if (at_ - begin > longest_string) message = fmt::format("a string has at most {} characters", longest_string);
    if (!message.empty()) return bad(begin, message);
    push(TokenKind::quoted, begin);
  }

  void unexpected() {
    const std::size_t begin = at_;
    if (current() == '\'') {
      const std::size_t line_end = std::min(text_.find('\n', at_), text_.size());
      const std::size_t close = text_.find('\'', at_ + 1);
      at_ = close < line_end ? close + 1 : at_ + 1;
      return bad(begin, "strings stand in double quotes");
    }
    const std::size_t length = utf8_length(text_.substr(at_));
    at_ += std::max<std::size_t>(length, 1);
    const auto byte = static_cast<unsigned char>(text_[begin]);
    // One message for a run of them: a binary file is one mistake.
    const bool printable = length > 1 || (length == 1 && byte > 0x20 && byte < 0x7F);
    const std::string what = printable ? fmt::format("'{}'", text_.substr(begin, length)) : fmt::format("byte 0x{:02x}", byte);
    while (at_ < text_.size() && text_[at_] == text_[begin]) ++at_;
    bad(begin, fmt::format("unexpected {}", what),
        length > 1 ? std::vector<std::string>{"a name with other characters than letters, digits and _ stands in double quotes"}
                   : std::vector<std::string>{});
  }

  std::string_view text_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  bool line_begins_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> lex(const Source& source, Diagnostics& diagnostics) { return Lexer(source, diagnostics).run(); }

std::string unquote(std::string_view quoted) {
  std::string text;
  quoted = quoted.substr(1, quoted.size() - 2);
  for (std::size_t i = 0; i < quoted.size(); ++i) {
    if (quoted[i] == '\\') {
      const Escape escape = escape_at(quoted.substr(i + 1));
      append_utf8(text, escape.code);
      i += escape.length;
    } else {
      text += quoted[i];
    }
  }
  return text;
}

std::string quote(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"': quoted += "\\\""; break;
      case '\\': quoted += "\\\\"; break;
      case '\n': quoted += "\\n"; break;
      case '\r': quoted += "\\r"; break;
      case '\t': quoted += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else {
          quoted += c;
        }
    }
  }
  return quoted + '"';
}

bool is_bare_name(std::string_view text) {
  if (text.empty() || !is_letter(text[0])) return false;
  for (std::size_t i = 1; i < text.size(); ++i) {
    const bool dot = text[i] == '.' && text[i - 1] != '.' && i + 1 < text.size();
    if (!dot && !is_word(text[i])) return false;
  }
  for (const std::string_view literal : {"_", "true", "false", "inf", "nan"}) {
    if (text == literal) return false;
  }
  return true;
}

}  // namespace calotype::frontend::text
