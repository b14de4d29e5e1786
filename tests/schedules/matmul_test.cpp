/// \file
/// Products of two operands of a run, as they are generated, against a plain loop in double: tiles that do not divide, batches that broadcast, one row.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

using Extents = std::vector<std::int64_t>;

/// The position of matrix number `batch` of a result with extents `result` in an operand whose batch extents are those or 1, or missing.
std::int64_t matrix_of(std::int64_t batch, const Extents& result, const Extents& operand) {
  std::int64_t position = 0, stride = 1;
  for (std::size_t d = 0; d < result.size(); ++d) {
    const std::int64_t at = batch % result[result.size() - 1 - d];
    batch /= result[result.size() - 1 - d];
    if (d >= operand.size()) continue;
    const std::int64_t extent = operand[operand.size() - 1 - d];
    position += (extent == 1 ? 0 : at) * stride;
    stride *= extent;
  }
  return position;
}

/// relu(a b + 0.5), and whether the template took it.
void expect_product_right(const Extents& a_extents, const Extents& b_extents, const std::string& schedule,
                          const std::string& target = "host", int threads = 1) {
  const std::string text = fmt::format(
      "network test(a: f32[{}], b: f32[{}]) -> y {{\n  half = constant(0.5)\n  p = matmul(a, b)\n  y = add(p, half, activation=relu)\n}}\n",
      fmt::join(a_extents, ", "), fmt::join(b_extents, ", "));
  SCOPED_TRACE(text);
  const TensorData a = random_tensor(a_extents, 1), b = random_tensor(b_extents, 2);
  const CompiledRun run = compile_and_run(graph_of(text), {a, b}, threads, target);
  EXPECT_EQ(run.schedules.front(), schedule);
  const Extents& y_extents = run.results[0].type.extents;
  const std::int64_t rows = y_extents[y_extents.size() - 2], columns = y_extents.back(), depth = a_extents.back();
  const Extents y_batch(y_extents.begin(), y_extents.end() - 2);
  std::int64_t batches = 1;
  for (const std::int64_t extent : y_batch) batches *= extent;
  std::vector<double> expected;
  for (std::int64_t n = 0; n < batches; ++n) {
    const std::int64_t left = matrix_of(n, y_batch, {a_extents.begin(), a_extents.end() - 2}) * rows * depth;
    const std::int64_t right = matrix_of(n, y_batch, {b_extents.begin(), b_extents.end() - 2}) * depth * columns;
    for (std::int64_t i = 0; i < rows; ++i) {
      for (std::int64_t j = 0; j < columns; ++j) {
        double sum = 0.5;
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += load_as_double(a, left + i * depth + k) * load_as_double(b, right + k * columns + j);
        }
        expected.push_back(std::max(0.0, sum));
      }
    }
  }
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
}

TEST(matmul, tiles_that_divide) { expect_product_right({64, 32}, {32, 128}, "matmul"); }
TEST(matmul, nothing_divides) { expect_product_right({53, 37}, {37, 41}, "matmul"); }
TEST(matmul, one_row) { expect_product_right({1, 70}, {70, 150}, "matmul"); }
TEST(matmul, few_rows) { expect_product_right({2, 5, 33}, {2, 33, 19}, "matmul"); }
TEST(matmul, columns_of_one_vector) { expect_product_right({300, 8}, {8, 16}, "matmul"); }
TEST(matmul, depth_of_one) { expect_product_right({40, 1}, {1, 40}, "matmul"); }
TEST(matmul, rows_far_apart) { expect_product_right({20, 1024}, {1024, 48}, "matmul"); }
TEST(matmul, heads) { expect_product_right({2, 3, 49, 16}, {2, 3, 16, 49}, "matmul"); }
TEST(matmul, batches_broadcast) {
  expect_product_right({3, 1, 17, 6}, {2, 6, 20}, "matmul");
  expect_product_right({18, 6}, {4, 6, 33}, "matmul");
}
TEST(matmul, many_rows_on_two_threads) { expect_product_right({1000, 24}, {24, 20}, "matmul", "host", 2); }
TEST(matmul, other_targets) {
  expect_product_right({53, 37}, {37, 41}, "matmul", "x86-64-linux-avx2-fma");
  expect_product_right({2, 9, 12}, {2, 12, 7}, "matmul", "x86-64-linux-sse41");
}
TEST(matmul, less_than_a_vector_of_columns) { expect_product_right({9, 8}, {8, 3}, "generic"); }

}  // namespace
}  // namespace calotype::testing
