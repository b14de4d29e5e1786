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

/* The processor's answer, all zero where `leaf` is above `last`. A virtual machine's host answers, in 4 us: hence the fewest questions. */
typedef struct cpuid_answer {
  unsigned a, b, c, d;
} cpuid_answer;

static cpuid_answer ask(unsigned leaf, unsigned index, unsigned last) {
  cpuid_answer answer = {0, 0, 0, 0};
  if (leaf <= last) __cpuid_count(leaf, index, answer.a, answer.b, answer.c, answer.d);
  return answer;
}

#define TAKE(word, bit, feature) \
  if ((word) >> (bit) & 1) features |= CALOTYPE_CPU_BIT(feature)

uint64_t calotype_cpu_features(void) {
  uint64_t features = 0;
  const unsigned last = __get_cpuid_max(0, NULL);
  const unsigned c1 = ask(1, 0, last).c;
  TAKE(c1, 19, CALOTYPE_CPU_SSE41);
  TAKE(c1, 20, CALOTYPE_CPU_SSE42);
  TAKE(c1, 23, CALOTYPE_CPU_POPCNT);

  const cpuid_answer seven = ask(7, 0, last);
  const unsigned b7 = seven.b, c7 = seven.c, d7 = seven.d, a71 = seven.a >= 1 ? ask(7, 1, last).a : 0;
  TAKE(b7, 3, CALOTYPE_CPU_BMI1);
  TAKE(b7, 8, CALOTYPE_CPU_BMI2);
  TAKE(c7, 8, CALOTYPE_CPU_GFNI);
#if defined(__x86_64__) /* whose long mode the same leaf announces: it is always there */
  const unsigned extended = ask(0x80000001, 0, 0x80000001).c;
  TAKE(extended, 6, CALOTYPE_CPU_SSE4A);
#endif

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
