/// \file
/// Where values are copied and where not. After the pass every step must read what an earlier one wrote, whatever the graph.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "planned.h"
#include "small_graphs.h"

namespace calotype::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

plan::Plan reordered(const std::string& header, const std::string& body) {
  plan::Plan plan = planned(small_graph(header, body), "x86-64-linux-avx2-f16c-fma-avx-sse41");
  expect_steps_are_valid(plan);
  return plan;
}

/// The copies: "x: planar -> blocked8".
std::vector<std::string> copies_of(const plan::Plan& plan) {
  std::vector<std::string> list;
  for (const plan::Kernel& kernel : plan.kernels) {
    if (!kernel.ops.empty()) continue;
    list.push_back(fmt::format("{}: {} -> {}", plan.graph.value(kernel.output_value).name, to_text(plan.buffer(kernel.inputs[0]).layout),
                               to_text(plan.buffer(kernel.output).layout)));
  }
  return list;
}

int halos_zeroed(const plan::Plan& plan) {
  return static_cast<int>(
      std::count_if(plan.steps.begin(), plan.steps.end(), [](const plan::Step& step) { return step.kind == plan::Step::Kind::zero_halo; }));
}

TEST(insert_reorders, none_between_layers_of_one_layout) {
  const plan::Plan plan = reordered("test(x: f32[1, 8, 6, 6]) -> y", "  a = relu(x)\n  b = max_pool(a, kernel=2)\n  y = softmax(b)");
  EXPECT_THAT(copies_of(plan), IsEmpty());
  EXPECT_EQ(plan.kernels.size(), 3U);
}

TEST(insert_reorders, between_the_callers_layout_and_blocks) {
  const plan::Plan plan = reordered("test(x: f32[1, 16, 6, 6]) -> y",
                                    "  a = conv(x, filters=16, kernel=1x1)\n  b = conv(a, filters=12, kernel=1x1)\n  y = relu(b)");
  EXPECT_THAT(copies_of(plan), ElementsAre("x: planar -> blocked8", "y: blocked8 -> planar"));
}

/// The first layer reads few channels as the caller has them and minds the edges itself; what has more channels is copied into blocks, and
/// then with a halo.
TEST(insert_reorders, the_callers_buffer_needs_no_halo) {
  const plan::Plan few = reordered("test(x: f32[1, 3, 6, 6]) -> y", "  y = conv(x, filters=16, kernel=3x3, padding=1)");
  EXPECT_THAT(copies_of(few), ElementsAre("y: blocked8 -> planar"));
  EXPECT_EQ(halos_zeroed(few), 0);
  const plan::Plan many = reordered("test(x: f32[1, 16, 6, 6]) -> y", "  y = conv(x, filters=16, kernel=3x3, stride=2, padding=1)");
  EXPECT_THAT(copies_of(many), ElementsAre("x: planar -> blocked8 halo [1, 1]+[0, 0]", "y: blocked8 -> planar"));
  EXPECT_EQ(halos_zeroed(many), 1);
}

/// A halo inside the network is written by the producer, once, with the largest extent that any reader wants.
TEST(insert_reorders, readers_with_different_halos_share_one_buffer) {
  const plan::Plan plan = reordered(
      "test(x: f32[1, 16, 9, 9]) -> y",
      "  a = conv(x, filters=16, kernel=1x1)\n  b = conv(a, filters=16, kernel=3x3, padding=1)\n"
      "  c = conv(a, filters=16, kernel=5x5, padding=2)\n  d = conv(a, filters=16, kernel=1x1)\n  e = add(b, c)\n  y = add(e, d)");
  EXPECT_THAT(copies_of(plan), ElementsAre("x: planar -> blocked8", "y: blocked8 -> planar"));
  EXPECT_EQ(halos_zeroed(plan), 1);
  for (const plan::Kernel& kernel : plan.kernels) {
    if (kernel.name == "a") {
      EXPECT_EQ(to_text(plan.buffer(kernel.output).layout), "blocked8 halo [2, 2]+[5, 3]") << "tiles of the 5x5 layer hang over the map";
    }
  }
}

/// [1, C, 1, 1] lies the same in every family as long as the blocks are full: pool, flatten and dense need no copy.
TEST(insert_reorders, flatten_of_one_cell_is_free) {
  const plan::Plan plan =
      reordered("test(x: f32[1, 16, 6, 6]) -> y",
                "  a = conv(x, filters=32, kernel=1x1)\n  p = global_average_pool(a)\n  f = flatten(p)\n  y = dense(f, units=5)");
  EXPECT_THAT(copies_of(plan), ElementsAre("x: planar -> blocked8"));
}

TEST(insert_reorders, flatten_of_planar_data_is_free) {
  const plan::Plan plan = reordered("test(x: f32[2, 3, 5, 4]) -> y", "  a = relu(x)\n  f = flatten(a)\n  y = dense(f, units=5)");
  EXPECT_THAT(copies_of(plan), IsEmpty());
}

/// A result is the caller's memory: an alias cannot fill it.
TEST(insert_reorders, flatten_as_result_is_a_copy) {
  EXPECT_THAT(copies_of(reordered("test(x: f32[2, 3, 5, 4]) -> f", "  a = relu(x)\n  f = flatten(a)")), ElementsAre("f: planar -> planar"));
}

TEST(insert_reorders, input_as_result) {
  const plan::Plan plan = reordered("test(x: f32[1, 3, 4, 4]) -> x, y", "  y = relu(x)");
  EXPECT_THAT(copies_of(plan), ElementsAre("x: planar -> planar"));
}

TEST(insert_reorders, channels_last_input_as_planar_result) {
  EXPECT_THAT(copies_of(reordered("test(x: f32[1, 4, 5, 3] channels_last) -> y: f32[1, 3, 4, 5]", "  y = identity(x)")),
              ElementsAre("x: channels_last -> planar"));
}

TEST(insert_reorders, one_value_as_two_results) {
  const plan::Plan plan = reordered("test(x: f32[1, 3, 4, 4]) -> y, z: f32[1, 4, 4, 3] channels_last", "  y = relu(x)\n  z = identity(y)");
  EXPECT_THAT(copies_of(plan), ElementsAre("y: planar -> channels_last"));
}

TEST(insert_reorders, constant_as_result) {
  const plan::Plan plan = reordered("test(x: f32[1, 3]) -> y, c", "  c = constant([[1, 2, 3]])\n  y = relu(x)");
  EXPECT_THAT(copies_of(plan), ElementsAre("c: planar -> planar"));
  EXPECT_GE(plan.weight_bytes, 3 * 4);
}

/// The convolution has its own packed copy, from which nothing could be restored.
TEST(insert_reorders, packed_weight_as_result) {
  const plan::Plan plan = reordered("test(x: f32[1, 3, 4, 4]) -> y, w", "  w = parameter(f32[8, 3, 1, 1])\n  y = conv(x, w, bias=false)");
  EXPECT_THAT(copies_of(plan), ElementsAre("y: blocked8 -> planar", "w: planar -> planar"));
}

TEST(insert_reorders, result_that_other_layers_read) {
  const plan::Plan plan = reordered("test(x: f32[1, 3, 4, 4]) -> a, f, y", "  a = relu(x)\n  f = flatten(a)\n  y = dense(f, units=2)");
  EXPECT_THAT(copies_of(plan), ElementsAre("f: planar -> planar"));
}

/// Between the image and the scores nothing is copied but the last map, where its channels do not fill their blocks.
TEST(insert_reorders, sample_networks_copy_at_their_ends_only) {
  for (const std::string& name : sample_networks()) {
    SCOPED_TRACE(name);
    const plan::Plan plan = planned(sample_network(name), "x86-64-linux-avx2-f16c-fma-avx-sse41");
    expect_steps_are_valid(plan);
    EXPECT_LE(copies_of(plan).size(), 2U);
  }
}

}  // namespace
}  // namespace calotype::testing
