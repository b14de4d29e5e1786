/// \file
/// Strassen's seven products as they are generated, against a plain matrix product in double: strips, halves that overlap, rows in place of
/// flattened cells, epilogues, instruction sets, threads. The error is held to three times what is seen, a hundredth of what --accuracy fast allows.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

constexpr double bound = 1e-5;

struct Pointwise {
  std::int64_t batch = 1, channels = 256, filters = 256, rows = 14, columns = 14;
};

TensorData weight_named(const Graph& graph, const std::string& name) {
  const auto has_name = [&](const Value& value) { return value.name == name; };
  return std::find_if(graph.values.begin(), graph.values.end(), has_name)->data->read();
}

/// The 1x1 convolution by its definition.
std::vector<double> plain(const Pointwise& c, const TensorData& x, const TensorData& weight, const TensorData& bias) {
  const std::int64_t cells = c.rows * c.columns;
  std::vector<double> result;
  for (std::int64_t n = 0; n < c.batch; ++n) {
    for (std::int64_t o = 0; o < c.filters; ++o) {
      std::vector<double> sums(static_cast<std::size_t>(cells), load_as_double(bias, o));
      for (std::int64_t i = 0; i < c.channels; ++i) {
        const double factor = load_as_double(weight, o * c.channels + i);
        for (std::int64_t cell = 0; cell < cells; ++cell) {
          sums[static_cast<std::size_t>(cell)] += factor * load_as_double(x, (n * c.channels + i) * cells + cell);
        }
      }
      result.insert(result.end(), sums.begin(), sums.end());
    }
  }
  return result;
}

std::string signature(const Pointwise& c, const std::string& results = "y") {
  return fmt::format("network test(x: f32[{}, {}, {}, {}]) -> {} ", c.batch, c.channels, c.rows, c.columns, results);
}

bool uses_strassen(const CompiledRun& run) {
  return std::find(run.schedules.begin(), run.schedules.end(), "strassen") != run.schedules.end();
}

void expect_right(const Pointwise& c, const std::string& target = "host", int threads = 1) {
  const std::string text = signature(c) + fmt::format("{{\n  y = conv(x, filters={}, kernel=1x1)\n}}\n", c.filters);
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text);
  const TensorData x = random_tensor({c.batch, c.channels, c.rows, c.columns}, 7);
  const CompiledRun run = compile_and_run(graph, {x}, threads, target);
  EXPECT_TRUE(uses_strassen(run));
  EXPECT_LT(relative_error(run.results[0], plain(c, x, weight_named(graph, "y.weight"), weight_named(graph, "y.bias"))), bound);
}

TEST(strassen, one_strip) { expect_right({}); }
TEST(strassen, halves_that_share_a_cell) { expect_right({.rows = 13, .columns = 13}); }
TEST(strassen, several_strips_are_tasks) { expect_right({.channels = 128, .filters = 256, .rows = 56, .columns = 32}, "host", 2); }
TEST(strassen, parts_of_an_only_strip_are_tasks) {
  expect_right({.channels = 512, .filters = 128}, "host", 2);
  expect_right({.channels = 512, .filters = 128, .rows = 18, .columns = 11}, "host", 2);  // the last part is shorter
}
TEST(strassen, few_strips) { expect_right({.rows = 28, .columns = 14}); }
TEST(strassen, batch) { expect_right({.batch = 3, .channels = 192, .filters = 320, .rows = 8, .columns = 16}); }
TEST(strassen, narrower_vectors) {
  for (const char* target : {"x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-sse41"})
    expect_right({.rows = 8, .columns = 17}, target);
}

TEST(strassen, few_channels_or_cells_are_summed_directly) {
  for (const Pointwise& c : {Pointwise{.channels = 64}, Pointwise{.filters = 64}, Pointwise{.rows = 7, .columns = 7}}) {
    const Graph graph = graph_of(signature(c) + fmt::format("{{\n  y = conv(x, filters={}, kernel=1x1)\n}}\n", c.filters));
    EXPECT_FALSE(uses_strassen(compile_and_run(graph, {random_tensor({c.batch, c.channels, c.rows, c.columns}, 7)})));
  }
}

/// The second convolution wants a halo around what the first one writes, so its cells cannot be walked as one dimension; an odd number of rows overlaps.
/// Threads do not change a bit.
TEST(strassen, rows_epilogue_and_threads) {
  const Pointwise c{.rows = 15, .columns = 11};
  const Graph graph = graph_of(signature(c, "y, z") +
                               "{\n  a = conv(x, filters=256, kernel=1x1)\n  s = add(a, x, activation=relu)\n"
                               "  z = conv(s, filters=16, kernel=3x3, stride=2, padding=1)\n  y = global_max_pool(s)\n}\n");
  const TensorData x = random_tensor({c.batch, c.channels, c.rows, c.columns}, 7);
  const CompiledRun run = compile_and_run(graph, {x});
  EXPECT_TRUE(uses_strassen(run));
  const std::vector<double> sums = plain(c, x, weight_named(graph, "a.weight"), weight_named(graph, "a.bias"));
  std::vector<double> expected(static_cast<std::size_t>(c.filters), 0.0);
  for (std::size_t i = 0; i < sums.size(); ++i) {
    double& largest = expected[i / static_cast<std::size_t>(c.rows * c.columns)];
    largest = std::max(largest, sums[i] + load_as_double(x, static_cast<std::int64_t>(i)));
  }
  EXPECT_LT(relative_error(run.results[0], expected), bound);
  for (const int threads : {2, 3}) {
    const CompiledRun other = compile_and_run(graph, {x}, threads);
    EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin()));
  }
}

}  // namespace
}  // namespace calotype::testing
