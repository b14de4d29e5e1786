#pragma once
/// \file
/// NAME.h: everything a C or C++ program needs to know of one compiled model.
#include <string>

#include "codegen/model_facts.h"

namespace calotype::codegen {

/// The header's text.
std::string header_text(const ModelFacts& facts);

/// The hash as 32 hexadecimal digits.
std::string hash_digits(const WeightBlob& weights);

/// `text` as a C string literal, quotes included.
std::string c_string(std::string_view text);

}  // namespace calotype::codegen
