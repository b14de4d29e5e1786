/// \file
/// Many states at once, from many threads, on one shared pool and on pools of their own; states come and go meanwhile. Exits with 1 at the first
/// wrong number. Meant for the thread sanitizer; without it still a test of every answer.
///
///   runtime_stress [ROUNDS]
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "model.h"

namespace {

std::atomic<int> failures{0};

void fail(const char* what) {
  if (failures++ == 0) std::fprintf(stderr, "runtime_stress: %s\n", what);
}

/// Opens a state, runs it `runs` times, closes it.
void use_one_state(const calotype_options& options, int runs, float start) {
  calotype_state* state = nullptr;
  if (calotype_model_open(&state, nullptr, &options) != CALOTYPE_OK) return fail("open failed");
  std::vector<float> x(model::size), y(model::size);
  for (int run = 0; run < runs; ++run) {
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = start + static_cast<float>(run) + static_cast<float>(i);
    const model::Io io = {x.data(), y.data()};
    if (calotype_model_run(state, &io) != CALOTYPE_OK) fail("run failed");
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (y[i] != model::factor * x[i]) return fail("wrong number");
    }
  }
  calotype_model_close(state);
}

/// Several threads run one state: each run is done right or refused as busy.
void fight_over_one_state(calotype_pool* pool, int rounds) {
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = 3;
  options.pool = pool;
  calotype_state* state = nullptr;
  if (calotype_model_open(&state, nullptr, &options) != CALOTYPE_OK) return fail("open failed");
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      const std::vector<float> x(model::size, 1);
      std::vector<float> y(model::size);
      const model::Io io = {x.data(), y.data()};
      for (int round = 0; round < rounds; ++round) {
        const calotype_status status = calotype_model_run(state, &io);
        if (status == CALOTYPE_OK && y.back() == model::factor)
          ++done;
        else if (status != CALOTYPE_BUSY)
          fail("neither done nor busy");
      }
    });
  }
  for (auto& thread : threads) thread.join();
  if (done == 0) fail("a state nobody could run");
  calotype_model_close(state);
}

}  // namespace

int main(int count, char** arguments) {
  const int rounds = count > 1 ? std::atoi(arguments[1]) : 20;
  calotype_pool* pool = calotype_pool_create(4);
  std::vector<std::thread> users;
  for (int user = 0; user < 8; ++user) {
    users.emplace_back([=] {
      for (int round = 0; round < rounds; ++round) {
        calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
        options.threads = 1 + (user + round) % 4;
        if (user % 4 != 3) options.pool = pool;  // each fourth user's states make pools of their own
        use_one_state(options, 4, static_cast<float>(user));
      }
    });
  }
  fight_over_one_state(pool, rounds);
  for (auto& user : users) user.join();
  calotype_pool_destroy(pool);
  return failures == 0 ? 0 : 1;
}
