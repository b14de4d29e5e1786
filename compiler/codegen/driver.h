#pragma once
/// \file
/// The driver: the function that calls a model's kernels in order, and the descriptor that tells the run time about the model.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "codegen/link.h"
#include "plan/target.h"

namespace calotype::codegen {

/// What the descriptor says beside the plan.
struct DriverFacts {
  std::string name;            ///< of the model, in messages
  std::string weights_symbol;  ///< empty: external, or no weights
  std::int64_t weights_bytes = 0;
  std::array<std::uint8_t, 16> weight_hash{};
  /// For measuring: run takes one more buffer after the results, of plan.steps.size() + 1 64-bit words, and writes the processor's cycle counter
  /// to it before each step and after the last.
  bool step_times = false;
};

/// Code for the target's baseline, so that NAME_open runs on any CPU: a relocatable object that defines `calotype_this_model`
/// (runtime/cpu/model.h). Undefined in it: the kernels' symbols, the weights, memset.
/// Variants stand in the order in which NAME_open tries them.
std::vector<std::byte> make_driver(const std::vector<Variant>& variants, const DriverFacts& facts);

/// The CPU features that code for the target needs, as CALOTYPE_CPU_BITs.
std::uint64_t required_features(const plan::Target& target);

}  // namespace calotype::codegen
