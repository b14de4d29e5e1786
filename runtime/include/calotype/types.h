/* Calotype's public types, shared by every generated library.
 *
 * The code generator repeats this text in every header it writes; the guard lets any number of such headers meet in one program. C99 and C++.
 * Everything here is frozen: a change of layout or meaning takes a new guard, a new CALOTYPE_ABI and new pool symbols. */
#ifndef CALOTYPE_TYPES_1
#define CALOTYPE_TYPES_1

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CALOTYPE_ABI 1

/* What open and run return. Nothing prints, aborts or throws; NAME_status_text says the same in words. */
typedef enum calotype_status {
  CALOTYPE_OK = 0,
  CALOTYPE_BUSY = 1, /* run: another thread is inside run with the same state; nothing was done */
  CALOTYPE_UNSUPPORTED_CPU = 2, /* open: this processor lacks instructions that every variant of the library needs */
  CALOTYPE_BAD_ARGUMENT = 3, /* a null pointer where one is needed (self, io, a member of io), misaligned memory or weights, bad options */
  CALOTYPE_OUT_OF_MEMORY = 4, /* open: the state or its pool could not be allocated */
  CALOTYPE_NO_THREADS = 5, /* open: the system refused to start the state's own threads */
  CALOTYPE_WEIGHTS_MISSING = 6, /* open: the library was compiled with external weights and options gave none */
  CALOTYPE_WEIGHTS_MISMATCH = 7, /* open: the bytes in options.weights are not the weights this library was compiled for */
  CALOTYPE_SHAPE_MISMATCH =
      8, /* run: an input that decides shapes holds other numbers than the library was compiled for; the results mean nothing */
  CALOTYPE_INDEX_OUT_OF_RANGE = 9, /* run: an index in the data pointed outside its tensor; it was clamped and run went on to the end */
  CALOTYPE_BAD_EXECUTOR = 10, /* run: options.executor named a worker that does not exist; the outputs are incomplete */
  CALOTYPE_INTERNAL_ERROR = 11 /* a bug in Calotype: please report it; the outputs cannot be relied on */
} calotype_status;

/* Threads that several states share. A pool serves one caller at a time; a state that finds it busy runs its tasks itself, so sharing one
 * pool never blocks. Any number of states, of any number of models, may use it from any thread. */
typedef struct calotype_pool calotype_pool;

/* The names carry a version, so that libraries from different releases of Calotype can meet in one program. */
#define calotype_pool_create calotype_pool_create_v1
#define calotype_pool_destroy calotype_pool_destroy_v1

/* Makes a pool for `threads` threads in all: the calling thread takes part, so threads - 1 are started. NULL if threads is not in
 * 1..CALOTYPE_THREADS_MAX, or without memory or threads. Idle threads sleep. */
calotype_pool *calotype_pool_create(int threads);

/* Ends the pool's threads and frees it. Every state that uses it must have been closed. NULL is allowed. */
void calotype_pool_destroy(calotype_pool *pool);

#define CALOTYPE_THREADS_MAX 1024

/* The caller's own scheduler. parallel calls task(data, index, worker) once for every index in 0..tasks-1, in any order, on any threads, and
 * returns when all those calls have returned. worker is in 0..threads-1 (calotype_options), and no two calls that overlap in time have the
 * same worker. task never blocks, throws or calls parallel. parallel NULL: no executor. */
typedef struct calotype_executor {
  void (*parallel)(void *self, int tasks, void (*task)(void *data, int index, int worker), void *data);
  void *self; /* handed back as the first argument */
} calotype_executor;

/* How a state is opened. Set size, zero the rest (or start from CALOTYPE_OPTIONS_DEFAULT); zero always means the default. */
typedef struct calotype_options {
  /* sizeof(calotype_options) as the caller knew it: what lies beyond is taken as zero */
  size_t size;
  /* threads that one run may use, the caller's among them; 0 means 1, also where a pool is given. Memory given to open must be
   * NAME_STATE_BYTES(threads) long */
  int threads;
  /* a shared pool, which must outlive the state; NULL with threads > 1 and no executor: open makes a pool of the state's own */
  calotype_pool *pool;
  /* the caller's scheduler in place of a pool; giving both is an error */
  calotype_executor executor;
  /* the bytes of NAME.weights, aligned to 64 (a mapped file is), unchanged until close; NULL: those in the library */
  const void *weights;
  /* how many bytes weights points at */
  size_t weights_bytes;
} calotype_options;

#define CALOTYPE_OPTIONS_DEFAULT {sizeof(calotype_options), 0, NULL, {NULL, NULL}, NULL, 0}

/* The memory of one state, in bytes: a fixed part, the arena that holds values between kernels, and for every worker its context and scratch.
 * NAME_STATE_BYTES(threads) is this with the library's own numbers; both sides of the interface compute it here and nowhere else. */
#define CALOTYPE_STATE_ALIGN 64
#define CALOTYPE_STATE_FIXED_BYTES 256
#define CALOTYPE_WORKER_BYTES 128
#define CALOTYPE_ROUND_UP(bytes, unit) (((bytes) + ((unit) - 1)) / (unit) * (unit))
#define CALOTYPE_STATE_BYTES(arena_bytes, scratch_bytes, threads)                \
  (CALOTYPE_STATE_FIXED_BYTES + CALOTYPE_ROUND_UP((uint64_t)(arena_bytes), 64) + \
   (uint64_t)((threads) > 1 ? (threads) : 1) * (CALOTYPE_WORKER_BYTES + CALOTYPE_ROUND_UP((uint64_t)(scratch_bytes), 128)))

#ifdef __cplusplus
}
#endif
#endif /* CALOTYPE_TYPES_1 */
