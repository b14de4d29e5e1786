/// \file
/// Shares the room for packed weights among the kernels of a network.
#include "schedules/weight_room.h"

#include <limits>

namespace calotype::schedules {
namespace {

/// A kernel's step from what it has to a variant that saves more.
struct Step {
  std::size_t kernel = 0;
  Variant to;
  double worth = 0;  ///< time saved for each byte
};

}  // namespace

std::vector<std::int64_t> share_weight_room(const std::vector<std::vector<Variant>>& variants, std::int64_t room) {
  std::vector<Variant> given(variants.size());
  for (;;) {
    Step best;
    for (std::size_t kernel = 0; kernel < variants.size(); ++kernel) {
      const Variant& now = given[kernel];
      for (const Variant& variant : variants[kernel]) {
        const std::int64_t bytes = variant.bytes - now.bytes;
        const double saved = variant.saved - now.saved;
        if (saved <= 0 || bytes > room) continue;
        const double worth = bytes <= 0 ? std::numeric_limits<double>::max() : saved / static_cast<double>(bytes);
        if (worth > best.worth) best = {kernel, variant, worth};
      }
    }
    if (best.worth == 0) break;
    room -= best.to.bytes - given[best.kernel].bytes;
    given[best.kernel] = best.to;
  }
  std::vector<std::int64_t> ids;
  for (const Variant& variant : given) ids.push_back(variant.id);
  return ids;
}

}  // namespace calotype::schedules
