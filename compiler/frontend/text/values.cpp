/// \file
/// Values: literals, lists, types, and sums of products of integers. Nesting and length are bounded, so that no text exhausts the stack.
#include "frontend/text/values.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>

#include "frontend/text/suggestions.h"
#include "ir/tensor_type.h"

namespace calotype::frontend::text {
namespace {

constexpr int most_nested = 64;  // brackets in brackets
constexpr int most_operations = 200;  // in one expression
constexpr std::string_view element_types = "f64 f32 f16 bf16 i8 u8 i16 u16 i32 u32 i64 u64 bool";

class ValueParser {
 public:
  explicit ValueParser(TokenReader& reader) : reader_(reader) {}

  Value value() {
    Value sum = product();
    while (at('+') || at('-')) {
      const Value::Kind kind = reader_.take().symbol == '+' ? Value::Kind::add : Value::Kind::subtract;
      sum = binary(kind, std::move(sum), product());
    }
    return sum;
  }

  Value type() {
    const Token token = reader_.token();
    if (token.kind != TokenKind::name || reader_.line_ended()) reader_.expected("an element type such as f32");
    const std::string element(reader_.text());
    if (!element_type_of(element)) {
      const std::string suggested = suggested_element_type(element);
      if (!suggested.empty()) reader_.mistake(token.span, fmt::format("unknown element type '{}'; did you mean '{}'?", element, suggested));
      reader_.mistake(token.span, fmt::format("unknown element type '{}'", element),
                      {fmt::format("the element types are {}", element_types)});
    }
    reader_.take();
    Value type = list(fmt::format("'{}'; a scalar is {}[]", element, element));
    type.kind = Value::Kind::type;
    type.text = element;
    type.span.begin = token.span.begin;
    return type;
  }

 private:
  bool at(char symbol) const { return !reader_.line_ended() && reader_.is(symbol); }

  Value binary(Value::Kind kind, Value left, Value right) {
    const Span span = join(left.span, right.span);
    if (++operations_ > most_operations) reader_.mistake(span, fmt::format("an expression has at most {} operations", most_operations));
    Value value{kind, span};
    value.items.reserve(2);
    value.items.push_back(std::move(left));
    value.items.push_back(std::move(right));
    return value;
  }

  Value product() {
    Value product = factor();
    while (at('*') || at('/')) {
      const Value::Kind kind = reader_.take().symbol == '*' ? Value::Kind::multiply : Value::Kind::divide;
      product = binary(kind, std::move(product), factor());
    }
    return product;
  }

  Value factor() {
    if (!at('-')) return primary();
    const Span sign = reader_.take().span;
    // The sign belongs to a number that follows: -9223372036854775808 has no positive counterpart.
    if (!reader_.line_ended() && reader_.token().kind == TokenKind::integer) return integer(sign);
    const Nested nested(*this, sign);
    Value operand = factor();
    const Span span = join(sign, operand.span);
    if (operand.kind == Value::Kind::real) {
      operand.real = -operand.real;
      operand.span = span;
      return operand;
    }
    Value value{Value::Kind::negate, span};
    value.items.push_back(std::move(operand));
    return value;
  }

  Value primary() {
    const Token& token = reader_.token();
    if (reader_.line_ended()) reader_.expected("a value");
    switch (token.kind) {
      case TokenKind::integer: return integer(std::nullopt);
      case TokenKind::real: return real();
      case TokenKind::extents: return extents();
      case TokenKind::quoted: {
        Value value{Value::Kind::string, token.span};
        value.text = unquote(reader_.text());
        reader_.take();
        return value;
      }
      case TokenKind::name: return word();
      default: break;
    }
    if (reader_.is('[')) return list("");
    if (reader_.is('(')) return group();
    reader_.expected("a value");
  }

  Value word() {
    const Span span = reader_.token().span;
    const std::string_view text = reader_.text();
    if (reader_.is('[', 1) && !reader_.token(1).first_on_line) return type();
    Value value{Value::Kind::name, span};
    if (text == "true" || text == "false") {
      value.kind = Value::Kind::boolean;
      value.integer = text == "true" ? 1 : 0;
    } else if (text == "inf" || text == "nan") {
      value.kind = Value::Kind::real;
      value.real = text == "inf" ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    } else if (text == "_") {
      value.kind = Value::Kind::absent;
    } else {
      value.text = text;
    }
    reader_.take();
    return value;
  }

  std::int64_t digits(std::string_view text, Span span) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) {
      reader_.mistake(span, fmt::format("{} does not fit 64 bits; integers lie between -2^63 and 2^63 - 1", text));
    }
    return number;
  }

  Value integer(std::optional<Span> sign) {
    const Token& token = reader_.take();
    const Span span = sign ? join(*sign, token.span) : token.span;
    Value value{Value::Kind::integer, span};
    const std::string text = fmt::format("{}{}", sign ? "-" : "", reader_.source().text(token.span));
    value.integer = digits(text, span);
    return value;
  }

  Value real() {
    const Token& token = reader_.take();
    const std::string_view text = reader_.source().text(token.span);
    Value value{Value::Kind::real, token.span};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value.real);
    if (error == std::errc::result_out_of_range) {
      // Too small is zero, as everywhere; too large would silently be infinity.
      const bool small = text.find("e-") != std::string_view::npos || text.find("E-") != std::string_view::npos || text.starts_with("0.");
      if (!small) reader_.mistake(token.span, fmt::format("{} is larger than any f64; infinity is written inf", text));
      value.real = 0;
    }
    return value;
  }

  Value extents() {
    const Token& token = reader_.take();
    Value value{Value::Kind::list, token.span};
    std::string_view rest = reader_.source().text(token.span);
    std::uint32_t begin = token.span.begin;
    while (true) {
      const std::size_t length = std::min(rest.find('x'), rest.size());
      Value item{Value::Kind::integer, {begin, begin + static_cast<std::uint32_t>(length)}};
      item.integer = digits(rest.substr(0, length), token.span);
      value.items.push_back(std::move(item));
      if (length == rest.size()) return value;
      rest.remove_prefix(length + 1);
      begin += static_cast<std::uint32_t>(length + 1);
    }
  }

  Value list(std::string_view after) {
    const Span begin = reader_.token().span;
    const Nested nested(*this, begin);
    reader_.open('[', after);
    Value value{Value::Kind::list, begin};
    while (!reader_.list_ended(']')) {
      const int operations = std::exchange(operations_, 0);
      value.items.push_back(this->value());
      operations_ = operations;
      if (!reader_.accept(',')) break;
    }
    reader_.close(']', "a value");
    value.span.end = reader_.previous().end;
    return value;
  }

  Value group() {
    const Span begin = reader_.token().span;
    const Nested nested(*this, begin);
    reader_.open('(', "");
    Value value{Value::Kind::group, begin};
    value.items.push_back(this->value());
    reader_.close(')', "a value");
    value.span.end = reader_.previous().end;
    return value;
  }

  /// Counts how deep the parser is.
  struct Nested {
    Nested(ValueParser& parser, Span span) : parser(parser) {
      if (++parser.depth_ > most_nested) parser.reader_.mistake(span, fmt::format("brackets nest at most {} deep", most_nested));
    }
    ~Nested() { --parser.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    ValueParser& parser;
  };

  TokenReader& reader_;
  int depth_ = 0;
  int operations_ = 0;
};

}  // namespace

Name parse_name(TokenReader& reader, std::string_view what) {
  if (reader.line_ended() || !reader.is_name()) reader.expected(what);
  const Token& token = reader.token();
  const std::string_view text = reader.text();
  if (token.kind == TokenKind::name && !is_bare_name(text)) {
    if (text == "_") reader.mistake(token.span, fmt::format("expected {}; '_' stands for an absent operand and is no name", what));
    reader.mistake(token.span, fmt::format("expected {}; '{}' is a literal, as a name it stands in double quotes", what, text));
  }
  Name name{token.kind == TokenKind::quoted ? unquote(text) : std::string(text), token.span};
  if (name.text.empty()) reader.mistake(token.span, "a name has at least one character");
  reader.take();
  return name;
}

Value parse_value(TokenReader& reader) { return ValueParser(reader).value(); }

Value parse_type(TokenReader& reader) { return ValueParser(reader).type(); }

}  // namespace calotype::frontend::text
