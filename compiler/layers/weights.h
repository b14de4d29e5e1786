#pragma once
/// \file
/// Rules that layers with weights share: which floating-point types they compute, whether a call has its bias, and counts in words.
#include <cstdint>
#include <string>

#include "layers/layer.h"

namespace calotype::layers {

/// The operand's element type; throws Failure(unsupported) unless it is a floating-point type.
ElementType require_float(const Call& call, int position = 0);

/// The element type of a product sum: throws Failure(unsupported) unless it is a floating-point type or an integer of 32 bits or more.
ElementType require_accumulable(const Call& call, int position = 0);

/// Throws unless the operand has at least `rank` dimensions; `what` says which ones the layer wants.
void require_rank(const Call& call, int rank, std::string_view what);

/// Does the call have the weight operand `name` (a bias, a scale)? Not if `name=false` is written or `_` stands in its place.
bool has_weight(const Call& call, std::string_view name);

/// The type of the weight operand if the statement writes it (or it was attached), else null.
const TensorType* written_weight(const Call& call, std::string_view name);

/// "1 filter", "56 filters", "4,480 weights"
std::string counted(std::int64_t number, std::string_view singular);

}  // namespace calotype::layers
