#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

TEST(conv, two_by_two_kernel_on_arange_9) {
  LayerCase layer_case;
  layer_case.description = "by hand";
  layer_case.statement = "conv(x, filters=1, kernel=2x2, bias=false, weight=[[[[0.25, 0.5], [1, 2]]]])";
  layer_case.inputs = {{"x", arange({1, 1, 3, 3})}};
  // 0.25*0 + 0.5*1 + 1*3 + 2*4 = 11.5, and 3.75 more for each step of one.
  layer_case.expected = {tensor({1, 1, 2, 2}, {11.5, 15.25, 22.75, 26.5})};
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
}

TEST(conv, counts_of_the_worked_example) {
  LayerCase layer_case;
  layer_case.statement = "conv(x, filters=56, kernel=4x4)";
  layer_case.inputs = {{"x", arange({1, 5, 9, 9})}};
  const Graph graph = build_graph(layer_case);
  const layers::Layer& layer = *layers::find_layer("conv");
  const layers::Call call(layer, graph, graph.ops.front());
  EXPECT_EQ(layer.explain(call), "56 filters x 5 channels x 4x4 = 4,480 weights + 56 biases");
  EXPECT_EQ(layer.multiply_adds(call), 56 * 6 * 6 * 5 * 4 * 4);
  EXPECT_EQ(graph.value(graph.ops.front().operands[1]).type, (TensorType{ElementType::f32, {56, 5, 4, 4}}));
}

TEST(conv, filters_and_kernel_follow_from_a_written_weight) {
  LayerCase layer_case;
  layer_case.statement = "conv(x, w, b, padding=same)";
  layer_case.inputs = {{"x", arange({1, 1, 1, 3})}, {"w", tensor({2, 1, 1, 2}, {1, 0, 0, 1})}, {"b", tensor({2}, {10, 20})}};
  layer_case.expected = {tensor({1, 2, 1, 3}, {10, 11, 12, 21, 22, 20})};
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
}

TEST(conv, says_what_would_fit) {
  const std::vector<NamedTensor> x = {{"x", arange({1, 16, 4, 4})}};
  EXPECT_THAT(build_error("conv(x, filters=120, kernel=5x5)", x), HasSubstr("kernel 5x5 does not fit x's 4x4 output"));
  EXPECT_THAT(build_error("conv(x, filters=120, kernel=5x5)", x), HasSubstr("padding=same here would keep it at 4x4"));
  EXPECT_THAT(build_error("conv(x, filters=1, kernel=3, dilation=3, padding=1)", x), HasSubstr("kernel 3x3 (dilated to 7x7) does not fit"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3, groups=3)", x), HasSubstr("3 groups do not divide the 16 channels of x"));
  EXPECT_THAT(build_error("conv(x, filters=5, kernel=3, groups=4)", x), HasSubstr("4 groups do not divide the 5 filters"));
  EXPECT_THAT(build_error("conv(x, kernel=3)", x), HasSubstr("conv needs the argument 'filters': an integer"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3x3x3)", x),
              HasSubstr("'kernel' has 3 numbers, but the operand has 2 spatial dimensions"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3, padding=[1, 2, 3])", x), HasSubstr("2 (both sides alike) or 4"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3, filter=4)", x), HasSubstr("unknown argument 'filter'; did you mean 'filters'?"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3, padding=full)", x), HasSubstr("'padding' wants valid, same, same_lower"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=0)", x), HasSubstr("'kernel' must be at least 1, not 0"));
}

TEST(conv, wants_floating_point_and_spatial_dimensions) {
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3)", {{"x", pattern({ElementType::u8, {1, 3, 8, 8}}, 1)}}),
              HasSubstr("cast(type=f32)"));
  EXPECT_THAT(build_error("conv(x, filters=4, kernel=3)", {{"x", arange({3, 8})}}), HasSubstr("at least one spatial dimension"));
}

CALOTYPE_LAYER_CASES(conv);
CALOTYPE_LAYER_CASES(depthwise);

}  // namespace
}  // namespace calotype::testing
