/* Opening, running and closing a state: the four functions a generated library exports. */
#define _DEFAULT_SOURCE /* madvise */
#include "cpu/state.h"

#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "cpu/float_modes.h"

_Static_assert(sizeof(calotype_state) <= CALOTYPE_STATE_FIXED_BYTES, "CALOTYPE_STATE_FIXED_BYTES is part of the interface");
/* The context takes 64 bytes; the other 64 align the scratch to 128 in a state aligned to 64. */
_Static_assert(sizeof(calotype_worker) + 64 <= CALOTYPE_WORKER_BYTES, "CALOTYPE_WORKER_BYTES is part of the interface");
_Static_assert(sizeof(calotype_weights_header) == CALOTYPE_WEIGHTS_HEADER_BYTES, "the header of a weights file");

/* A pointer of the io struct, whatever it points at. */
typedef void *__attribute__((may_alias)) any_pointer;

static int is_aligned(const void *pointer, uintptr_t unit) { return (uintptr_t)pointer % unit == 0; }

/* The first variant this processor can run, or NULL. */
static const calotype_variant *choose_variant(const calotype_model *model) {
  const uint64_t features = calotype_cpu_features();
  for (uint32_t i = 0; i < model->variant_count; ++i) {
    if ((model->variants[i].features & ~features) == 0) return &model->variants[i];
  }
  return NULL;
}

/* Copies as many options as the caller knew of and checks them; what the caller knew beyond must be zero. */
static calotype_status read_options(calotype_options *options, const calotype_options *given) {
  memset(options, 0, sizeof *options);
  if (given) {
    if (given->size < sizeof given->size) return CALOTYPE_BAD_ARGUMENT;
    const size_t known = given->size < sizeof *options ? given->size : sizeof *options;
    for (size_t i = known; i < given->size; ++i) {
      if (((const unsigned char *)given)[i] != 0) return CALOTYPE_BAD_ARGUMENT;
    }
    memcpy(options, given, known);
  }
  if (options->threads == 0) options->threads = 1;
  if (options->threads < 0 || options->threads > CALOTYPE_THREADS_MAX) return CALOTYPE_BAD_ARGUMENT;
  if (options->pool && options->executor.parallel) return CALOTYPE_BAD_ARGUMENT;
  return CALOTYPE_OK;
}

/* Sets *weights to the blob: the one given, if its header names this model's weights, else the one in the library. */
static calotype_status find_weights(const unsigned char **weights, const calotype_model *model, const calotype_options *options) {
  *weights = model->weights;
  if (!options->weights) return *weights || model->weights_bytes == 0 ? CALOTYPE_OK : CALOTYPE_WEIGHTS_MISSING;
  if (!is_aligned(options->weights, 64)) return CALOTYPE_BAD_ARGUMENT;

  const calotype_weights_header *header = options->weights;
  if (options->weights_bytes < sizeof *header) return CALOTYPE_WEIGHTS_MISMATCH;
  uint64_t bytes = 0;
  for (int i = 7; i >= 0; --i) bytes = bytes << 8 | header->bytes[i];
  if (memcmp(header->magic, CALOTYPE_WEIGHTS_MAGIC, sizeof header->magic) != 0 || bytes != model->weights_bytes ||
      options->weights_bytes - sizeof *header < bytes || memcmp(header->hash, model->weight_hash, sizeof header->hash) != 0) {
    return CALOTYPE_WEIGHTS_MISMATCH;
  }
  *weights = (const unsigned char *)options->weights + sizeof *header;
  return CALOTYPE_OK;
}

/* Memory for a state of `bytes` bytes, aligned to CALOTYPE_STATE_ALIGN, or NULL. On Linux what fills more than half of a huge page asks for huge
 * pages: to touch 8 MB for the first time takes 0.8 ms in these and 4.2 ms in pages of 4 KB. The last one may be up to half empty. */
static void *allocate(size_t bytes) {
#if defined(__linux__)
  const size_t page = (size_t)2 << 20;
  const size_t pages = bytes / page + (bytes % page > page / 2);
  if (pages > 0 && bytes < SIZE_MAX - page) {
    void *memory = aligned_alloc(page, CALOTYPE_ROUND_UP(bytes, page));
    if (memory) (void)madvise(memory, pages * page, MADV_HUGEPAGE); /* refused where the system has none: then the pages are small */
    return memory;
  }
#endif
  return aligned_alloc(CALOTYPE_STATE_ALIGN, bytes);
}

/* Fills in memory of `bytes` bytes. All of it is written, so that run touches no page for the first time. */
static calotype_state *lay_out(void *memory, uint64_t bytes, const calotype_variant *variant, const calotype_options *options) {
  memset(memory, 0, (size_t)bytes);
  calotype_state *state = memory;
  const size_t scratch = (size_t)CALOTYPE_ROUND_UP(variant->scratch_bytes, 128);
  state->variant = variant;
  state->arena = (unsigned char *)memory + CALOTYPE_STATE_FIXED_BYTES;
  state->workers = state->arena + (size_t)CALOTYPE_ROUND_UP(variant->arena_bytes, 64);
  state->worker_stride = CALOTYPE_WORKER_BYTES + scratch;
  state->threads = options->threads;
  state->pool = options->pool;
  state->executor = options->executor;
  atomic_init(&state->busy, 0);
  atomic_init(&state->error, CALOTYPE_OK);
  for (int w = 0; w < state->threads; ++w) {
    calotype_worker *worker = calotype_worker_at(state, w);
    unsigned char *after = (unsigned char *)worker + 64;
    worker->state = state;
    worker->begin = after + (is_aligned(after, CALOTYPE_SCRATCH_ALIGN) ? 0 : 64);
    worker->end = worker->begin + scratch;
    worker->top = worker->begin;
    worker->serial = w > 0 || state->threads == 1;
  }
  return state;
}

calotype_status calotype_model_open(calotype_state **self, void *memory, const calotype_options *given) {
  const calotype_model *model = &calotype_this_model;
  if (!self) return CALOTYPE_BAD_ARGUMENT;
  *self = NULL;
  if (!is_aligned(memory, CALOTYPE_STATE_ALIGN)) return CALOTYPE_BAD_ARGUMENT;
  if (model->abi != CALOTYPE_ABI) return CALOTYPE_INTERNAL_ERROR;

  calotype_options options;
  calotype_status status = read_options(&options, given);
  if (status != CALOTYPE_OK) return status;
  const calotype_variant *variant = choose_variant(model);
  if (!variant) return CALOTYPE_UNSUPPORTED_CPU;
  const unsigned char *weights;
  status = find_weights(&weights, model, &options);
  if (status != CALOTYPE_OK) return status;

  const uint64_t bytes = CALOTYPE_STATE_BYTES(variant->arena_bytes, variant->scratch_bytes, options.threads);
  if (bytes > SIZE_MAX) return CALOTYPE_OUT_OF_MEMORY;
  const int owns_memory = memory == NULL;
  if (owns_memory) memory = allocate((size_t)bytes);
  if (!memory) return CALOTYPE_OUT_OF_MEMORY;

  calotype_state *state = lay_out(memory, bytes, variant, &options);
  state->weights = weights;
  state->owns_memory = owns_memory;
  if (state->threads > 1 && !state->pool && !state->executor.parallel) {
    state->pool = calotype_pool_create(state->threads);
    state->owns_pool = 1;
    if (!state->pool) {
      calotype_model_close(state);
      return CALOTYPE_NO_THREADS;
    }
  }
  *self = state;
  return CALOTYPE_OK;
}

/* The part of run that only one thread at a time may be in. */
static calotype_status run_alone(calotype_state *state, const void *io_struct) {
  const any_pointer *io = io_struct;
  for (uint32_t i = 0; i < calotype_this_model.io_pointers; ++i) {
    if (!io[i]) return CALOTYPE_BAD_ARGUMENT;
  }
  atomic_store_explicit(&state->error, CALOTYPE_OK, memory_order_relaxed);
  const calotype_float_modes before = calotype_float_modes_set();
  const int code = state->variant->run(calotype_worker_at(state, 0), (unsigned char *const *)io_struct, state->arena, state->weights);
  calotype_float_modes_restore(before);
  const int error = atomic_load_explicit(&state->error, memory_order_relaxed);
  return error == CALOTYPE_OK && code != 0 ? CALOTYPE_INTERNAL_ERROR : (calotype_status)error;
}

calotype_status calotype_model_run(calotype_state *self, const void *io_struct) {
  if (!self || !io_struct) return CALOTYPE_BAD_ARGUMENT;
  if (atomic_exchange_explicit(&self->busy, 1, memory_order_acquire)) return CALOTYPE_BUSY;
  const calotype_status status = run_alone(self, io_struct);
  atomic_store_explicit(&self->busy, 0, memory_order_release);
  return status;
}

void calotype_model_close(calotype_state *self) {
  if (!self) return;
  if (self->owns_pool) calotype_pool_destroy(self->pool);
  if (self->owns_memory) free(self);
}

const char *calotype_model_status_text(calotype_status status) {
  switch (status) {
    case CALOTYPE_OK: return "ok";
    case CALOTYPE_BUSY: return "the state is in use by another thread";
    case CALOTYPE_UNSUPPORTED_CPU: return "this processor lacks instructions the library was compiled for";
    case CALOTYPE_BAD_ARGUMENT: return "a pointer is null or misaligned, or an option is out of range";
    case CALOTYPE_OUT_OF_MEMORY: return "out of memory";
    case CALOTYPE_NO_THREADS: return "the threads could not be started";
    case CALOTYPE_WEIGHTS_MISSING: return "the weights are external and none were given";
    case CALOTYPE_WEIGHTS_MISMATCH: return "the weights given are not those the library was compiled for";
    case CALOTYPE_SHAPE_MISMATCH: return "an input that decides shapes holds other numbers than the library was compiled for";
    case CALOTYPE_INDEX_OUT_OF_RANGE: return "an index in the data was out of range and has been clamped";
    case CALOTYPE_BAD_EXECUTOR: return "the executor named a worker that does not exist";
    case CALOTYPE_INTERNAL_ERROR: return "internal error: a bug in Calotype";
  }
  return "unknown status";
}
