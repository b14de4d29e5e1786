/* What the generated driver tells the run time about its model: one constant descriptor, calotype_this_model.
 *
 * The driver defines it, state.c reads it; the code generator includes this file for the numbers. C11 and C++. After linking, every symbol in
 * this file is local to its model's object except the four functions, which are renamed to NAME_open, NAME_run, NAME_close, NAME_status_text. */
#ifndef CALOTYPE_CPU_MODEL_H
#define CALOTYPE_CPU_MODEL_H

#include "calotype/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CALOTYPE_HIDDEN __attribute__((visibility("hidden")))

/* Instruction sets a variant may need, as bits. x86 bits count only where the operating system saves the registers too. */
enum calotype_cpu_feature {
  CALOTYPE_CPU_SSE41,
  CALOTYPE_CPU_SSE42,
  CALOTYPE_CPU_POPCNT,
  CALOTYPE_CPU_AVX,
  CALOTYPE_CPU_F16C,
  CALOTYPE_CPU_FMA,
  CALOTYPE_CPU_AVX2,
  CALOTYPE_CPU_BMI1,
  CALOTYPE_CPU_BMI2,
  CALOTYPE_CPU_AVXVNNI,
  CALOTYPE_CPU_AVX512F,
  CALOTYPE_CPU_AVX512CD,
  CALOTYPE_CPU_AVX512BW,
  CALOTYPE_CPU_AVX512DQ,
  CALOTYPE_CPU_AVX512VL,
  CALOTYPE_CPU_AVX512IFMA,
  CALOTYPE_CPU_AVX512VBMI,
  CALOTYPE_CPU_AVX512VBMI2,
  CALOTYPE_CPU_AVX512VNNI,
  CALOTYPE_CPU_AVX512BITALG,
  CALOTYPE_CPU_AVX512VPOPCNTDQ,
  CALOTYPE_CPU_AVX512BF16,
  CALOTYPE_CPU_AVX512FP16,
  CALOTYPE_CPU_GFNI,
  CALOTYPE_CPU_SSE4A, /* AMD's alone: LLVM uses it in code for znver4 */
  CALOTYPE_CPU_ARM_DOTPROD = 32,
  CALOTYPE_CPU_ARM_FP16,
  CALOTYPE_CPU_ARM_I8MM,
  CALOTYPE_CPU_ARM_BF16,
  CALOTYPE_CPU_UNKNOWN = 63 /* no processor has it: for a variant that must never be chosen */
};
#define CALOTYPE_CPU_BIT(feature) ((uint64_t)1 << (feature))

/* One way to compute the model. All variants of a model share one blob of weights and one io struct. */
typedef struct calotype_variant {
  uint64_t features; /* CALOTYPE_CPU_BITs, all of which the processor must have */
  /* Runs the kernels in order. context goes to every kernel as its user_context; io is the caller's struct of io_pointers pointers, none null;
   * arena and weights are aligned to 64. Returns 0, or the first kernel's code that is not 0. */
  int (*run)(void *context, unsigned char *const *io, unsigned char *arena, const unsigned char *weights);
  uint64_t arena_bytes;
  /* Enough for one worker: the largest sum of CALOTYPE_SCRATCH_BLOCK_BYTES over the allocations that are open at one time on any path through a
   * kernel, from its outermost statement into the body of its parallel loop. */
  uint64_t scratch_bytes;
} calotype_variant;

/* The scratch one halide_malloc takes: a header, the bytes, and room for what a kernel's last vector load may read past the end. Blocks are
 * stacked: one that is freed early gives its room back when those above it are freed, so an allocation counts until its scope ends. */
#define CALOTYPE_SCRATCH_ALIGN 128
#define CALOTYPE_SCRATCH_HEADER_BYTES 128
#define CALOTYPE_SCRATCH_OVERREAD_BYTES 64
#define CALOTYPE_SCRATCH_BLOCK_BYTES(bytes) \
  (CALOTYPE_SCRATCH_HEADER_BYTES + CALOTYPE_ROUND_UP((uint64_t)(bytes) + CALOTYPE_SCRATCH_OVERREAD_BYTES, CALOTYPE_SCRATCH_ALIGN))

/* A file of external weights begins with these 64 bytes; the blob follows. Numbers are little endian. open compares the header alone: the hash
 * names the blob, it is not computed again. */
#define CALOTYPE_WEIGHTS_MAGIC "CALOWGT1"
#define CALOTYPE_WEIGHTS_HEADER_BYTES 64
typedef struct calotype_weights_header {
  unsigned char magic[8];
  unsigned char bytes[8]; /* length of the blob, this header not counted */
  unsigned char hash[16]; /* calotype_model.weight_hash */
  unsigned char zero[32];
} calotype_weights_header;

typedef struct calotype_model {
  uint32_t abi; /* CALOTYPE_ABI */
  uint32_t io_pointers; /* members of the io struct */
  uint32_t variant_count;
  uint32_t reserved; /* 0 */
  uint64_t weights_bytes;
  unsigned char weight_hash[16];
  const char *name;
  const unsigned char *weights; /* aligned to 64; NULL: external, or none at all (weights_bytes is 0) */
  const calotype_variant *variants; /* best first: open takes the first one whose features the processor has */
} calotype_model;

extern const calotype_model calotype_this_model CALOTYPE_HIDDEN;

typedef struct calotype_state calotype_state;

/* Opens a state in `memory` (CALOTYPE_STATE_BYTES long, aligned to CALOTYPE_STATE_ALIGN) or, where that is NULL, in memory of its own. options
 * may be NULL. On failure *self is NULL and nothing is kept. Any thread; not in real time. */
calotype_status calotype_model_open(calotype_state **self, void *memory, const calotype_options *options);

/* Computes the outputs from the inputs. io_struct holds nothing but io_pointers pointers. Allocates nothing and waits for no lock. Any thread,
 * one at a time for each state: a second one gets CALOTYPE_BUSY. The caller's floating point modes are put aside and restored. */
calotype_status calotype_model_run(calotype_state *self, const void *io_struct);

/* Ends a state that no thread is running. Frees what open allocated; memory given to open is the caller's again. NULL is allowed. */
void calotype_model_close(calotype_state *self);

/* A short sentence in English; never NULL, also for numbers that are no status. */
const char *calotype_model_status_text(calotype_status status);

#ifdef __cplusplus
}
#endif
#endif /* CALOTYPE_CPU_MODEL_H */
