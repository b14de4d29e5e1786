/* Runs a model many times at several thread counts; no call of the allocator may happen in run, and every run must give the same bits. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model.h"

static atomic_int allocations;

void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t align, size_t bytes);
void __libc_free(void* memory);

void* malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  ++allocations;
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(size_t align, size_t bytes) {
  ++allocations;
  return __libc_memalign(align, bytes);
}
void free(void* memory) {
  ++allocations;
  __libc_free(memory);
}

static unsigned char inputs[1 << 22], reference[1 << 22], outputs[1 << 22];

int main(void) {
  if (sizeof(float) * MODEL_INPUT_COUNT > sizeof inputs || MODEL_OUTPUT_BYTES > sizeof outputs) return 2;
  float* x = (float*)(void*)inputs;
  for (int i = 0; i < MODEL_INPUT_COUNT; ++i) x[i] = (float)(i * 37 % 101) / 50.f - 1.f;
  const MODEL_IO io = {x, (float*)(void*)outputs};
  for (int threads = 1; threads <= 4; threads *= 2) {
    calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
    options.threads = threads;
    MODEL* state;
    if (MODEL_OPEN(&state, NULL, &options) != CALOTYPE_OK) return 3;
    const int before = allocations;
    if (before == 0) return 4; /* the count does not work */
    for (int run = 0; run < 10; ++run) {
      memset(outputs, 0xff, MODEL_OUTPUT_BYTES);
      if (MODEL_RUN(state, &io) != CALOTYPE_OK) return 5;
      if (threads == 1 && run == 0) memcpy(reference, outputs, MODEL_OUTPUT_BYTES);
      if (memcmp(reference, outputs, MODEL_OUTPUT_BYTES) != 0) {
        printf("run %d with %d threads gave other bits\n", run, threads);
        return 6;
      }
    }
    if (allocations != before) {
      printf("%d allocations with %d threads\n", allocations - before, threads);
      return 7;
    }
    MODEL_CLOSE(state);
  }
  return 0;
}
