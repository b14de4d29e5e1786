#pragma once
/// \file
/// Words that mean something in arguments, and so can be neither a parameter of a block nor a symbol.
#include <string>
#include <string_view>

namespace calotype::frontend::text {

/// Why the word may not be a parameter or symbol, for the message; empty if it may.
std::string why_reserved(std::string_view word);

}  // namespace calotype::frontend::text
