/* The inside of a state, as state.c lays it out and kernel_support.c uses it.
 *
 *   calotype_state | arena | worker 0: context, scratch | worker 1: context, scratch | ...
 *
 * A kernel's user_context is a worker's context. Worker 0 is the thread that called run. */
#ifndef CALOTYPE_CPU_STATE_H
#define CALOTYPE_CPU_STATE_H

#include <stdatomic.h>

#include "cpu/model.h"

/* The header of one block of scratch; what halide_malloc returned follows CALOTYPE_SCRATCH_HEADER_BYTES after its start. */
typedef struct calotype_block {
  struct calotype_block *below; /* the block allocated before this one, NULL in the first */
  int freed;
} calotype_block;

/* One worker's context. Only the thread that acts as this worker touches it. */
typedef struct calotype_worker {
  calotype_state *state;
  unsigned char *top;    /* first free byte of the scratch */
  unsigned char *begin;  /* the scratch, aligned to CALOTYPE_SCRATCH_ALIGN */
  unsigned char *end;
  calotype_block *newest;
  int serial; /* a parallel loop started here runs on this thread: the worker is inside one already, or has nobody to share it with */
} calotype_worker;

struct calotype_state {
  const calotype_variant *variant;
  const unsigned char *weights;
  unsigned char *arena;
  unsigned char *workers;  /* worker w stands at workers + w * worker_stride */
  size_t worker_stride;
  calotype_pool *pool;
  calotype_executor executor;
  int threads;
  int owns_pool;
  int owns_memory;
  atomic_int busy;  /* 1 while a thread is inside run */
  atomic_int error; /* the first error of this run, as a calotype_status */
};

static inline calotype_worker *calotype_worker_at(const calotype_state *state, int worker) {
  return (calotype_worker *)(void *)(state->workers + (size_t)worker * state->worker_stride);
}

/* Keeps `status` if it is the first error of this run. Any thread. */
static inline void calotype_report(calotype_state *state, calotype_status status) {
  int none = CALOTYPE_OK;
  atomic_compare_exchange_strong_explicit(&state->error, &none, (int)status, memory_order_relaxed, memory_order_relaxed);
}

/* Which of the enum calotype_cpu_feature this processor and operating system have, as bits. */
CALOTYPE_HIDDEN uint64_t calotype_cpu_features(void);

#endif /* CALOTYPE_CPU_STATE_H */
