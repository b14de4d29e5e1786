#pragma once
/// \file
/// A model written by hand, in place of what the code generator makes: y = weights[0] * x over `size` numbers, in parallel loops, by kernels that
/// use everything the run time offers. Fields of `Behaviour` make it misbehave; each is read while a run is under way.
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "cpu/model.h"

namespace model {

constexpr int size = 1000;
constexpr std::uint64_t arena_bytes = size * sizeof(float) + 4;  // no multiple of 64, on purpose
constexpr std::size_t block_bytes = 1000;
constexpr std::uint64_t scratch_bytes = 3 * CALOTYPE_SCRATCH_BLOCK_BYTES(block_bytes);
constexpr float factor = 2.5F;

/// The io struct, as a generated header has it.
struct Io {
  const float* x;
  float* y;
};

/// What a state needs; as NAME_STATE_BYTES(threads).
constexpr std::size_t state_bytes(int threads) { return CALOTYPE_STATE_BYTES(arena_bytes, scratch_bytes, threads); }

/// Changes to what the kernels do. All off by default.
struct Behaviour {
  std::atomic<int> misses_index{-1};  ///< the element whose task reports an index out of range
  std::atomic<int> fails{-1};  ///< the element whose task returns a code that is not 0
  std::atomic<std::size_t> greed{0};  ///< bytes every task allocates besides what was planned for
  std::atomic<bool> enters{false};  ///< set when a run has begun
  std::atomic<bool> waits{false};  ///< a run stays inside until this is false
};
extern Behaviour behaviour;

/// A file of external weights for this model: header and blob, aligned to 64.
struct alignas(64) WeightsFile {
  calotype_weights_header header;
  float values[16];
};
WeightsFile weights_file(float value);

}  // namespace model
