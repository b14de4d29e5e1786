#pragma once
/// \file
/// Tokens to syntax tree.
#include "frontend/text/lexer.h"
#include "frontend/text/syntax.h"

namespace calotype::frontend::text {

/// The syntax tree of the text. A mistake is reported and costs its statement; the tree holds everything else.
File parse_syntax(const Source& source, Diagnostics& diagnostics);

}  // namespace calotype::frontend::text
