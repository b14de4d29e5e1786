#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/frontend.h"
#include "layers/layer.h"
#include "passes/passes.h"
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

TEST(depthwise, counts_in_words) {
  LayerCase layer_case;
  layer_case.statement = "depthwise(x, kernel=3x3, multiplier=2)";
  layer_case.inputs = {{"x", arange({1, 5, 9, 9})}};
  const Graph graph = build_graph(layer_case);
  const layers::Layer& layer = *layers::find_layer("depthwise");
  const layers::Call call(layer, graph, graph.ops.front());
  EXPECT_EQ(layer.explain(call), "5 channels x 2 filters each x 3x3 = 90 weights + 10 biases");
  EXPECT_EQ(layer.multiply_adds(call), 10 * 7 * 7 * 3 * 3);
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
  EXPECT_THAT(build_error("conv(x, filters=120, kernel=5x5)", x), HasSubstr("kernel 5x5 does not fit the 4x4 of x"));
  EXPECT_THAT(build_error("conv(x, filters=120, kernel=5x5)", x), HasSubstr("padding=same in y would keep its output from shrinking"));
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

TEST(conv, says_who_took_the_cells_that_are_missing) {
  const std::string text =
      "network lenet5(image: f32[1, 1, 28, 28]) -> scores {\n"
      "  conv1 = conv(filters=6, kernel=5x5)\n"
      "  pool1 = average_pool(kernel=2x2)\n"
      "  conv2 = conv(filters=16, kernel=5x5, activation=tanh)\n"
      "  pool2 = average_pool(kernel=2x2)\n"
      "  scores = conv(filters=120, kernel=5x5)\n"
      "}\n";
  Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"lenet5.layers", text}));
  try {
    passes::bind_symbols(graph, {});
    passes::infer_shapes(graph);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(render(failure),
              "lenet5.layers:6:30: error: kernel 5x5 does not fit pool2's 4x4 output\n"
              "  scores = conv(filters=120, kernel=5x5)\n"
              "                             ^~~~~~~~~~\n"
              "note: pool2 is [1, 16, 4, 4] because conv2 (line 4) has padding=valid; padding=same would make it 6x6\n"
              "note: padding=same in scores would keep its output from shrinking\n");
  }
}

TEST(conv, of_an_empty_batch_is_empty) {
  LayerCase layer_case;
  layer_case.statement = "conv(x, filters=4, kernel=3)";
  layer_case.inputs = {{"x", arange({0, 3, 8, 8})}};
  layer_case.weights = {{"weight", arange({4, 3, 3, 3})}, {"bias", arange({4})}};
  layer_case.expected = {arange({0, 4, 6, 6})};
  expect_definition_agrees(layer_case);
}

TEST(conv, sums_bf16_in_f32) {
  // 128 + 1 is not a bf16; 128 + 1 + 1 is.
  LayerCase layer_case;
  layer_case.statement = "conv(x, w, _)";
  layer_case.inputs = {{"x", tensor({ElementType::bf16, {1, 1, 3}}, {128, 1, 1})},
                       {"w", tensor({ElementType::bf16, {1, 1, 3}}, {1, 1, 1})}};
  layer_case.expected = {tensor({ElementType::bf16, {1, 1, 1}}, {130})};
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
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
