#pragma once
/// \file
/// Everything that the texts beside an archive say about a linked model.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "codegen/c_names.h"
#include "codegen/link.h"
#include "codegen/weights.h"

namespace calotype::codegen {

struct ModelFacts {
  const Library* library = nullptr;
  std::vector<Variant> variants;  ///< best first
  std::vector<CallerBuffer> buffers;
  WeightBlob weights;

  /// A state must suffice for whichever variant the CPU gets.
  std::int64_t arena_bytes() const {
    std::int64_t most = 0;
    for (const Variant& variant : variants) most = std::max(most, variant.plan->arena_bytes);
    return most;
  }
  std::int64_t scratch_bytes() const {
    std::int64_t most = 0;
    for (const Variant& variant : variants) most = std::max(most, variant.plan->scratch_bytes);
    return most;
  }
};

}  // namespace calotype::codegen
