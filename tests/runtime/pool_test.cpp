/// \file
/// The shared pool: every task exactly once, whoever sleeps; one caller at a time.
#include "cpu/pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <set>
#include <thread>
#include <vector>

namespace {

using Pool = std::unique_ptr<calotype_pool, decltype(&calotype_pool_destroy_v1)>;
Pool pool_of(int threads) { return {calotype_pool_create(threads), calotype_pool_destroy}; }

/// Counts how often each task ran, and tasks that ran on one worker at the same time.
struct Tally {
  explicit Tally(int tasks) : ran(static_cast<std::size_t>(tasks)) {}
  std::vector<std::atomic<int>> ran;
  std::atomic<int> inside[CALOTYPE_THREADS_MAX] = {};
  std::atomic<int> overlaps{0};
  std::atomic<int> highest_worker{0};
  std::atomic<int> wrong{0};

  static void task(void* self, int index, int worker) {
    auto& tally = *static_cast<Tally*>(self);
    if (index < 0 || index >= static_cast<int>(tally.ran.size()) || worker < 0 || worker >= CALOTYPE_THREADS_MAX) {
      ++tally.wrong;
      return;
    }
    if (tally.inside[worker].fetch_add(1) != 0) ++tally.overlaps;
    ++tally.ran[static_cast<std::size_t>(index)];
    int seen = tally.highest_worker;
    while (worker > seen && !tally.highest_worker.compare_exchange_weak(seen, worker)) {
    }
    --tally.inside[worker];
  }

  void expect_each_once(int threads) const {
    int others = 0;
    for (const auto& count : ran) others += count != 1;
    EXPECT_EQ(others, 0);
    EXPECT_EQ(overlaps, 0);
    EXPECT_EQ(wrong, 0);
    EXPECT_LT(highest_worker, threads);
  }
};

class PoolOf : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Threads, PoolOf, testing::Values(1, 2, 3, 4, 8));

TEST_P(PoolOf, RunsEveryTaskOnce) {
  const Pool pool = pool_of(GetParam());
  ASSERT_TRUE(pool);
  for (const int tasks : {0, 1, 2, 3, 4, 5, 7, 16, 63, 64, 65, 127, 255, 1000, 4099, 100000}) {
    Tally tally(tasks);
    ASSERT_EQ(calotype_pool_run(pool.get(), GetParam(), tasks, Tally::task, &tally), 1);
    tally.expect_each_once(GetParam());
  }
}

TEST_P(PoolOf, RunsManySmallJobsInARow) {
  const Pool pool = pool_of(GetParam());
  for (int job = 0; job < 20000; ++job) {
    const int tasks = job % 6;
    Tally tally(tasks);
    ASSERT_EQ(calotype_pool_run(pool.get(), GetParam(), tasks, Tally::task, &tally), 1);
    tally.expect_each_once(GetParam());
  }
}

TEST_P(PoolOf, WakesHelpersThatFellAsleep) {
  const Pool pool = pool_of(GetParam());
  for (int job = 0; job < 100; ++job) {
    std::this_thread::sleep_for(std::chrono::microseconds(job % 10 * 40));  // around the time that helpers spin
    Tally tally(50);
    ASSERT_EQ(calotype_pool_run(pool.get(), GetParam(), 50, Tally::task, &tally), 1);
    tally.expect_each_once(GetParam());
  }
}

TEST(Pool, HelpersTakePart) {
  const Pool pool = pool_of(2);
  struct Both {
    std::atomic<int> here{0};
    std::atomic<bool> met{false};
  };
  // Each of two tasks waits for the other: met only if two threads run them.
  for (int job = 0; job < 50; ++job) {
    if (job % 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Both both;
    const auto task = [](void* self, int, int) {
      auto& both = *static_cast<Both*>(self);
      ++both.here;
      const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (both.here < 2 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
      if (both.here == 2) both.met = true;
    };
    ASSERT_EQ(calotype_pool_run(pool.get(), 2, 2, task, &both), 1);
    ASSERT_TRUE(both.met);
  }
}

TEST(Pool, UsesNoMoreThreadsThanAsked) {
  const Pool pool = pool_of(8);
  for (int job = 0; job < 200; ++job) {
    Tally tally(200);
    ASSERT_EQ(calotype_pool_run(pool.get(), 2, 200, Tally::task, &tally), 1);
    tally.expect_each_once(2);
  }
}

TEST(Pool, MoreThreadsThanThePoolHas) {
  const Pool pool = pool_of(2);
  Tally tally(200);
  ASSERT_EQ(calotype_pool_run(pool.get(), 64, 200, Tally::task, &tally), 1);
  tally.expect_each_once(2);
}

TEST(Pool, RefusesASecondCaller) {
  const Pool pool = pool_of(2);
  struct Again {
    calotype_pool* pool;
    std::atomic<int> refused{0};
    std::atomic<int> inner{0};
  } again = {pool.get(), {}, {}};
  const auto task = [](void* self, int, int) {
    auto& again = *static_cast<Again*>(self);
    const auto inner = [](void* inner_self, int, int) { ++static_cast<Again*>(inner_self)->inner; };
    if (calotype_pool_run(again.pool, 2, 3, inner, &again) == 0) ++again.refused;
  };
  ASSERT_EQ(calotype_pool_run(pool.get(), 2, 10, task, &again), 1);
  EXPECT_EQ(again.refused, 10);
  EXPECT_EQ(again.inner, 0);
}

/// Each caller asks again until it was served often enough: a refused job ran nothing, a served one every task once. How often callers are
/// refused is the scheduler's affair (one that loses its processor while it is served keeps all others out), that none starves is the pool's.
TEST(Pool, ConcurrentCallersAreServedOrRefused) {
  constexpr int jobs = 2000;
  const Pool pool = pool_of(2);
  std::atomic<int> served{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int done = 0; done < jobs;) {
        Tally tally(20);
        if (calotype_pool_run(pool.get(), 2, 20, Tally::task, &tally)) {
          ++done;
          ++served;
          tally.expect_each_once(2);
        } else {
          EXPECT_EQ(tally.highest_worker, 0);
          for (const auto& count : tally.ran) EXPECT_EQ(count, 0);
          std::this_thread::yield();
        }
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(served, 4 * jobs);
  for (int job = 0; job < jobs; ++job) {
    Tally tally(20);
    ASSERT_TRUE(calotype_pool_run(pool.get(), 2, 20, Tally::task, &tally)) << "a caller alone was refused";
    tally.expect_each_once(2);
  }
}

TEST(Pool, RefusesAbsurdThreadCounts) {
  EXPECT_EQ(calotype_pool_create(0), nullptr);
  EXPECT_EQ(calotype_pool_create(-1), nullptr);
  EXPECT_EQ(calotype_pool_create(CALOTYPE_THREADS_MAX + 1), nullptr);
  calotype_pool_destroy(nullptr);
}

TEST(Pool, CanBeDestroyedAtOnceAndAsleep) {
  for (int i = 0; i < 50; ++i) pool_of(4);
  const Pool sleeping = pool_of(4);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

}  // namespace
