/// \file
/// A state from open to close, on the hand-written model.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "model.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace {

using State = std::unique_ptr<calotype_state, decltype(&calotype_model_close)>;

State open(const calotype_options& options) {
  calotype_state* state = nullptr;
  EXPECT_EQ(calotype_model_open(&state, nullptr, &options), CALOTYPE_OK);
  return {state, calotype_model_close};
}

calotype_options with_threads(int threads) {
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = threads;
  return options;
}

calotype_status status_of(const calotype_options& options) {
  calotype_state* state = nullptr;
  const calotype_status status = calotype_model_open(&state, nullptr, &options);
  EXPECT_EQ(state == nullptr, status != CALOTYPE_OK);
  calotype_model_close(state);
  return status;
}

/// Input 0, 1/7, 2/7, ... and an output no kernel writes by chance.
struct Arrays {
  std::vector<float> x = std::vector<float>(model::size);
  std::vector<float> y = std::vector<float>(model::size, -99);
  Arrays() {
    for (int i = 0; i < model::size; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i) / 7;
  }
  model::Io io() { return {x.data(), y.data()}; }
  int wrong(float factor = model::factor) const {
    int count = 0;
    for (std::size_t i = 0; i < x.size(); ++i) count += y[i] != factor * x[i];
    return count;
  }
};

void expect_right(calotype_state* state, float factor = model::factor) {
  Arrays arrays;
  const model::Io io = arrays.io();
  EXPECT_EQ(calotype_model_run(state, &io), CALOTYPE_OK);
  EXPECT_EQ(arrays.wrong(factor), 0);
}

class StateOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, StateOf, testing::Values(1, 2, 3, 4));

TEST_P(StateOf, RunsWithItsOwnPool) {
  const State state = open(with_threads(GetParam()));
  for (int i = 0; i < 20; ++i) expect_right(state.get());
}

TEST_P(StateOf, RunsInMemoryGiven) {
  // The bytes after the state must stay as they are.
  const std::size_t bytes = model::state_bytes(GetParam());
  ASSERT_EQ(bytes % CALOTYPE_STATE_ALIGN, 0U);
  for (const std::size_t offset : {0, 64}) {  // aligned to 128, and to 64 only
    std::vector<unsigned char> memory(bytes + 512, 0xa5);
    auto* start = memory.data() + (128 - reinterpret_cast<std::uintptr_t>(memory.data()) % 128) % 128 + offset;
    const calotype_options options = with_threads(GetParam());
    calotype_state* state = nullptr;
    ASSERT_EQ(calotype_model_open(&state, start, &options), CALOTYPE_OK);
    EXPECT_EQ(static_cast<void*>(state), start);
    expect_right(state);
    calotype_model_close(state);
    for (auto* byte = start + bytes; byte < memory.data() + memory.size(); ++byte) ASSERT_EQ(*byte, 0xa5);
  }
}

TEST_P(StateOf, SharesAPool) {
  const std::unique_ptr<calotype_pool, decltype(&calotype_pool_destroy_v1)> pool(calotype_pool_create(2), calotype_pool_destroy);
  calotype_options options = with_threads(GetParam());
  options.pool = pool.get();
  const State one = open(options), two = open(options);
  expect_right(one.get());
  expect_right(two.get());
}

/// An executor that starts a thread for every call and hands tasks out backwards.
struct ThreadPerCall {
  int threads;
  int calls = 0;
  static void parallel(void* self, int tasks, void (*task)(void*, int, int), void* data) {
    auto& executor = *static_cast<ThreadPerCall*>(self);
    ++executor.calls;
    std::atomic<int> next{tasks};
    std::vector<std::thread> threads;
    for (int worker = 0; worker < executor.threads; ++worker) {
      threads.emplace_back([&, worker] {
        for (int index; (index = --next) >= 0;) task(data, index, worker);
      });
    }
    for (auto& thread : threads) thread.join();
  }
};

/// States above 1 MB lie in huge pages where the system has some: each size around the borders, with an executor that uses the last worker.
TEST(State, IsWholeWhateverItsSize) {
  const auto backwards = [](void* self, int tasks, void (*task)(void*, int, int), void* data) {
    for (int index = tasks; index-- > 0;) task(data, index, *static_cast<int*>(self));
  };
  for (int threads : {260, 264, 280, 520, 540, 560, 800, 1024}) {
    calotype_options options = with_threads(threads);
    int last = threads - 1;
    options.executor = {backwards, &last};
    const State state = open(options);
    ASSERT_NE(state, nullptr);
    expect_right(state.get());
  }
}

TEST_P(StateOf, RunsOnTheCallersExecutor) {
  ThreadPerCall executor = {GetParam()};
  calotype_options options = with_threads(GetParam());
  options.executor = {ThreadPerCall::parallel, &executor};
  const State state = open(options);
  expect_right(state.get());
  EXPECT_EQ(executor.calls, GetParam() == 1 ? 0 : 2);  // two kernels; nested loops are not handed over
}

TEST(State, SurvivesAnExecutorThatInventsWorkers) {
  calotype_options options = with_threads(2);
  options.executor.parallel = [](void*, int tasks, void (*task)(void*, int, int), void* data) {
    for (int index = 0; index < tasks; ++index) task(data, index, index % 5 - 1);
  };
  const State state = open(options);
  Arrays arrays;
  const model::Io io = arrays.io();
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_BAD_EXECUTOR);
}

TEST(State, OptionsAndMemoryMayBeNull) {
  calotype_state* state = nullptr;
  ASSERT_EQ(calotype_model_open(&state, nullptr, nullptr), CALOTYPE_OK);
  expect_right(state);
  calotype_model_close(state);
  calotype_model_close(nullptr);
}

TEST(State, SecondThreadGetsBusy) {
  const State state = open(with_threads(1));
  model::behaviour.enters = false;
  model::behaviour.waits = true;
  std::thread first([&] { expect_right(state.get()); });
  while (!model::behaviour.enters) std::this_thread::yield();
  Arrays arrays;
  const model::Io io = arrays.io();
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_BUSY);
  EXPECT_EQ(arrays.y[0], -99);
  model::behaviour.waits = false;
  first.join();
  expect_right(state.get());
}

TEST(State, RefusesBadArguments) {
  EXPECT_EQ(calotype_model_open(nullptr, nullptr, nullptr), CALOTYPE_BAD_ARGUMENT);
  alignas(64) static unsigned char memory[model::state_bytes(1) + 1];
  calotype_state* none = nullptr;
  EXPECT_EQ(calotype_model_open(&none, memory + 1, nullptr), CALOTYPE_BAD_ARGUMENT);

  const State state = open(with_threads(1));
  Arrays arrays;
  model::Io io = arrays.io();
  EXPECT_EQ(calotype_model_run(nullptr, &io), CALOTYPE_BAD_ARGUMENT);
  EXPECT_EQ(calotype_model_run(state.get(), nullptr), CALOTYPE_BAD_ARGUMENT);
  io.x = nullptr;
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_BAD_ARGUMENT);
  io = {arrays.x.data(), nullptr};
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_BAD_ARGUMENT);
  expect_right(state.get());
}

TEST(State, RefusesBadOptions) {
  EXPECT_EQ(status_of(with_threads(-1)), CALOTYPE_BAD_ARGUMENT);
  EXPECT_EQ(status_of(with_threads(CALOTYPE_THREADS_MAX + 1)), CALOTYPE_BAD_ARGUMENT);
  calotype_options options = with_threads(1);
  options.size = 0;
  EXPECT_EQ(status_of(options), CALOTYPE_BAD_ARGUMENT);
  options = with_threads(2);
  calotype_pool* pool = calotype_pool_create(2);
  options.pool = pool;
  options.executor.parallel = ThreadPerCall::parallel;
  EXPECT_EQ(status_of(options), CALOTYPE_BAD_ARGUMENT);
  calotype_pool_destroy(pool);
}

TEST(State, UnderstandsOlderAndNewerOptions) {
  calotype_options older = with_threads(1);
  older.size = offsetof(calotype_options, pool);
  older.weights = "not known to this caller";
  EXPECT_EQ(status_of(older), CALOTYPE_OK);

  struct {
    calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
    std::uint64_t later = 0;
  } newer;
  newer.options.size = sizeof newer;
  EXPECT_EQ(status_of(newer.options), CALOTYPE_OK);
  newer.later = 1;
  EXPECT_EQ(status_of(newer.options), CALOTYPE_BAD_ARGUMENT);
}

TEST(State, ChecksExternalWeights) {
  model::WeightsFile file = model::weights_file(-3);
  calotype_options options = with_threads(1);
  options.weights = &file;
  options.weights_bytes = sizeof file;
  expect_right(open(options).get(), -3);

  options.weights_bytes = sizeof file - 1;
  EXPECT_EQ(status_of(options), CALOTYPE_WEIGHTS_MISMATCH);
  options.weights_bytes = 63;
  EXPECT_EQ(status_of(options), CALOTYPE_WEIGHTS_MISMATCH);
  options.weights_bytes = sizeof file;
  options.weights = file.values + 1;
  EXPECT_EQ(status_of(options), CALOTYPE_BAD_ARGUMENT);
  options.weights = &file;
  file.header.hash[15] ^= 1;
  EXPECT_EQ(status_of(options), CALOTYPE_WEIGHTS_MISMATCH);
  file = model::weights_file(-3);
  file.header.magic[7] = '2';
  EXPECT_EQ(status_of(options), CALOTYPE_WEIGHTS_MISMATCH);
  file = model::weights_file(-3);
  file.header.bytes[7] = 1;
  EXPECT_EQ(status_of(options), CALOTYPE_WEIGHTS_MISMATCH);
}

TEST_P(StateOf, ReportsAClampedIndexAndFinishes) {
  const State state = open(with_threads(GetParam()));
  Arrays arrays;
  const model::Io io = arrays.io();
  model::behaviour.misses_index = 517;
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_INDEX_OUT_OF_RANGE);
  model::behaviour.misses_index = -1;
  EXPECT_EQ(arrays.wrong(), 0);
  expect_right(state.get());  // the error is gone with its run
}

TEST_P(StateOf, ReportsAFailedTask) {
  const State state = open(with_threads(GetParam()));
  Arrays arrays;
  const model::Io io = arrays.io();
  model::behaviour.fails = 3;
  EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_INTERNAL_ERROR);
  model::behaviour.fails = -1;
  EXPECT_EQ(arrays.y[4], model::factor * arrays.x[4]);
  expect_right(state.get());
}

TEST_P(StateOf, GoesToTheHeapWhereScratchWasPlannedTooSmall) {
  const State state = open(with_threads(GetParam()));
  for (const std::size_t greed : {1UL, 1000UL, 100000UL}) {
    Arrays arrays;
    const model::Io io = arrays.io();
    model::behaviour.greed = greed;
    EXPECT_EQ(calotype_model_run(state.get(), &io), CALOTYPE_INTERNAL_ERROR);
    model::behaviour.greed = 0;
    EXPECT_EQ(arrays.wrong(), 0);
  }
  expect_right(state.get());
}

#if defined(__x86_64__)
TEST_P(StateOf, IgnoresAndRestoresTheCallersFloatingPointModes) {
  const State state = open(with_threads(GetParam()));
  Arrays arrays;
  for (auto& x : arrays.x) x = std::ldexp(1.0F, -140);  // 2.5 times this denormal is exact
  arrays.x[0] = 1.0F + std::ldexp(1.0F, -23);  // 2.5 times this one is rounded
  const float expected = model::factor * arrays.x[0];
  const model::Io io = arrays.io();
  const unsigned before = _mm_getcsr();
  const unsigned strange = 0x1f80 | 0x8040 | 0x6000;  // flush denormals, towards zero
  _mm_setcsr(strange);
  const calotype_status status = calotype_model_run(state.get(), &io);
  const unsigned after = _mm_getcsr();
  _mm_setcsr(before);
  EXPECT_EQ(status, CALOTYPE_OK);
  EXPECT_EQ(after, strange);
  EXPECT_EQ(arrays.y[0], expected);
  EXPECT_EQ(arrays.y[1], std::ldexp(2.5F, -140));
  EXPECT_EQ(arrays.y[999], std::ldexp(2.5F, -140));
}
#endif

TEST(State, EveryStatusHasItsText) {
  std::vector<std::string> texts;
  for (int status = 0; status <= CALOTYPE_INTERNAL_ERROR; ++status) {
    const std::string text = calotype_model_status_text(static_cast<calotype_status>(status));
    EXPECT_NE(text, "unknown status") << status;
    EXPECT_EQ(std::count(texts.begin(), texts.end(), text), 0) << text;
    texts.push_back(text);
  }
  EXPECT_STREQ(calotype_model_status_text(static_cast<calotype_status>(CALOTYPE_INTERNAL_ERROR + 1)), "unknown status");
}

TEST(StateBytes, AreTheSumOfTheParts) {
  static_assert(CALOTYPE_STATE_BYTES(0, 0, 1) == 256 + 128);
  static_assert(CALOTYPE_STATE_BYTES(65, 129, 3) == 256 + 128 + 3 * (128 + 256));
  static_assert(CALOTYPE_STATE_BYTES(64, 128, 0) == CALOTYPE_STATE_BYTES(64, 128, 1));
  static_assert(CALOTYPE_STATE_BYTES(1ULL << 33, 1ULL << 32, 4) == 256 + (1ULL << 33) + 4 * (128 + (1ULL << 32)));
  EXPECT_EQ(CALOTYPE_SCRATCH_BLOCK_BYTES(0), 256U);
  EXPECT_EQ(CALOTYPE_SCRATCH_BLOCK_BYTES(64), 256U);
  EXPECT_EQ(CALOTYPE_SCRATCH_BLOCK_BYTES(65), 384U);
}

}  // namespace
