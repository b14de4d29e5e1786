#pragma once
/// \file
/// The part of the parser that reads operands, arguments and types.
#include "frontend/text/syntax.h"
#include "frontend/text/token_reader.h"

namespace calotype::frontend::text {

/// A name, bare or in quotes; `what` is what it names, for the message.
Name parse_name(TokenReader& reader, std::string_view what);

/// A number, a word, a string, a list, a type or integer arithmetic.
Value parse_value(TokenReader& reader);

/// `f32[N, 3, 224, 224]`, the reader at the element type.
Value parse_type(TokenReader& reader);

}  // namespace calotype::frontend::text
