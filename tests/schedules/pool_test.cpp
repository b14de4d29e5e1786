/// \file
/// Pools of channel-blocked data as they are generated, against a plain loop over the operand that the same run gives: windows that leave the
/// operand on either side, ceil, dilation, rows that no tile divides, one to three dimensions, NaN.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

using List = std::vector<std::int64_t>;

struct PoolCase {
  List shape = {1, 19, 9, 11};
  List kernel = {3, 3}, stride = {2, 2};
  List begin = {0, 0}, end = {0, 0};
  std::int64_t dilation = 1;
  bool ceil = false;
  bool count_padding = false;
  std::string schedule = "pool";
};

bool advance(List& index, const List& extents) {
  for (std::size_t i = index.size(); i-- > 0;) {
    if (++index[i] < extents[i]) return true;
    index[i] = 0;
  }
  return false;
}

std::int64_t flat(const List& index, const List& extents) {
  std::int64_t position = 0;
  for (std::size_t i = 0; i < index.size(); ++i) position = position * extents[i] + index[i];
  return position;
}

/// One number for each window: its maximum or its mean.
std::vector<double> plain(const PoolCase& c, const TensorData& x, const List& output, bool average) {
  std::vector<double> result;
  List at(output.size(), 0);
  do {
    double sum = 0, largest = -std::numeric_limits<double>::infinity();
    std::int64_t inside = 0, padded = 0;
    bool has_nan = false;
    List k(c.kernel.size(), 0);
    do {
      List from = {at[0], at[1]};
      bool is_inside = true, is_padded = true;
      for (std::size_t d = 0; d < k.size(); ++d) {
        from.push_back(at[d + 2] * c.stride[d] + k[d] * c.dilation - c.begin[d]);
        is_inside = is_inside && from.back() >= 0 && from.back() < c.shape[d + 2];
        is_padded = is_padded && from.back() < c.shape[d + 2] + c.end[d];
      }
      padded += is_padded ? 1 : 0;
      if (!is_inside) continue;
      const double element = load_as_double(x, flat(from, c.shape));
      has_nan = has_nan || std::isnan(element);
      largest = std::max(largest, element);
      sum += element;
      ++inside;
    } while (advance(k, c.kernel));
    const double mean = sum / static_cast<double>(std::max<std::int64_t>(1, c.count_padding ? padded : inside));
    result.push_back(average ? mean : has_nan ? std::nan("") : largest);
  } while (advance(at, output));
  return result;
}

void expect_right(const PoolCase& c, bool average) {
  List cells = c.begin;
  cells.insert(cells.end(), c.end.begin(), c.end.end());
  // Something whose result lies in channel blocks.
  const std::string producer = c.shape.size() < 5 ? "depthwise(x, kernel=1)" : fmt::format("conv(x, filters={}, kernel=1)", c.shape[1]);
  const std::string text = fmt::format(
      "network test(x: f32[{}]) -> a, y {{\n  a = {}\n  y = {}(a, kernel=[{}], stride=[{}], padding=[{}], "
      "dilation={}, "
      "ceil={}{})\n}}\n",
      fmt::join(c.shape, ", "), producer, average ? "average_pool" : "max_pool", fmt::join(c.kernel, ", "), fmt::join(c.stride, ", "),
      fmt::join(cells, ", "), c.dilation, c.ceil, c.count_padding ? ", count_padding=true" : "");
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text);
  const TensorData random = random_tensor(c.shape, 5);
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < random.type.elements(); ++i) numbers.push_back(static_cast<float>(load_as_double(random, i)));
  numbers[numbers.size() / 2] = std::numeric_limits<float>::quiet_NaN();
  const TensorData x = own(random.type, std::move(numbers));
  for (const char* target : {"host", "x86-64-linux-sse41"}) {
    const CompiledRun run = compile_and_run(graph, {x}, 2, target);
    EXPECT_TRUE(std::find(run.schedules.begin(), run.schedules.end(), c.schedule) != run.schedules.end())
        << "expected the template " << c.schedule;
    const std::vector<double> expected = plain(c, run.results[0], run.results[1].type.extents, average);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double actual = load_as_double(run.results[1], static_cast<std::int64_t>(i));
      ASSERT_EQ(std::isnan(actual), std::isnan(expected[i])) << target << " at " << i;
      if (!std::isnan(actual)) {
        ASSERT_NEAR(actual, expected[i], average ? 1e-5 : 0) << target << " at " << i;
      }
    }
  }
}

void expect_both(const PoolCase& c) {
  expect_right(c, false);
  expect_right(c, true);
}

TEST(pool, without_padding) { expect_both({}); }
TEST(pool, halves_of_a_batch) { expect_both({.shape = {2, 16, 8, 14}, .kernel = {2, 2}}); }
TEST(pool, padding_on_both_sides) { expect_both({.kernel = {3, 3}, .stride = {1, 1}, .begin = {1, 1}, .end = {1, 1}}); }
TEST(pool, padding_on_one_side) { expect_both({.shape = {1, 33, 10, 17}, .begin = {0, 1}, .end = {1, 0}}); }
TEST(pool, beyond_the_padding) { expect_both({.shape = {1, 16, 10, 12}, .kernel = {3, 3}, .begin = {1, 0}, .end = {1, 0}, .ceil = true}); }
TEST(pool, wider_than_the_operand) {
  expect_both({.shape = {1, 16, 3, 2}, .kernel = {5, 5}, .stride = {1, 1}, .begin = {2, 2}, .end = {2, 2}});
}
TEST(pool, one_dimension) { expect_both({.shape = {1, 17, 31}, .kernel = {4}, .stride = {3}, .begin = {1}, .end = {2}}); }
TEST(pool, three_dimensions) {
  expect_both({.shape = {1, 16, 4, 5, 9}, .kernel = {2, 3, 2}, .stride = {2, 1, 2}, .begin = {0, 1, 1}, .end = {0, 1, 1}});
}
TEST(pool, padding_counts_for_the_mean) {
  expect_right({.stride = {1, 2}, .begin = {1, 1}, .end = {1, 2}, .count_padding = true}, true);
  expect_right({.shape = {1, 16, 10, 12}, .begin = {1, 0}, .end = {1, 0}, .ceil = true, .count_padding = true}, true);
}
TEST(pool, dilated) { expect_both({.shape = {1, 16, 13, 13}, .dilation = 2}); }
TEST(pool, dilated_beyond_the_edge) {
  expect_right({.begin = {1, 1}, .end = {1, 1}, .dilation = 2, .schedule = "generic"}, false);
  expect_right({.begin = {1, 1}, .end = {1, 1}, .dilation = 2}, true);
}

}  // namespace
}  // namespace calotype::testing
