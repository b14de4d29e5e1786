/// \file
/// glibc's settings; other C libraries return memory as they see fit.
#include "commands/memory.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace calotype::commands {

void return_memory_early() {
#if defined(__GLIBC__)
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  mallopt(M_MMAP_THRESHOLD, 1 << 18);
#endif
}

void return_free_memory() {
#if defined(__GLIBC__)
  malloc_trim(0);
#endif
}

}  // namespace calotype::commands
