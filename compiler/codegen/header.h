#pragma once
/// \file
/// NAME.h: everything a C or C++ program needs to know of one compiled model.
#include <string>

#include "codegen/c_names.h"
#include "codegen/link.h"
#include "codegen/weights.h"
#include "plan/plan.h"

namespace calotype::codegen {

/// The header's text. `buffers` are caller_buffers() of the plan.
std::string header_text(const plan::Plan& plan, const Library& library, const std::vector<CallerBuffer>& buffers,
                        const WeightBlob& weights);

/// The hash as 32 hexadecimal digits.
std::string hash_digits(const WeightBlob& weights);

/// `text` as a C string literal, quotes included.
std::string c_string(std::string_view text);

}  // namespace calotype::codegen
