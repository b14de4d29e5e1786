/// \file
/// Sizes of planned buffers.
#include "plan/plan.h"

#include "ir/checked.h"

namespace calotype::plan {

std::int64_t Buffer::bytes() const {
  if (packed_extents.empty()) return stored_bytes(type, layout);
  return checked_multiply(checked_product(packed_extents), bytes_of(type.element));
}

}  // namespace calotype::plan
