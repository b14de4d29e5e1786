/// \file
/// Estimates of what a kernel costs.
#include "schedules/cost.h"

#include <algorithm>

namespace calotype::schedules {

MachineFacts facts_of(const plan::Target& target) {
  const double vector = target.vector_bytes;
  MachineFacts facts;
  facts.l2_rate = vector / 2;
  facts.l3_rate = vector / 5;
  facts.memory_rate = vector / 10;
  return facts;
}

double overlapped(double arithmetic, double memory) { return std::max(arithmetic, memory) + std::min(arithmetic, memory) / 3; }

double weight_stream(std::int64_t bytes, std::int64_t all_weights, const MachineFacts& facts) {
  return static_cast<double>(bytes) / (all_weights > facts.cache_bytes ? facts.memory_rate : facts.l3_rate);
}

}  // namespace calotype::schedules
