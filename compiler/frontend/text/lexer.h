#pragma once
/// \file
/// Text to tokens. Tokens are spans; their content is read from the source when it is needed.
#include <optional>
#include <string>
#include <vector>

#include "frontend/text/source.h"

namespace calotype::frontend::text {

enum class TokenKind : std::uint8_t {
  name,  ///< conv1, layer1.0.conv1, same, f32, true: what a name means depends on where it stands
  quoted,  ///< "any \u00e9 text"
  integer,  ///< 64
  real,  ///< 0.5, 1e-5
  extents,  ///< 3x3, 3x3x3
  symbol,  ///< one of ( ) [ ] { } , = : + - * /
  arrow,  ///< ->
  bad,  ///< already reported
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  bool first_on_line = false;
  char symbol = 0;
  Span span;
};

/// All tokens and a final `end`. Mistakes are reported and become `bad` tokens.
std::vector<Token> lex(const Source& source, Diagnostics& diagnostics);

/// The text of a quoted token; it must have been accepted by `lex`.
std::string unquote(std::string_view quoted);

/// In double quotes with JSON's escapes.
std::string quote(std::string_view text);

/// Can the text stand as a name without quotes: [A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*, and none of `_ true false inf nan`?
bool is_bare_name(std::string_view text);

}  // namespace calotype::frontend::text
