/* What this processor can do, asked in baseline code: safe to call on any machine of the architecture. */
#include "cpu/state.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

/* Register state that the operating system saves on a context switch (XCR0). Only where cpuid says OSXSAVE. */
static uint64_t saved_register_state(void) {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t)high << 32 | low;
}

#define TAKE(word, bit, feature) \
  if ((word) >> (bit) & 1) features |= CALOTYPE_CPU_BIT(feature)

uint64_t calotype_cpu_features(void) {
  uint64_t features = 0;
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
  const unsigned c1 = c;
  TAKE(c1, 19, CALOTYPE_CPU_SSE41);
  TAKE(c1, 20, CALOTYPE_CPU_SSE42);
  TAKE(c1, 23, CALOTYPE_CPU_POPCNT);

  unsigned b7 = 0, c7 = 0, d7 = 0, a71 = 0;
  if (__get_cpuid_count(7, 0, &a, &b7, &c7, &d7) && a >= 1) __get_cpuid_count(7, 1, &a71, &b, &c, &d);
  TAKE(b7, 3, CALOTYPE_CPU_BMI1);
  TAKE(b7, 8, CALOTYPE_CPU_BMI2);
  TAKE(c7, 8, CALOTYPE_CPU_GFNI);
  unsigned extended = 0;
  if (__get_cpuid(0x80000001, &a, &b, &extended, &d)) TAKE(extended, 6, CALOTYPE_CPU_SSE4A);

  const uint64_t saved = c1 >> 27 & 1 ? saved_register_state() : 0;
  if ((saved & 0x6) != 0x6) return features; /* xmm and ymm */
  TAKE(c1, 28, CALOTYPE_CPU_AVX);
  TAKE(c1, 29, CALOTYPE_CPU_F16C);
  TAKE(c1, 12, CALOTYPE_CPU_FMA);
  TAKE(b7, 5, CALOTYPE_CPU_AVX2);
  TAKE(a71, 4, CALOTYPE_CPU_AVXVNNI);

  if ((saved & 0xe6) != 0xe6) return features; /* and mask registers, upper zmm, zmm16 and above */
  TAKE(b7, 16, CALOTYPE_CPU_AVX512F);
  TAKE(b7, 17, CALOTYPE_CPU_AVX512DQ);
  TAKE(b7, 21, CALOTYPE_CPU_AVX512IFMA);
  TAKE(b7, 28, CALOTYPE_CPU_AVX512CD);
  TAKE(b7, 30, CALOTYPE_CPU_AVX512BW);
  TAKE(b7, 31, CALOTYPE_CPU_AVX512VL);
  TAKE(c7, 1, CALOTYPE_CPU_AVX512VBMI);
  TAKE(c7, 6, CALOTYPE_CPU_AVX512VBMI2);
  TAKE(c7, 11, CALOTYPE_CPU_AVX512VNNI);
  TAKE(c7, 12, CALOTYPE_CPU_AVX512BITALG);
  TAKE(c7, 14, CALOTYPE_CPU_AVX512VPOPCNTDQ);
  TAKE(d7, 23, CALOTYPE_CPU_AVX512FP16);
  TAKE(a71, 5, CALOTYPE_CPU_AVX512BF16);
  return features;
}

#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>

uint64_t calotype_cpu_features(void) {
  uint64_t features = 0;
  const unsigned long one = getauxval(AT_HWCAP), two = getauxval(AT_HWCAP2);
  if (one >> 20 & 1) features |= CALOTYPE_CPU_BIT(CALOTYPE_CPU_ARM_DOTPROD);
  if ((one >> 9 & 1) && (one >> 10 & 1)) features |= CALOTYPE_CPU_BIT(CALOTYPE_CPU_ARM_FP16);
  if (two >> 13 & 1) features |= CALOTYPE_CPU_BIT(CALOTYPE_CPU_ARM_I8MM);
  if (two >> 14 & 1) features |= CALOTYPE_CPU_BIT(CALOTYPE_CPU_ARM_BF16);
  return features;
}

#else
/* Other architectures: code for the baseline only. */
uint64_t calotype_cpu_features(void) { return 0; }
#endif
