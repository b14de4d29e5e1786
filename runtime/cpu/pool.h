/* The pool as the run time of a model sees it. Frozen: models of different releases share one pool. */
#ifndef CALOTYPE_CPU_POOL_H
#define CALOTYPE_CPU_POOL_H

#include "calotype/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define calotype_pool_run calotype_pool_run_v1

/* Calls task(data, index, worker) once for every index in 0..tasks-1, on this thread as worker 0 and on at most threads - 1 of the pool's, each
 * with its own worker in 1..threads-1, and returns 1 when all have returned. Returns 0 at once, with no task run, while the pool serves another
 * caller (or this one: a task must not call it again). Allocates nothing; what tasks wrote is visible to the caller. */
int calotype_pool_run(calotype_pool *pool, int threads, int tasks, void (*task)(void *data, int index, int worker), void *data);

#ifdef __cplusplus
}
#endif
#endif /* CALOTYPE_CPU_POOL_H */
