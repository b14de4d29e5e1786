/// \file
/// Copies that turn rows into columns (schedules/cpu/permute.cpp), as they are generated, against plain loops: extents that squares do not divide, channel
/// blocks that are not full, halos, batches, other types than f32, and what is left to the generic schedule.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

using Extents = std::vector<std::int64_t>;

constexpr const char* targets[] = {"host", "x86-64-linux-avx2-fma", "x86-64-linux-sse41"};

/// The numbers of x in the order of its transpose.
std::vector<double> transposed(const TensorData& x, const std::vector<std::size_t>& order) {
  const Extents& extents = x.type.extents;
  Extents strides(extents.size(), 1);
  for (std::size_t d = extents.size() - 1; d > 0; --d) strides[d - 1] = strides[d] * extents[d];
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < x.type.elements(); ++i) {
    std::int64_t rest = i, from = 0;
    for (std::size_t d = order.size(); d-- > 0;) {
      from += rest % extents[order[d]] * strides[order[d]];
      rest /= extents[order[d]];
    }
    numbers.push_back(load_as_double(x, from));
  }
  return numbers;
}

void expect_equal(const TensorData& actual, const std::vector<double>& expected) {
  ASSERT_EQ(actual.type.elements(), static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (load_as_double(actual, static_cast<std::int64_t>(i)) != expected[i]) FAIL() << "differs at " << i;
  }
}

void expect_transpose(const Extents& extents, const std::vector<std::size_t>& order, const std::string& schedule, int threads = 1) {
  const std::string text = fmt::format("network test(x: f32[{}]) -> y {{\n  y = transpose(x, order=[{}])\n}}\n", fmt::join(extents, ", "),
                                       fmt::join(order, ", "));
  SCOPED_TRACE(text);
  const TensorData x = random_tensor(extents, 4);
  for (const char* target : targets) {
    const CompiledRun run = compile_and_run(graph_of(text), {x}, threads, target);
    EXPECT_EQ(run.schedules.front(), schedule);
    expect_equal(run.results[0], transposed(x, order));
  }
}

TEST(permute, matrices) {
  expect_transpose({32, 48}, {1, 0}, "permute");
  expect_transpose({17, 16}, {1, 0}, "permute");
  expect_transpose({53, 37}, {1, 0}, "permute");
}
TEST(permute, many_squares_on_two_threads) { expect_transpose({300, 211}, {1, 0}, "permute", 2); }
TEST(permute, batches_of_matrices) { expect_transpose({3, 2, 19, 40}, {0, 1, 3, 2}, "permute"); }
TEST(permute, rows_far_apart) { expect_transpose({2, 21, 3, 18}, {0, 2, 3, 1}, "permute"); }
TEST(permute, everything_reversed) { expect_transpose({17, 2, 3, 20}, {3, 2, 1, 0}, "permute"); }
TEST(permute, channels_first_of_small_pictures) { expect_transpose({2, 5, 7, 24}, {0, 3, 1, 2}, "permute"); }
TEST(permute, rows_that_stay_rows) { expect_transpose({4, 6, 5, 33}, {0, 2, 1, 3}, "generic"); }
TEST(permute, too_narrow) { expect_transpose({3, 50}, {1, 0}, "generic"); }

TEST(permute, integers) {
  const Graph graph = graph_of("network test(x: i32[18, 35]) -> y {\n  y = transpose(x)\n}\n");
  std::vector<std::int32_t> numbers(18 * 35);
  std::iota(numbers.begin(), numbers.end(), -100);
  numbers[77] = 0x7F800001;  // as f32 a signalling NaN
  const TensorData x = own({ElementType::i32, {18, 35}}, std::move(numbers));
  expect_equal(compile_and_run(graph, {x}).results[0], transposed(x, {1, 0}));
}

TEST(permute, channels_last_to_planar) {
  const Graph graph = graph_of("network test(x: f32[2, 9, 8, 21] channels_last) -> y {\n  y = flatten(x)\n}\n");
  const TensorData x = random_tensor({2, 21, 9, 8}, 6);
  std::vector<double> expected(static_cast<std::size_t>(x.type.elements()));
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = load_as_double(x, static_cast<std::int64_t>(i));
  for (const char* target : targets) expect_equal(compile_and_run(graph, {x}, 1, target).results[0], expected);
}

/// A depthwise layer runs on channel blocks: its operand and its result are copied. It adds nothing but a 1 to each number.
TEST(permute, to_channel_blocks_and_back) {
  for (const Extents& extents : {Extents{1, 32, 5, 7}, {2, 21, 4, 9}, {1, 5, 1, 50}, {3, 16, 3, 3}, {1, 40, 33}}) {
    const std::string kernel = extents.size() == 4 ? "1x1" : "[1]";
    const std::string weight = extents.size() == 4 ? "[[[[1]]]]" : "[[[1]]]";
    const std::string text = fmt::format("network test(x: f32[{}]) -> y {{\n  y = depthwise(x, kernel={}, weight={}, bias=[1])\n}}\n",
                                         fmt::join(extents, ", "), kernel, weight);
    SCOPED_TRACE(text);
    const TensorData x = random_tensor(extents, 8);
    std::vector<double> expected;
    for (std::int64_t i = 0; i < x.type.elements(); ++i) expected.push_back(static_cast<float>(load_as_double(x, i)) + 1.0F);
    for (const char* target : targets) {
      const CompiledRun run = compile_and_run(graph_of(text), {x}, 1, target);
      EXPECT_EQ(run.schedules.front(), "permute");
      expect_equal(run.results[0], expected);
    }
  }
}

/// `a` lies with a halo, for the convolution, and is a result.
TEST(permute, out_of_a_halo) {
  const Graph graph = graph_of(
      "network test(x: f32[1, 19, 6, 21]) -> a, y {\n  a = depthwise(x, kernel=1x1, weight=[[[[1]]]], bias=[1])\n"
      "  y = conv(a, filters=8, kernel=3x3, padding=[1, 2, 1, 0])\n}\n");
  const TensorData x = random_tensor({1, 19, 6, 21}, 8);
  std::vector<double> expected;
  for (std::int64_t i = 0; i < x.type.elements(); ++i) expected.push_back(static_cast<float>(load_as_double(x, i)) + 1.0F);
  for (const char* target : targets) expect_equal(compile_and_run(graph, {x}, 1, target).results[0], expected);
}

}  // namespace
}  // namespace calotype::testing
