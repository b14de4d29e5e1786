/// \file
/// dense, matmul and conv_transpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

LayerCase by_hand(std::string statement, std::vector<NamedTensor> inputs, TensorData expected) {
  LayerCase layer_case;
  layer_case.description = "by hand";
  layer_case.statement = std::move(statement);
  layer_case.inputs = std::move(inputs);
  layer_case.expected = {std::move(expected)};
  layer_case.tolerance = 0;
  return layer_case;
}

TEST(dense, two_units_on_arange_3) {
  expect_definition_agrees(by_hand("dense(x, units=2, weight=[[1, 1, 1], [0, 0, 2]], bias=[0.5, -1])", {{"x", arange({1, 3})}},
                                   tensor({1, 2}, {0 + 1 + 2 + 0.5, 2 * 2 - 1})));
}

TEST(dense, counts_in_words) {
  const LayerCase layer_case = by_hand("dense(x, units=1000)", {{"x", arange({1, 512})}}, arange({1, 1000}));
  const Graph graph = build_graph(layer_case);
  const layers::Layer& layer = *layers::find_layer("dense");
  const layers::Call call(layer, graph, graph.ops.front());
  EXPECT_EQ(layer.explain(call), "1,000 units x 512 inputs = 512,000 weights + 1,000 biases");
  EXPECT_EQ(layer.multiply_adds(call), 512000);
}

TEST(dense, wants_units_and_features) {
  EXPECT_THAT(build_error("dense(x)", {{"x", arange({1, 3})}}), HasSubstr("dense needs the argument 'units'"));
  EXPECT_THAT(build_error("dense(x, units=0)", {{"x", arange({1, 3})}}), HasSubstr("'units' must be at least 1, not 0"));
  EXPECT_THAT(build_error("dense(x, units=2)", {{"x", arange({})}}), HasSubstr("at least one dimension"));
  EXPECT_THAT(build_error("dense(x, w)", {{"x", arange({1, 3})}, {"w", arange({2, 4})}}), HasSubstr("must be f32[2, 3]"));
}

TEST(matmul, two_by_two) {
  expect_definition_agrees(by_hand("matmul(a, b)", {{"a", arange({2, 2})}, {"b", arange({2, 2})}}, tensor({2, 2}, {2, 3, 6, 11})));
}

TEST(matmul, says_what_does_not_meet) {
  EXPECT_THAT(build_error("matmul(a, b)", {{"a", arange({2, 3})}, {"b", arange({2, 3})}}), HasSubstr("rows of 3 meet columns of 2"));
  EXPECT_THAT(build_error("matmul(a, b)", {{"a", arange({2, 1, 3})}, {"b", arange({3, 3, 1})}}), HasSubstr("must be equal or 1"));
}

TEST(conv_transpose, one_cell_prints_its_kernel) {
  expect_definition_agrees(by_hand("conv_transpose(x, filters=1, kernel=2x2, stride=2, bias=false, weight=[[[[1, 2], [3, 4]]]])",
                                   {{"x", tensor({1, 1, 1, 2}, {1, 10})}}, tensor({1, 1, 2, 4}, {1, 2, 10, 20, 3, 4, 30, 40})));
}

TEST(conv_transpose, same_multiplies_extents_by_the_stride) {
  for (const char* statement :
       {"conv_transpose(x, filters=2, kernel=3, stride=2, padding=same)", "conv_transpose(x, filters=2, kernel=1, stride=2, padding=same)",
        "conv_transpose(x, filters=2, kernel=5, stride=2, padding=same_lower)"}) {
    const Graph graph = build_graph(by_hand(statement, {{"x", arange({1, 3, 4, 7})}}, arange({1})));
    EXPECT_EQ(graph.values.back().typed, true);
    EXPECT_EQ(graph.value(graph.results.front().value).type, (TensorType{ElementType::f32, {1, 2, 8, 14}})) << statement;
  }
}

TEST(conv_transpose, counts) {
  const Graph graph =
      build_graph(by_hand("conv_transpose(x, filters=6, kernel=3, stride=2, groups=2)", {{"x", arange({1, 4, 5, 7})}}, arange({1})));
  const layers::Layer& layer = *layers::find_layer("conv_transpose");
  const layers::Call call(layer, graph, graph.ops.front());
  EXPECT_EQ(layer.explain(call), "4 channels x 3 filters of each group x 3x3 = 108 weights + 6 biases");
  EXPECT_EQ(layer.multiply_adds(call), 4 * 5 * 7 * 3 * 9);
}

TEST(conv_transpose, errors) {
  const std::vector<NamedTensor> x = {{"x", arange({1, 4, 2, 2})}};
  EXPECT_THAT(build_error("conv_transpose(x, filters=2, kernel=2, stride=2, output_padding=2)", x),
              HasSubstr("must be less than the stride (2)"));
  EXPECT_THAT(build_error("conv_transpose(x, filters=2, kernel=2, padding=2)", x), HasSubstr("takes away more than the 3 cells"));
  EXPECT_THAT(build_error("conv_transpose(x, filters=2, kernel=2, groups=3)", x), HasSubstr("3 groups do not divide the 4 channels of x"));
}

CALOTYPE_LAYER_CASES(conv_transpose);
CALOTYPE_LAYER_CASES(dense);
CALOTYPE_LAYER_CASES(matmul);

}  // namespace
}  // namespace calotype::testing
