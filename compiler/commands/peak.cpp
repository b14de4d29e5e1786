/// \file
/// Independent chains of fused multiply-adds, enough of them to hide their latency: four cycles, two units.
#include "commands/peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

namespace calotype::commands {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int chains = 12;
constexpr long steps = 20'000;

/// Each does `steps` rounds over `chains` accumulators and returns a number that depends on all of them.
__attribute__((target("avx512f"))) float chains_of_16() {
  __m512 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm512_set1_ps(static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999F);
  const __m512 b = _mm512_set1_ps(0.001F);
  for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  }
  float total = 0;
  for (int i = 0; i < chains; ++i) total += _mm512_cvtss_f32(sums[i]);
  return total;
}

__attribute__((target("avx2,fma"))) float chains_of_8() {
  __m256 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm256_set1_ps(static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999F);
  const __m256 b = _mm256_set1_ps(0.001F);
  for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  float total = 0;
  for (int i = 0; i < chains; ++i) total += _mm256_cvtss_f32(sums[i]);
  return total;
}

float chains_of_4() {
  __m128 sums[chains];
  for (int i = 0; i < chains; ++i) sums[i] = _mm_set1_ps(static_cast<float>(i));
  const __m128 a = _mm_set1_ps(0.999F);
  const __m128 b = _mm_set1_ps(0.001F);
  for (long step = 0; step < steps; ++step) {
#pragma GCC unroll 12
    for (int i = 0; i < chains; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], a), b);
  }
  float total = 0;
  for (int i = 0; i < chains; ++i) total += _mm_cvtss_f32(sums[i]);
  return total;
}

struct Unit {
  float (*work)();
  int lanes;
};

Unit widest() {
  if (__builtin_cpu_supports("avx512f")) return {chains_of_16, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {chains_of_8, 8};
  return {chains_of_4, 4};
}

/// The best of many short measurements on this thread.
double best_gflops(Unit unit, Clock::time_point until) {
  double best = 0;
  volatile float sink = 0;
  do {
    const Clock::time_point start = Clock::now();
    sink = unit.work();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * unit.lanes * chains * static_cast<double>(steps) / seconds / 1e9);
  } while (Clock::now() < until);
  static_cast<void>(sink);
  return best;
}

}  // namespace

double measured_peak_gflops(int threads) {
  const Unit unit = widest();
  const Clock::time_point until = Clock::now() + std::chrono::milliseconds(50);
  std::vector<double> rates(static_cast<std::size_t>(threads), 0.0);
  std::vector<std::thread> others;
  for (std::size_t i = 1; i < rates.size(); ++i) others.emplace_back([&, i] { rates[i] = best_gflops(unit, until); });
  rates[0] = best_gflops(unit, until);
  for (std::thread& other : others) other.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

}  // namespace calotype::commands
