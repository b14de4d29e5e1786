#pragma once
/// \file
/// Estimates of what a kernel costs, for choices between ways to compute it. The unit is the time of one multiply-add of full vectors: it cancels
/// where two ways are compared on one machine. Nothing is measured on the machine that compiles: what is assumed of a target stands here.
#include <cstdint>

#include "plan/target.h"

namespace calotype::schedules {

/// Caches and bandwidths, as far as choices between schedules need them.
struct MachineFacts {
  std::int64_t l2_bytes = 1 << 20;  ///< of one core
  std::int64_t cache_bytes = 16 << 20;  ///< of all levels: a network's weights beyond it come from memory in every run
  double l2_rate = 32;  ///< bytes in a unit of time
  double l3_rate = 12;
  double memory_rate = 6;
};

/// Half, a fifth and a tenth of a vector in the time of a multiply-add: between Zen 4 (more) and Zen 5 (less), both with AVX-512 and AVX2.
MachineFacts facts_of(const plan::Target& target);

/// A kernel's time where arithmetic and memory overlap in part: the longer of the two and a third of the other. (256 channels at 14x14 and 512 at
/// 7x7, whose weights come from memory, took 1.0 to 1.2 times that.)
double overlapped(double arithmetic, double memory);

/// The time of reading `bytes` of weights once, in a network that has `all_weights` bytes of them.
double weight_stream(std::int64_t bytes, std::int64_t all_weights, const MachineFacts& facts);

}  // namespace calotype::schedules
