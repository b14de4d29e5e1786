/// \file
/// Pools and global pools.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

LayerCase by_hand(std::string statement, std::vector<std::int64_t> extents, TensorData expected) {
  LayerCase layer_case;
  layer_case.description = "by hand";
  layer_case.statement = std::move(statement);
  layer_case.inputs = {{"x", arange(std::move(extents))}};
  layer_case.expected = {std::move(expected)};
  layer_case.tolerance = 0;
  return layer_case;
}

TEST(max_pool, two_by_two_on_arange_9) {
  expect_definition_agrees(by_hand("max_pool(x, kernel=2x2, stride=1)", {1, 1, 3, 3}, tensor({1, 1, 2, 2}, {4, 5, 7, 8})));
}

TEST(average_pool, two_by_two_on_arange_9) {
  expect_definition_agrees(by_hand("average_pool(x, kernel=2x2, stride=1)", {1, 1, 3, 3}, tensor({1, 1, 2, 2}, {2, 3, 5, 6})));
}

TEST(average_pool, divides_by_the_cells_that_are_there) {
  // Windows (pad, 0), (1, 2), (3, pad): one, two and one cell; with count_padding always two.
  expect_definition_agrees(by_hand("average_pool(x, kernel=2, padding=1)", {1, 1, 4}, tensor({1, 1, 3}, {0, 1.5, 3})));
  expect_definition_agrees(
      by_hand("average_pool(x, kernel=2, padding=1, count_padding=true)", {1, 1, 4}, tensor({1, 1, 3}, {0, 1.5, 1.5})));
}

TEST(average_pool, ceil_counts_no_cell_beyond_the_padding) {
  // (0, 1), (2, 3), (4, beyond).
  expect_definition_agrees(by_hand("average_pool(x, kernel=2, ceil=true)", {1, 1, 5}, tensor({1, 1, 3}, {0.5, 2.5, 4})));
  expect_definition_agrees(
      by_hand("average_pool(x, kernel=2, ceil=true, count_padding=true)", {1, 1, 5}, tensor({1, 1, 3}, {0.5, 2.5, 4})));
}

TEST(average_pool, a_window_in_the_padding_alone_is_zero) {
  expect_definition_agrees(by_hand("average_pool(x, kernel=1, padding=1)", {1, 1, 2}, tensor({1, 1, 4}, {0, 0, 1, 0})));
}

TEST(max_pool, ceil_drops_a_window_that_begins_in_the_padding) {
  // Cells -1 to 5: windows begin at -1 and 2; a third would begin at 5, in the padding at the end.
  const Graph graph = build_graph(by_hand("max_pool(x, kernel=2, stride=3, padding=1, ceil=true)", {1, 1, 5}, arange({1})));
  EXPECT_EQ(graph.value(graph.results.front().value).type.extents, (std::vector<std::int64_t>{1, 1, 2}));
  const Graph one_more = build_graph(by_hand("max_pool(x, kernel=3, stride=3, padding=1, ceil=true)", {1, 1, 6}, arange({1})));
  EXPECT_EQ(one_more.value(one_more.results.front().value).type.extents, (std::vector<std::int64_t>{1, 1, 3}));
}

TEST(global_average_pool, keeps_extents_of_one) {
  expect_definition_agrees(by_hand("global_average_pool(x)", {1, 2, 2, 2}, tensor({1, 2, 1, 1}, {1.5, 5.5})));
  expect_definition_agrees(by_hand("global_max_pool(x)", {1, 2, 2, 2}, tensor({1, 2, 1, 1}, {3, 7})));
}

TEST(pools, errors) {
  const std::vector<NamedTensor> x = {{"x", arange({1, 4, 2, 5})}};
  EXPECT_THAT(build_error("max_pool(x, kernel=3)", x), HasSubstr("kernel 3x3 does not fit the 2x5 of x"));
  EXPECT_THAT(build_error("max_pool(x)", x), HasSubstr("max_pool needs the argument 'kernel'"));
  EXPECT_THAT(build_error("max_pool(x, kernel=2, count_padding=true)", x), HasSubstr("unknown argument 'count_padding'"));
  EXPECT_THAT(build_error("max_pool(x, kernel=2, padding=-1)", x), HasSubstr("must not be negative"));
  EXPECT_THAT(build_error("global_average_pool(x)", {{"x", arange({3, 4})}}), HasSubstr("at least one spatial dimension"));
  EXPECT_THAT(build_error("average_pool(x, kernel=2)", {{"x", pattern({ElementType::u8, {1, 1, 4, 4}}, 1)}}), HasSubstr("cast(type=f32)"));
}

CALOTYPE_LAYER_CASES(average_pool);
CALOTYPE_LAYER_CASES(global_pool);
CALOTYPE_LAYER_CASES(max_pool);

}  // namespace
}  // namespace calotype::testing
