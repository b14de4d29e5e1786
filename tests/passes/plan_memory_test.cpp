/// \file
/// The arena: nothing that is still needed is overwritten, every buffer begins at a multiple of 64, and the size is near the least that any plan
/// of the same steps could have. On small cases worked by hand, on random networks, and on all networks of samples/.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "planned.h"
#include "random_network.h"
#include "small_graphs.h"

namespace calotype::testing {
namespace {

void expect_sound(const plan::Plan& plan) {
  expect_steps_are_valid(plan);
  expect_arena_is_sound(plan);
}

/// Each of 16 * 16 * 4 floats: a, b, c follow one another, and softmax needs two of them at a time.
TEST(plan_memory, a_chain_needs_two_places) {
  const plan::Plan plan =
      planned(small_graph("test(x: f32[1, 4, 16, 16]) -> y", "  a = softmax(x)\n  b = softmax(a)\n  c = softmax(b)\n  y = softmax(c)"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 2 * 4096);
}

TEST(plan_memory, a_value_lives_until_its_last_reader) {
  const plan::Plan plan = planned(small_graph("test(x: f32[1, 4, 16, 16]) -> y",
                                              "  a = softmax(x)\n  b = softmax(a)\n  c = softmax(b)\n  d = softmax(c)\n  y = add(d, a)"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 3 * 4096);
}

/// Operands of concat are written straight into its result, here the caller's buffer.
TEST(plan_memory, concat_takes_no_room) {
  const plan::Plan plan = planned(small_graph(
      "test(x: f32[1, 4, 16, 16]) -> y", "  a = softmax(x)\n  b = softmax(a)\n  c = softmax(b)\n  d = softmax(c)\n  y = concat(d, a)"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 2 * 4096);
  EXPECT_EQ(plan.kernels.size(), 4U);
}

TEST(plan_memory, the_callers_buffers_take_no_room) {
  const plan::Plan plan = planned(small_graph("test(x: f32[1, 4, 16, 16]) -> y", "  y = softmax(x)"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 0);
  EXPECT_EQ(plan.weight_bytes, 0);
}

/// 5 floats take 20 bytes; the next buffer begins at 64.
TEST(plan_memory, odd_sizes_are_rounded_up) {
  const plan::Plan plan = planned(small_graph("test(x: f32[1, 5]) -> y", "  a = softmax(x)\n  y = softmax(a)\n"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 64);
}

/// What shares the bytes of another buffer keeps them alive.
TEST(plan_memory, an_alias_keeps_its_memory) {
  const plan::Plan plan = planned(small_graph("test(x: f32[1, 4, 16, 16]) -> y",
                                              "  a = softmax(x)\n  f = flatten(a)\n  b = softmax(a)\n  c = softmax(b)\n  d = softmax(c)\n"
                                              "  e = flatten(d)\n  y = concat(e, f)"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 3 * 4096);
  for (const plan::Buffer& buffer : plan.buffers) {
    if (buffer.alias_of != plan::no_buffer) {
      EXPECT_EQ(buffer.place.offset, plan.buffer(buffer.alias_of).place.offset + buffer.alias_offset);
    }
  }
}

TEST(plan_memory, empty_tensors) {
  const plan::Plan plan = planned(small_graph("test(x: f32[0, 5]) -> y", "  a = softmax(x)\n  y = softmax(a)\n"));
  expect_sound(plan);
  EXPECT_EQ(plan.arena_bytes, 0);
}

class plan_memory_random : public ::testing::TestWithParam<int> {};

TEST_P(plan_memory_random, is_sound) {
  for (int i = 0; i < 50; ++i) {
    const auto seed = static_cast<std::uint32_t>(GetParam() * 1000 + i);
    const std::string text = random_network(seed, 6 + i);
    SCOPED_TRACE(text);
    const Graph graph = graph_without_weights(text);
    for (const char* target : {"x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-sse41"}) {
      const plan::Plan plan = planned(graph, target);
      expect_sound(plan);
      EXPECT_GE(plan.arena_bytes, least_arena(plan));
      if (HasFailure()) return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(networks, plan_memory_random, ::testing::Range(1, 5));

class plan_memory_samples : public ::testing::TestWithParam<std::string> {};

TEST_P(plan_memory_samples, is_sound_and_small) {
  const Graph graph = sample_network(GetParam());
  for (const char* target : {"x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-avx512_skylake-avx512-avx2-f16c-fma-avx-sse41"}) {
    const plan::Plan plan = planned(graph, target);
    expect_sound(plan);
    const std::int64_t least = least_arena(plan);
    EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.05 * static_cast<double>(least)) << plan.arena_bytes << " against " << least;
    RecordProperty("arena", std::to_string(plan.arena_bytes));
  }
}

INSTANTIATE_TEST_SUITE_P(networks, plan_memory_samples, ::testing::ValuesIn(sample_networks()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace calotype::testing
