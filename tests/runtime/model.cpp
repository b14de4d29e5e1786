/// \file
/// The hand-written model: descriptor, driver and kernels.
#include "model.h"

#include <cstring>
#include <thread>

#include "cpu/kernel_support.h"

namespace model {

Behaviour behaviour;

namespace {

alignas(64) const float embedded_weights[16] = {factor};

/// The pointers a kernel's tasks need, as Halide packs them.
struct Closure {
  const float* from;
  float* to;
  float factor;
};

/// Copies one element by way of three blocks of scratch, the first freed before the last as Halide does it; checks alignment and separateness.
int scale_one(void* context, int index, std::uint8_t* closure_bytes) {
  Closure closure;
  std::memcpy(&closure, closure_bytes, sizeof closure);
  const std::size_t greed = behaviour.greed;
  void* greedy = greed ? halide_malloc(context, greed) : nullptr;
  if (greedy) std::memset(greedy, 0xff, greed);

  auto* first = static_cast<unsigned char*>(halide_malloc(context, block_bytes));
  auto* second = static_cast<unsigned char*>(halide_malloc(context, block_bytes));
  std::memset(first, 1, block_bytes);
  std::memset(second, 2, block_bytes);
  halide_free(context, first);
  auto* third = static_cast<unsigned char*>(halide_malloc(context, block_bytes));
  std::memset(third, 3, block_bytes);
  bool sound = reinterpret_cast<std::uintptr_t>(first) % CALOTYPE_SCRATCH_ALIGN == 0 &&
               reinterpret_cast<std::uintptr_t>(second) % CALOTYPE_SCRATCH_ALIGN == 0;
  for (std::size_t i = 0; i < block_bytes; ++i) sound = sound && second[i] == 2;
  halide_free(context, second);
  halide_free(context, third);
  halide_free(context, greedy);

  if (index == behaviour.misses_index) calotype_require(context, 0, CALOTYPE_INDEX_OUT_OF_RANGE);
  if (index == behaviour.fails) return 1;
  closure.to[index] = sound ? closure.factor * closure.from[index] : -1;
  return 0;
}

/// A row of ten elements: a parallel loop inside a parallel loop.
int scale_row(void* context, int row, std::uint8_t* closure) { return halide_do_par_for(context, scale_one, row * 10, 10, closure); }

/// Two kernels: x to the arena, times the factor, in nested loops; then the arena to y, times 1.
int run(void* context, unsigned char* const* io, unsigned char* arena, const unsigned char* weights) {
  behaviour.enters = true;
  while (behaviour.waits) std::this_thread::yield();
  float factor_given;
  std::memcpy(&factor_given, weights, sizeof factor_given);
  Closure closure = {reinterpret_cast<const float*>(io[0]), reinterpret_cast<float*>(arena), factor_given};
  halide_do_par_for(context, scale_row, 0, size / 10, reinterpret_cast<std::uint8_t*>(&closure));
  closure = {reinterpret_cast<const float*>(arena), reinterpret_cast<float*>(io[1]), 1};
  return halide_do_par_for(context, scale_one, 0, size, reinterpret_cast<std::uint8_t*>(&closure));
}

int never_run(void*, unsigned char* const*, unsigned char*, const unsigned char*) { return 1; }

const calotype_variant variants[] = {
    {CALOTYPE_CPU_BIT(CALOTYPE_CPU_UNKNOWN), never_run, 1 << 30, 0},
    {0, run, arena_bytes, scratch_bytes},
    {0, never_run, 0, 0},
};

}  // namespace

WeightsFile weights_file(float value) {
  WeightsFile file = {};
  std::memcpy(file.header.magic, CALOTYPE_WEIGHTS_MAGIC, sizeof file.header.magic);
  file.header.bytes[0] = sizeof file.values;
  std::memcpy(file.header.hash, calotype_this_model.weight_hash, sizeof file.header.hash);
  file.values[0] = value;
  return file;
}

}  // namespace model

extern "C" const calotype_model calotype_this_model = {
    CALOTYPE_ABI,
    2,
    3,
    0,
    sizeof model::embedded_weights,
    {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    "by_hand",
    reinterpret_cast<const unsigned char*>(model::embedded_weights),
    model::variants,
};
