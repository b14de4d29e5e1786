/// \file
/// The processor's features against an independent witness: the kernel's list in /proc/cpuinfo.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "cpu/model.h"

extern "C" std::uint64_t calotype_cpu_features();

namespace {

#if defined(__x86_64__) && defined(__linux__)
TEST(Features, AreThoseOfProcCpuinfo) {
  std::set<std::string> flags;
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (line.rfind("flags", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    for (std::string word; words >> word;) flags.insert(word);
    break;
  }
  if (flags.empty()) GTEST_SKIP() << "no flags in /proc/cpuinfo";

  const std::pair<calotype_cpu_feature, const char*> names[] = {
      {CALOTYPE_CPU_SSE41, "sse4_1"},
      {CALOTYPE_CPU_SSE42, "sse4_2"},
      {CALOTYPE_CPU_POPCNT, "popcnt"},
      {CALOTYPE_CPU_AVX, "avx"},
      {CALOTYPE_CPU_F16C, "f16c"},
      {CALOTYPE_CPU_FMA, "fma"},
      {CALOTYPE_CPU_AVX2, "avx2"},
      {CALOTYPE_CPU_BMI1, "bmi1"},
      {CALOTYPE_CPU_BMI2, "bmi2"},
      {CALOTYPE_CPU_AVXVNNI, "avx_vnni"},
      {CALOTYPE_CPU_AVX512F, "avx512f"},
      {CALOTYPE_CPU_AVX512CD, "avx512cd"},
      {CALOTYPE_CPU_AVX512BW, "avx512bw"},
      {CALOTYPE_CPU_AVX512DQ, "avx512dq"},
      {CALOTYPE_CPU_AVX512VL, "avx512vl"},
      {CALOTYPE_CPU_AVX512IFMA, "avx512ifma"},
      {CALOTYPE_CPU_AVX512VBMI, "avx512vbmi"},
      {CALOTYPE_CPU_AVX512VBMI2, "avx512_vbmi2"},
      {CALOTYPE_CPU_AVX512VNNI, "avx512_vnni"},
      {CALOTYPE_CPU_AVX512BITALG, "avx512_bitalg"},
      {CALOTYPE_CPU_AVX512VPOPCNTDQ, "avx512_vpopcntdq"},
      {CALOTYPE_CPU_AVX512BF16, "avx512_bf16"},
      {CALOTYPE_CPU_GFNI, "gfni"},
      {CALOTYPE_CPU_SSE4A, "sse4a"},
      {CALOTYPE_CPU_AVX512FP16, "avx512_fp16"},
  };
  std::uint64_t expected = 0;
  for (const auto& [feature, name] : names) {
    if (flags.count(name)) expected |= CALOTYPE_CPU_BIT(feature);
  }
  EXPECT_EQ(calotype_cpu_features(), expected);
}
#endif

TEST(Features, NoProcessorHasTheUnknownOne) { EXPECT_EQ(calotype_cpu_features() & CALOTYPE_CPU_BIT(CALOTYPE_CPU_UNKNOWN), 0U); }

}  // namespace
