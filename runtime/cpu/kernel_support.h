/* The functions that generated kernels call. The first three have the names and signatures Halide gives them. */
#ifndef CALOTYPE_CPU_KERNEL_SUPPORT_H
#define CALOTYPE_CPU_KERNEL_SUPPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Calls f(context, index, closure) once for every index in min..min+size-1, where context is that of the worker that runs the task, and returns
 * when all have returned. Inside a parallel loop, and in a state of one thread, the calls are made here in order. Returns 0; a task's code that
 * is not 0 becomes the state's error. */
int halide_do_par_for(void *user_context, int (*f)(void *user_context, int index, uint8_t *closure), int min, int size, uint8_t *closure);

/* `bytes` bytes from this worker's scratch, aligned to CALOTYPE_SCRATCH_ALIGN, contents undefined. The plan guarantees that the scratch suffices
 * (calotype_variant.scratch_bytes), because a kernel would write through a null pointer. If that is ever wrong, the state's error is set and the
 * block comes from the heap. */
void *halide_malloc(void *user_context, size_t bytes);

/* Gives back what halide_malloc returned, in any order, on the worker that allocated it. NULL is allowed. */
void halide_free(void *user_context, void *block);

/* Where `holds` is 0, run will return `status`, a calotype_status: an index found in the data was outside of its tensor and has been clamped, or
 * numbers that decide shapes are not those the kernels were made for. Returns `holds`. Any worker. */
int32_t calotype_require(void *user_context, int32_t holds, int32_t status);

#ifdef __cplusplus
}
#endif
#endif /* CALOTYPE_CPU_KERNEL_SUPPORT_H */
