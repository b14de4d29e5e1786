/* What generated kernels call: parallel loops, scratch memory, and what the data must hold. No globals; everything is in user_context. */
#include "cpu/kernel_support.h"

#include <stdlib.h>

#include "cpu/float_modes.h"
#include "cpu/pool.h"
#include "cpu/state.h"

_Static_assert(sizeof(calotype_block) <= CALOTYPE_SCRATCH_HEADER_BYTES, "the header of a block must fit");

typedef int (*loop_body)(void *user_context, int index, uint8_t *closure);

/* A parallel loop under way; lives on the stack of the thread that started it. */
typedef struct parallel_loop {
  calotype_state *state;
  loop_body body;
  int min;
  uint8_t *closure;
} parallel_loop;

/* One task, on any thread, as `worker`. */
static void run_task(void *data, int index, int worker) {
  const parallel_loop *loop = data;
  if (worker < 0 || worker >= loop->state->threads) {
    calotype_report(loop->state, CALOTYPE_BAD_EXECUTOR);
    return;
  }
  const calotype_float_modes before = calotype_float_modes_set();
  const int code = loop->body(calotype_worker_at(loop->state, worker), loop->min + index, loop->closure);
  calotype_float_modes_restore(before);
  if (code != 0) calotype_report(loop->state, CALOTYPE_INTERNAL_ERROR);
}

static void run_here(calotype_worker *worker, loop_body body, int min, int size, uint8_t *closure) {
  for (int index = 0; index < size; ++index) {
    if (body(worker, min + index, closure) != 0) calotype_report(worker->state, CALOTYPE_INTERNAL_ERROR);
  }
}

int halide_do_par_for(void *user_context, loop_body body, int min, int size, uint8_t *closure) {
  calotype_worker *worker = user_context;
  calotype_state *state = worker->state;
  if (worker->serial || size <= 1) {
    run_here(worker, body, min, size, closure);
    return 0;
  }
  parallel_loop loop = {state, body, min, closure};
  worker->serial = 1;
  if (state->executor.parallel) {
    state->executor.parallel(state->executor.self, size, run_task, &loop);
  } else if (!calotype_pool_run(state->pool, state->threads, size, run_task, &loop)) {
    run_here(worker, body, min, size, closure);
  }
  worker->serial = 0;
  return 0;
}

void *halide_malloc(void *user_context, size_t bytes) {
  calotype_worker *worker = user_context;
  const size_t room = (size_t)(worker->end - worker->top);
  if (bytes > room || CALOTYPE_SCRATCH_BLOCK_BYTES(bytes) > room) {
    calotype_report(worker->state, CALOTYPE_INTERNAL_ERROR);
    if (bytes > SIZE_MAX / 2) return NULL;
    return aligned_alloc(CALOTYPE_SCRATCH_ALIGN, (size_t)CALOTYPE_SCRATCH_BLOCK_BYTES(bytes));
  }
  calotype_block *block = (calotype_block *)(void *)worker->top;
  block->below = worker->newest;
  block->freed = 0;
  worker->newest = block;
  worker->top += (size_t)CALOTYPE_SCRATCH_BLOCK_BYTES(bytes);
  return (unsigned char *)block + CALOTYPE_SCRATCH_HEADER_BYTES;
}

void halide_free(void *user_context, void *memory) {
  calotype_worker *worker = user_context;
  const uintptr_t address = (uintptr_t)memory;
  if (address < (uintptr_t)worker->begin || address >= (uintptr_t)worker->end) {
    free(memory);
    return;
  }
  ((calotype_block *)(void *)((unsigned char *)memory - CALOTYPE_SCRATCH_HEADER_BYTES))->freed = 1;
  while (worker->newest && worker->newest->freed) {
    worker->top = (unsigned char *)worker->newest;
    worker->newest = worker->newest->below;
  }
}

int32_t calotype_require(void *user_context, int32_t holds, int32_t status) {
  const calotype_worker *worker = user_context;
  if (!holds) calotype_report(worker->state, (calotype_status)status);
  return holds;
}
