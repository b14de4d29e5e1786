/* The floating point modes kernels run under: round to nearest, denormals kept, no traps.
 *
 * The modes belong to the thread. A caller may have changed its own (audio hosts flush denormals) while a pool's threads have not; so that a run
 * gives the same bits on any thread, each piece of work sets the modes and restores them after. */
#ifndef CALOTYPE_CPU_FLOAT_MODES_H
#define CALOTYPE_CPU_FLOAT_MODES_H

#include <stdint.h>

typedef uint64_t calotype_float_modes;

#if defined(__x86_64__)
static inline calotype_float_modes calotype_float_modes_set(void) {
  const unsigned before = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(0x1f80);
  return before;
}
static inline void calotype_float_modes_restore(calotype_float_modes before) { __builtin_ia32_ldmxcsr((unsigned)before); }
#elif defined(__aarch64__)
static inline calotype_float_modes calotype_float_modes_set(void) {
  uint64_t before;
  __asm__ volatile("mrs %0, fpcr" : "=r"(before));
  if (before != 0) __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
  return before;
}
static inline void calotype_float_modes_restore(calotype_float_modes before) {
  if (before != 0) __asm__ volatile("msr fpcr, %0" : : "r"(before));
}
#else
static inline calotype_float_modes calotype_float_modes_set(void) { return 0; }
static inline void calotype_float_modes_restore(calotype_float_modes before) { (void)before; }
#endif

#endif /* CALOTYPE_CPU_FLOAT_MODES_H */
