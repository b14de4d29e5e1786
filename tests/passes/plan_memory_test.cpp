/// \file
/// The arena: nothing that is still needed is overwritten, every buffer begins at a multiple of 64, and the size is near the least that any plan
/// of the same steps could have. On small cases worked by hand, on random networks, and on all networks of samples/.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/passes.h"
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

/// Gated causal layers, whose gates are all summed at the end.
std::string waves() {
  std::string text = "network waves(sound: f32[1, 1, 2048]) -> y {\n  x0 = conv(sound, filters=12, kernel=1)\n";
  std::string gates;
  for (int i = 0; i < 10; ++i) {
    const int dilation = 1 << i;
    text += fmt::format("  t{0} = conv(x{0}, filters=12, kernel=3, dilation={1}, padding=[{2}, 0], activation=tanh)\n", i, dilation,
                        2 * dilation);
    text += fmt::format("  s{0} = conv(x{0}, filters=12, kernel=3, dilation={1}, padding=[{2}, 0], activation=sigmoid)\n", i, dilation,
                        2 * dilation);
    text += fmt::format("  g{0} = mul(t{0}, s{0})\n  m{0} = conv(g{0}, filters=12, kernel=1)\n  x{1} = add(x{0}, m{0})\n", i, i + 1);
    gates += (i == 0 ? "g" : ", g") + std::to_string(i);
  }
  return text + "  all = add(" + gates + ")\n  y = conv(all, filters=1, kernel=1)\n}\n";
}

/// Down and up again, with what was seen on the way down.
std::string hourglass() {
  std::string text = "network hourglass(image: f32[1, 3, 256, 256]) -> y {\n";
  std::string last = "image";
  const auto pair = [&](const std::string& name, int width) {
    text += fmt::format(
        "  {0}.a = conv({1}, filters={2}, kernel=3x3, padding=same, activation=relu)\n"
        "  {0}.b = conv({0}.a, filters={2}, kernel=3x3, padding=same, activation=relu)\n",
        name, last, width);
    last = name + ".b";
  };
  for (int i = 0; i < 4; ++i) {
    pair(fmt::format("down{}", i), 16 << i);
    text += fmt::format("  pool{} = max_pool({}, kernel=2x2)\n", i, last);
    last = fmt::format("pool{}", i);
  }
  pair("middle", 256);
  for (int i = 3; i >= 0; --i) {
    text += fmt::format("  up{0} = conv_transpose({1}, filters={2}, kernel=2x2, stride=2)\n  joined{0} = concat(down{0}.b, up{0})\n", i,
                        last, 16 << i);
    last = fmt::format("joined{}", i);
    pair(fmt::format("back{}", i), 16 << i);
  }
  return text + "  y = conv(" + last + ", filters=1, kernel=1x1, activation=sigmoid)\n}\n";
}

/// Inverted residuals with gates.
std::string gated() {
  std::string text =
      "block gate(x, hidden, squeeze) -> y {\n  mean = global_average_pool(x)\n  in = conv(filters=squeeze, kernel=1x1, activation=relu)\n"
      "  out = conv(filters=hidden, kernel=1x1, activation=hard_sigmoid)\n  y = mul(x, out)\n}\n"
      "network gated(image: f32[1, 3, 224, 224]) -> y {\n  x0 = conv(image, filters=16, kernel=3x3, stride=2, padding=same, "
      "activation=hard_swish)\n";
  const struct {
    int kernel, hidden, width, stride;
  } rows[] = {{3, 16, 16, 2},  {3, 72, 24, 2},  {3, 88, 24, 1},  {5, 96, 40, 2},
              {5, 240, 40, 1}, {5, 240, 40, 1}, {5, 120, 48, 1}, {5, 288, 96, 2}};
  int i = 0;
  int channels = 16;
  for (const auto& row : rows) {
    text += fmt::format(
        "  e{0} = conv(x{0}, filters={1}, kernel=1x1, activation=hard_swish)\n"
        "  d{0} = depthwise(e{0}, kernel={2}x{2}, stride={3}, padding=same, activation=hard_swish)\n"
        "  g{0} = gate(d{0}, hidden={1}, squeeze={4})\n  p{0} = conv(g{0}, filters={5}, kernel=1x1)\n",
        i, row.hidden, row.kernel, row.stride, row.hidden / 4, row.width);
    const bool residual = row.stride == 1 && row.width == channels;
    text += residual ? fmt::format("  x{1} = add(p{0}, x{0})\n", i, i + 1) : fmt::format("  x{1} = identity(p{0})\n", i, i + 1);
    channels = row.width;
    ++i;
  }
  return text + fmt::format("  mean = global_average_pool(x{})\n  flat = flatten()\n  y = dense(units=10)\n}}\n", i);
}

TEST(plan_memory, networks_of_other_forms_are_sound_and_small) {
  for (const std::string& text : {waves(), hourglass(), gated()}) {
    SCOPED_TRACE(text);
    const Graph graph = graph_without_weights(text);
    for (const char* target :
         {"x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-avx512_skylake-avx512-avx2-f16c-fma-avx-sse41", "x86-64-linux-sse41"}) {
      const plan::Plan plan = planned(graph, target);
      expect_sound(plan);
      EXPECT_EQ(passes::least_arena(plan), least_arena(plan));
      EXPECT_LE(static_cast<double>(plan.arena_bytes), 1.05 * static_cast<double>(least_arena(plan)));
    }
  }
}

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
