/* The shared pool.
 *
 * A caller takes `busy` (or is refused), writes the job and opens the gate: one word, generation << 16 | free seats. A helper that sees a free
 * seat takes it by compare-and-swap; the seat's number is its worker index. Each worker has a share of the tasks, neighbours, and claims them by
 * fetch_add on its share's `next`; out of those, it claims from the others' shares, until none are left. So a worker finds the tasks of one job
 * where it had those of the last one, whose results lie in its cache, and shares no line with others before the end; whoever is late or
 * descheduled costs nothing and no task waits for a particular thread: the caller alone would finish them.
 * Out of tasks, a helper adds itself to `left` and never touches the job again. The caller, out of tasks, shuts the gate, which tells it how many
 * seats were taken, and waits until as many have left: it pauses for a while, then yields to the scheduler. Only helpers inside a last task are
 * waited for. The swap acquires what opening released (the job); the caller's look at `left` acquires what helpers released (their results).
 * A helper with nothing to do watches the gate for SPIN_NANOSECONDS, then counts itself in `sleeping` and sleeps on the gate's word for as long as
 * it has the value last seen; the caller opens the gate before it reads `sleeping`, so one of the two sees the other and no wake-up is lost.
 * Generations keep a helper from sitting down twice at one job and sleepers from missing a change; that they wrap around after 65,536 jobs can
 * make a helper miss a job, never a task. */
#define _GNU_SOURCE
#include "cpu/pool.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

enum {
  SPIN_NANOSECONDS = 100000,   /* a helper without work, before it sleeps: the kernels of one network follow each other faster */
  PATIENCE_NANOSECONDS = 5000, /* a caller without work, before it yields: a last task is short unless its helper has lost its processor */
  SPINS_PER_LOOK_AT_THE_CLOCK = 32,
  FEW_TASKS = 4, /* for each worker */
  CLAIMS_PER_SHARE = 64, /* tasks are claimed one by one, or so many at once that a share still takes this many claims */
  STACK_BYTES = 1 << 20 /* at least, for each helper */
};
#define SEATS_MASK 0xffffu
#define ONE_GENERATION 0x10000u

/* One worker's part of the job: tasks next..end-1 that nobody has claimed. */
typedef struct share {
  _Alignas(128) atomic_uint next; /* pairs of lines are fetched together */
  unsigned end;
} share;

struct calotype_pool {
  _Alignas(128) atomic_uint gate;
  atomic_uint sleeping; /* helpers asleep or about to be */
  atomic_uint stopping; /* 1: helpers return */

  _Alignas(128) atomic_uint left; /* helpers that have finished this job */

  _Alignas(128) atomic_uint busy; /* 1 while a caller is served */
  unsigned share_count; /* the job: from here on, and the shares, written by the caller while the gate is shut and nobody is seated */
  unsigned claim; /* tasks taken at once */
  void (*task)(void *data, int index, int worker);
  void *data;

  int helpers;
#if !defined(__linux__)
  pthread_mutex_t mutex;
  pthread_cond_t changed;
#endif
  pthread_t *threads;
  share shares[]; /* of the caller, then of each helper */
};

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#elif defined(__arm__)
  __asm__ volatile("yield" ::: "memory");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#if defined(__linux__)
/* Sleeps while the gate has the value `seen`; may return early. */
static void sleep_at_gate(calotype_pool *pool, unsigned seen) { syscall(SYS_futex, &pool->gate, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0); }

/* Wakes at most `count` sleepers, after the gate has changed. */
static void wake_sleepers(calotype_pool *pool, int count) { syscall(SYS_futex, &pool->gate, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0); }
#else
static void sleep_at_gate(calotype_pool *pool, unsigned seen) {
  pthread_mutex_lock(&pool->mutex);
  while (atomic_load(&pool->gate) == seen) pthread_cond_wait(&pool->changed, &pool->mutex);
  pthread_mutex_unlock(&pool->mutex);
}

static void wake_sleepers(calotype_pool *pool, int count) {
  (void)count;
  pthread_mutex_lock(&pool->mutex);
  pthread_cond_broadcast(&pool->changed);
  pthread_mutex_unlock(&pool->mutex);
}
#endif

/* Claims and runs tasks of one share until none are left. */
static void work_on(calotype_pool *pool, share *part, int worker) {
  const unsigned end = part->end, claim = pool->claim;
  while (atomic_load_explicit(&part->next, memory_order_relaxed) < end) {
    const unsigned first = atomic_fetch_add_explicit(&part->next, claim, memory_order_relaxed);
    if (first >= end) return;
    const unsigned last = end - first < claim ? end : first + claim;
    for (unsigned index = first; index < last; ++index) pool->task(pool->data, (int)index, worker);
  }
}

/* Works on its own share, then on the others'. Caller and seated helpers. */
static void work(calotype_pool *pool, int worker) {
  const unsigned count = pool->share_count;
  for (unsigned i = 0; i < count; ++i) work_on(pool, &pool->shares[((unsigned)worker + i) % count], worker);
}

/* Deals out the tasks, nearly as many to each worker; a few are one share for all, because to look at another's takes as long as some tasks. */
static void deal(calotype_pool *pool, unsigned tasks, unsigned workers) {
  const unsigned count = tasks / workers < FEW_TASKS ? 1 : workers;
  pool->share_count = count;
  pool->claim = 1 + tasks / (workers * CLAIMS_PER_SHARE);
  unsigned begin = 0;
  for (unsigned i = 0; i < count; ++i) {
    const unsigned end = begin + tasks / count + (i < tasks % count);
    atomic_store_explicit(&pool->shares[i].next, begin, memory_order_relaxed);
    pool->shares[i].end = end;
    begin = end;
  }
}

/* Whether a helper that last sat in job `last` has somewhere to sit at this gate. */
static int has_seat(unsigned gate, unsigned last) { return (gate & SEATS_MASK) != 0 && gate / ONE_GENERATION != last; }

/* Whether the gate is worth looking at: a free seat in another job than `last`, or the pool's end. Watches it for SPIN_NANOSECONDS. Helpers. */
static int watch_gate(calotype_pool *pool, unsigned last, unsigned *gate) {
  int64_t deadline = 0;
  for (unsigned spins = 0;; ++spins) {
    *gate = atomic_load_explicit(&pool->gate, memory_order_acquire);
    if (has_seat(*gate, last) || atomic_load_explicit(&pool->stopping, memory_order_acquire)) return 1;
    pause_briefly();
    if (spins % SPINS_PER_LOOK_AT_THE_CLOCK != SPINS_PER_LOOK_AT_THE_CLOCK - 1) continue;
    const int64_t now = nanoseconds();
    if (deadline == 0) deadline = now + SPIN_NANOSECONDS;
    if (now >= deadline) return 0;
  }
}

/* Returns a gate with a free seat in another job than `last`, or any gate once the pool is stopping. Watches, then sleeps, and watches again when
 * it is woken: in a virtual machine waking takes longer than a small kernel, so the job that woke it may be over, but others follow. */
static unsigned wait_for_job(calotype_pool *pool, unsigned last) {
  unsigned gate;
  while (!watch_gate(pool, last, &gate)) {
    atomic_fetch_add_explicit(&pool->sleeping, 1, memory_order_seq_cst);
    gate = atomic_load_explicit(&pool->gate, memory_order_seq_cst);
    if (!has_seat(gate, last) && !atomic_load_explicit(&pool->stopping, memory_order_acquire)) sleep_at_gate(pool, gate);
    atomic_fetch_sub_explicit(&pool->sleeping, 1, memory_order_relaxed);
  }
  return gate;
}

/* The life of one helper. */
static void *help(void *argument) {
  calotype_pool *pool = argument;
  unsigned last = UINT_MAX; /* no generation */
  for (;;) {
    unsigned gate = wait_for_job(pool, last);
    if (atomic_load_explicit(&pool->stopping, memory_order_acquire)) return NULL;
    if (!atomic_compare_exchange_weak_explicit(&pool->gate, &gate, gate - 1, memory_order_acquire, memory_order_relaxed)) continue;
    last = gate / ONE_GENERATION;
    work(pool, (int)(gate & SEATS_MASK));
    atomic_fetch_add_explicit(&pool->left, 1, memory_order_release);
  }
}

/* Waits until `seated` helpers have left. The caller. */
static void wait_for_helpers(calotype_pool *pool, unsigned seated) {
  int64_t deadline = 0;
  int patient = 1;
  for (unsigned spins = 0; atomic_load_explicit(&pool->left, memory_order_acquire) != seated; ++spins) {
    if (!patient) {
      sched_yield();
      continue;
    }
    pause_briefly();
    if (spins % SPINS_PER_LOOK_AT_THE_CLOCK != SPINS_PER_LOOK_AT_THE_CLOCK - 1) continue;
    const int64_t now = nanoseconds();
    if (deadline == 0) deadline = now + PATIENCE_NANOSECONDS;
    patient = now < deadline;
  }
}

int calotype_pool_run(calotype_pool *pool, int threads, int tasks, void (*task)(void *data, int index, int worker), void *data) {
  if (atomic_exchange_explicit(&pool->busy, 1, memory_order_acquire)) return 0;
  int seats = pool->helpers < threads - 1 ? pool->helpers : threads - 1;
  if (seats > tasks - 1) seats = tasks - 1;
  if (seats < 0) seats = 0;

  deal(pool, tasks > 0 ? (unsigned)tasks : 0, (unsigned)seats + 1);
  pool->task = task;
  pool->data = data;
  atomic_store_explicit(&pool->left, 0, memory_order_relaxed);
  const unsigned shut = (atomic_load_explicit(&pool->gate, memory_order_relaxed) | SEATS_MASK) + 1; /* the next generation, no seats */
  if (seats > 0) {
    atomic_store_explicit(&pool->gate, shut + (unsigned)seats, memory_order_seq_cst);
    if (atomic_load_explicit(&pool->sleeping, memory_order_seq_cst) != 0) wake_sleepers(pool, seats);
  }
  work(pool, 0);
  if (seats > 0) {
    const unsigned gate = atomic_exchange_explicit(&pool->gate, shut, memory_order_acquire);
    wait_for_helpers(pool, (unsigned)seats - (gate & SEATS_MASK));
  }
  atomic_store_explicit(&pool->busy, 0, memory_order_release);
  return 1;
}

/* Starts helpers until there are `count`; 0 if the system refuses one. They take no signals: those belong to the program's own threads. */
static int start_helpers(calotype_pool *pool, int count) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return 0;
  size_t stack = 0;
  if (pthread_attr_getstacksize(&attributes, &stack) == 0 && stack < STACK_BYTES) pthread_attr_setstacksize(&attributes, STACK_BYTES);
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool->helpers < count && pthread_create(&pool->threads[pool->helpers], &attributes, help, pool) == 0) ++pool->helpers;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attributes);
  return pool->helpers == count;
}

calotype_pool *calotype_pool_create(int threads) {
  if (threads < 1 || threads > CALOTYPE_THREADS_MAX) return NULL;
  const size_t shares_end = sizeof(calotype_pool) + (size_t)threads * sizeof(share);
  calotype_pool *pool =
      aligned_alloc(_Alignof(calotype_pool), CALOTYPE_ROUND_UP(shares_end + (size_t)threads * sizeof(pthread_t), _Alignof(calotype_pool)));
  if (!pool) return NULL;
  pool->threads = (pthread_t *)(void *)((unsigned char *)pool + shares_end);
  atomic_init(&pool->gate, 0);
  atomic_init(&pool->sleeping, 0);
  atomic_init(&pool->stopping, 0);
  for (int i = 0; i < threads; ++i) atomic_init(&pool->shares[i].next, 0);
  atomic_init(&pool->left, 0);
  atomic_init(&pool->busy, 0);
  pool->helpers = 0;
#if !defined(__linux__)
  pthread_mutex_init(&pool->mutex, NULL);
  pthread_cond_init(&pool->changed, NULL);
#endif
  if (start_helpers(pool, threads - 1)) return pool;
  calotype_pool_destroy(pool);
  return NULL;
}

void calotype_pool_destroy(calotype_pool *pool) {
  if (!pool) return;
  atomic_store_explicit(&pool->stopping, 1, memory_order_seq_cst);
  atomic_fetch_add_explicit(&pool->gate, ONE_GENERATION, memory_order_seq_cst);
  wake_sleepers(pool, INT_MAX);
  for (int i = 0; i < pool->helpers; ++i) pthread_join(pool->threads[i], NULL);
#if !defined(__linux__)
  pthread_cond_destroy(&pool->changed);
  pthread_mutex_destroy(&pool->mutex);
#endif
  free(pool);
}
