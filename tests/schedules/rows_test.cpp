/// \file
/// Layers that gather from rows of numbers (schedules/cpu/rows.cpp), as they are generated, against plain loops in double: rows that end inside of a
/// vector, rows of several axes, NaN, ties, and the same bits on two threads.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

using Extents = std::vector<std::int64_t>;
using Row = std::vector<double>;
using OfRow = std::function<Row(const Row&)>;

/// `expected` of each row of `length` numbers, which lie together.
std::vector<double> by_rows(const TensorData& x, std::int64_t length, const OfRow& expected) {
  std::vector<double> all;
  for (std::int64_t begin = 0; begin < x.type.elements(); begin += length) {
    Row row;
    for (std::int64_t i = 0; i < length; ++i) row.push_back(load_as_double(x, begin + i));
    const Row result = expected(row);
    all.insert(all.end(), result.begin(), result.end());
  }
  return all;
}

CompiledRun run_layer(const std::string& layer, const TensorData& x, const std::string& target = "host", int threads = 1) {
  const std::string text = fmt::format("network test(x: f32[{}]) -> y {{\n  y = {}\n}}\n", fmt::join(x.type.extents, ", "), layer);
  return compile_and_run(graph_of(text), {x}, threads, target);
}

void expect_rows(const std::string& layer, const Extents& extents, std::int64_t length, const OfRow& expected, double bound = 2e-6) {
  SCOPED_TRACE(fmt::format("{} of {}", layer, fmt::join(extents, "x")));
  const TensorData x = random_tensor(extents, 5);
  const std::vector<double> numbers = by_rows(x, length, expected);
  for (const char* target : {"host", "x86-64-linux-avx2-fma"}) {
    const CompiledRun run = run_layer(layer, x, target);
    EXPECT_EQ(run.schedules.front(), "rows");
    EXPECT_LT(relative_error(run.results[0], numbers), bound) << target;
  }
}

double sum_of(const Row& row) { return std::accumulate(row.begin(), row.end(), 0.0); }

Row softmax(const Row& row) {
  const double largest = *std::max_element(row.begin(), row.end());
  Row result;
  for (const double number : row) result.push_back(std::exp(number - largest));
  const double sum = sum_of(result);
  for (double& number : result) number /= sum;
  return result;
}

/// Without weights.
Row normalized(const Row& row) {
  const double mean = sum_of(row) / static_cast<double>(row.size());
  double squares = 0;
  for (const double number : row) squares += (number - mean) * (number - mean);
  Row result;
  for (const double number : row) result.push_back((number - mean) / std::sqrt(squares / static_cast<double>(row.size()) + 1e-5));
  return result;
}

TEST(rows, softmax) {
  for (const std::int64_t length : {16, 17, 31, 48, 197}) expect_rows("softmax(x, axis=-1)", {3, 5, length}, length, softmax);
  expect_rows("softmax(x, axis=1)", {2, 70, 1}, 70, softmax);
}
TEST(rows, log_softmax) {
  expect_rows("log_softmax(x, axis=1)", {4, 99}, 99, [](const Row& row) {
    Row result = softmax(row);
    for (double& number : result) number = std::log(number);
    return result;
  });
}
TEST(rows, softmax_of_no_number_is_none) {
  std::vector<float> numbers(40, 0.5F);
  numbers[33] = std::numeric_limits<float>::quiet_NaN();
  const CompiledRun run = run_layer("softmax(x, axis=1)", own({ElementType::f32, {2, 20}}, std::move(numbers)));
  for (std::int64_t i = 0; i < 40; ++i) EXPECT_EQ(std::isnan(load_as_double(run.results[0], i)), i >= 20) << i;
}
TEST(rows, softmax_of_large_numbers) {
  std::vector<float> numbers(20, -1e30F);
  numbers[3] = 3e38F;
  const CompiledRun run = run_layer("softmax(x, axis=1)", own({ElementType::f32, {1, 20}}, std::move(numbers)));
  for (std::int64_t i = 0; i < 20; ++i) EXPECT_EQ(load_as_double(run.results[0], i), i == 3 ? 1 : 0);
}

TEST(rows, layer_norm) {
  expect_rows("layer_norm(x, weight=false, bias=false)", {2, 7, 96}, 96, normalized, 1e-5);
  expect_rows("layer_norm(x, axis=1, weight=false, bias=false)", {3, 5, 7, 6}, 210, normalized, 1e-5);
}
TEST(rows, rms_norm) {
  expect_rows(
      "rms_norm(x, weight=false)", {9, 45}, 45,
      [](const Row& row) {
        double squares = 0;
        for (const double number : row) squares += number * number;
        Row result;
        for (const double number : row) result.push_back(number / std::sqrt(squares / static_cast<double>(row.size()) + 1e-5));
        return result;
      },
      1e-5);
}
TEST(rows, group_and_instance_norm) {
  expect_rows("group_norm(x, groups=3, weight=false, bias=false)", {2, 12, 5, 7}, 4 * 35, normalized, 1e-5);
  expect_rows("group_norm(x, groups=1, weight=false, bias=false)", {2, 3, 4, 9}, 108, normalized, 1e-5);
  expect_rows("instance_norm(x, weight=false, bias=false)", {2, 5, 3, 7}, 21, normalized, 1e-5);
  expect_rows("instance_norm(x, weight=false, bias=false)", {1, 3, 40}, 40, normalized, 1e-5);
}

/// A scale and a shift for each channel, or each place in the row.
TEST(rows, weights_of_norms) {
  const auto weight = [](const Graph& graph, const std::string& name) {
    return std::find_if(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == name; })->data->read();
  };
  for (const bool by_channel : {true, false}) {
    const std::string layer = by_channel ? "group_norm(x, groups=2)" : "layer_norm(x, axis=-1)";
    const Extents extents = {2, 4, 3, 19};
    const Graph graph = graph_of(fmt::format("network test(x: f32[2, 4, 3, 19]) -> y {{\n  y = {}\n}}\n", layer));
    const TensorData x = random_tensor(extents, 5), scale = weight(graph, "y.weight"), shift = weight(graph, "y.bias");
    std::vector<double> expected = by_rows(x, by_channel ? 2 * 57 : 19, normalized);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const auto at = static_cast<std::int64_t>(by_channel ? i / 57 % 4 : i % 19);
      expected[i] = expected[i] * load_as_double(scale, at) + load_as_double(shift, at);
    }
    EXPECT_LT(relative_error(compile_and_run(graph, {x}).results[0], expected), 1e-5) << layer;
  }
}

TEST(rows, sums_and_means) {
  const OfRow sum = [](const Row& row) { return Row{sum_of(row)}; };
  const OfRow mean = [](const Row& row) { return Row{sum_of(row) / static_cast<double>(row.size())}; };
  expect_rows("reduce_sum(x, axes=[-1])", {6, 37}, 37, sum, 1e-5);
  expect_rows("reduce_mean(x, axes=[2, 3], keep_dims=false)", {2, 3, 5, 11}, 55, mean, 1e-5);
  expect_rows("reduce_mean(x)", {3, 4, 5}, 60, mean, 1e-5);
  expect_rows("reduce_sum(x, keep_dims=false)", {64}, 64, sum, 1e-5);
  expect_rows("global_average_pool(x)", {2, 5, 7, 7}, 49, mean, 1e-5);
  expect_rows("reduce_l1(x, axes=[1])", {4, 130}, 130, [](const Row& row) {
    return Row{std::accumulate(row.begin(), row.end(), 0.0, [](double so_far, double number) { return so_far + std::abs(number); })};
  });
  const auto squares = [](const Row& row) { return std::inner_product(row.begin(), row.end(), row.begin(), 0.0); };
  expect_rows("reduce_l2(x, axes=[1])", {4, 130}, 130, [&](const Row& row) { return Row{std::sqrt(squares(row))}; });
  expect_rows("reduce_sum_square(x, axes=[1])", {4, 130}, 130, [&](const Row& row) { return Row{squares(row)}; });
}
TEST(rows, long_sums) {
  std::vector<float> numbers(1 << 20, 0.1F);
  const CompiledRun run = run_layer("reduce_sum(x)", own({ElementType::f32, {1 << 20}}, std::move(numbers)));
  EXPECT_NEAR(load_as_double(run.results[0], 0), 0.1F * double{1 << 20}, 0.05);
}
TEST(rows, largest_and_least) {
  expect_rows("reduce_max(x, axes=[1])", {7, 35}, 35, [](const Row& row) { return Row{*std::max_element(row.begin(), row.end())}; });
  expect_rows("reduce_min(x, axes=[1])", {7, 35}, 35, [](const Row& row) { return Row{*std::min_element(row.begin(), row.end())}; });
  expect_rows("global_max_pool(x)", {2, 3, 6, 5}, 30, [](const Row& row) { return Row{*std::max_element(row.begin(), row.end())}; });
  std::vector<float> numbers(33, 1.0F);
  numbers[20] = std::numeric_limits<float>::quiet_NaN();
  const CompiledRun run = run_layer("reduce_max(x)", own({ElementType::f32, {33}}, std::move(numbers)));
  EXPECT_TRUE(std::isnan(load_as_double(run.results[0], 0)));
}

TEST(rows, places) {
  const OfRow largest = [](const Row& row) { return Row{static_cast<double>(std::max_element(row.begin(), row.end()) - row.begin())}; };
  const OfRow least = [](const Row& row) { return Row{static_cast<double>(std::min_element(row.begin(), row.end()) - row.begin())}; };
  for (const std::int64_t length : {16, 50, 129}) {
    expect_rows("arg_max(x, axis=1)", {9, length}, length, largest);
    expect_rows("arg_min(x, axis=1, keep_dims=false)", {9, length}, length, least);
  }
}
TEST(rows, places_of_equals) {
  std::vector<float> numbers(100, -1.0F);
  for (const std::size_t i : {7, 23, 39, 90}) numbers[i] = 2.0F;
  const TensorData x = own({ElementType::f32, {1, 100}}, std::move(numbers));
  EXPECT_EQ(load_as_double(run_layer("arg_max(x, axis=1)", x).results[0], 0), 7);
  EXPECT_EQ(load_as_double(run_layer("arg_max(x, axis=1, select_last_index=true)", x).results[0], 0), 90);
  EXPECT_EQ(load_as_double(run_layer("arg_min(x, axis=1, select_last_index=true)", x).results[0], 0), 99);
}
TEST(rows, the_first_nan_is_the_largest) {
  std::vector<float> numbers(64, 5.0F);
  numbers[21] = numbers[50] = std::numeric_limits<float>::quiet_NaN();
  const TensorData x = own({ElementType::f32, {1, 64}}, std::move(numbers));
  EXPECT_EQ(load_as_double(run_layer("arg_max(x, axis=1)", x).results[0], 0), 21);
}

TEST(rows, same_bits_on_two_threads) {
  const TensorData x = random_tensor({300, 205}, 9);
  for (const char* layer : {"softmax(x, axis=1)", "layer_norm(x)", "reduce_mean(x, axes=[1])"}) {
    const CompiledRun one = run_layer(layer, x), two = run_layer(layer, x, "host", 2);
    EXPECT_TRUE(std::equal(one.results[0].bytes.begin(), one.results[0].bytes.end(), two.results[0].bytes.begin())) << layer;
  }
}

/// An operand that the layers after it read too, as it lies.
TEST(rows, operand_read_again) {
  const TensorData x = random_tensor({5, 40}, 3);
  const CompiledRun run = compile_and_run(graph_of("network test(x: f32[5, 40]) -> y {\n  p = softmax(x)\n  y = mul(p, x)\n}\n"), {x});
  std::vector<double> expected = by_rows(x, 40, softmax);
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] *= load_as_double(x, static_cast<std::int64_t>(i));
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
}

TEST(rows, rows_shorter_than_a_vector_are_left_to_others) {
  const TensorData x = random_tensor({50, 3}, 3);
  const CompiledRun run = run_layer("softmax(x)", x);
  EXPECT_EQ(run.schedules.front(), "generic");
  EXPECT_LT(relative_error(run.results[0], by_rows(x, 3, softmax)), 2e-6);
}

}  // namespace
}  // namespace calotype::testing
