/// \file
/// run allocates nothing: this executable's own malloc counts. Not under a sanitizer, which brings its own malloc.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "model.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) && defined(__GLIBC__)

namespace {
std::atomic<int> allocations{0};
}

extern "C" {
void* __libc_malloc(std::size_t);
void* __libc_calloc(std::size_t, std::size_t);
void* __libc_realloc(void*, std::size_t);
void* __libc_memalign(std::size_t, std::size_t);
void* malloc(std::size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void* calloc(std::size_t count, std::size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void* realloc(void* old, std::size_t bytes) {
  ++allocations;
  return __libc_realloc(old, bytes);
}
void* aligned_alloc(std::size_t alignment, std::size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void** result, std::size_t alignment, std::size_t bytes) {
  ++allocations;
  *result = __libc_memalign(alignment, bytes);
  return *result ? 0 : 12;
}
}

namespace {

class AllocationsOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, AllocationsOf, testing::Values(1, 2, 4));

/// Allocations between open and close, over runs that wake sleeping threads and runs that do not.
int allocations_of_runs(calotype_state* state) {
  const std::vector<float> x(model::size, 1);
  std::vector<float> y(model::size);
  const model::Io io = {x.data(), y.data()};
  const int before = allocations;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(calotype_model_run(state, &io), CALOTYPE_OK);
    if (i % 10 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return allocations - before;
}

TEST_P(AllocationsOf, RunIsNone) {
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = GetParam();
  calotype_state* state = nullptr;
  const int before = allocations;
  ASSERT_EQ(calotype_model_open(&state, nullptr, &options), CALOTYPE_OK);
  EXPECT_GT(allocations, before);  // the counter counts
  EXPECT_EQ(allocations_of_runs(state), 0);
  calotype_model_close(state);
}

TEST(Allocations, OpenInMemoryGivenIsNone) {
  alignas(64) static unsigned char memory[model::state_bytes(1)];
  calotype_state* state = nullptr;
  const int before = allocations;
  ASSERT_EQ(calotype_model_open(&state, memory, nullptr), CALOTYPE_OK);
  EXPECT_EQ(allocations, before);
  calotype_model_close(state);
}

TEST(Allocations, ScratchThatIsTooSmallIsCounted) {
  calotype_state* state = nullptr;
  ASSERT_EQ(calotype_model_open(&state, nullptr, nullptr), CALOTYPE_OK);
  const std::vector<float> x(model::size, 1);
  std::vector<float> y(model::size);
  const model::Io io = {x.data(), y.data()};
  model::behaviour.greed = 1 << 20;
  const int before = allocations;
  EXPECT_EQ(calotype_model_run(state, &io), CALOTYPE_INTERNAL_ERROR);
  EXPECT_GE(allocations - before, model::size);
  model::behaviour.greed = 0;
  calotype_model_close(state);
}

}  // namespace
#endif
