/// \file
/// Arithmetic of two or more operands, activations and casts: by hand first, then the references, then what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

TEST(elementwise, sums_by_hand) {
  expect_exactly("add(a, b)", {{"a", tensor({2, 1}, {1, 2})}, {"b", tensor({2}, {10, 20})}}, {tensor({2, 2}, {11, 21, 12, 22})});
  expect_exactly("sub(a, b)", {{"a", tensor({2}, {1, 2})}, {"b", tensor({2}, {10, 0})}}, {tensor({2}, {-9, 2})});
}

TEST(elementwise, relu_and_leaky_relu_by_hand) {
  expect_exactly("relu(x)", {{"x", tensor({3}, {-1, 0, 2})}}, {tensor({3}, {0, 0, 2})});
  expect_exactly("leaky_relu(x, slope=0.5)", {{"x", tensor({3}, {-1, 0, 2})}}, {tensor({3}, {-0.5, 0, 2})});
}

/// Halide's own arithmetic takes these for 0.
TEST(elementwise, infinity_less_itself_and_times_zero_is_no_number) {
  const double infinity = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  expect_exactly("sub(x, x)", {{"x", tensor({2}, {infinity, 1})}}, {tensor({2}, {nan, 0})});
  expect_exactly("mul(x, z)", {{"x", tensor({2}, {infinity, 1})}, {"z", tensor({2}, {0, 0})}}, {tensor({2}, {nan, 0})});
}

TEST(elementwise, broadcasting_names_both_shapes) {
  const std::vector<NamedTensor> operands = {{"a", arange({1, 64, 5, 5})}, {"b", arange({1, 32, 5, 5})}};
  const std::string message = build_error("add(a, b)", operands);
  EXPECT_THAT(message, HasSubstr("add cannot broadcast a [1, 64, 5, 5] and b [1, 32, 5, 5]"));
  EXPECT_THAT(message, HasSubstr("64 against 32"));
}

TEST(elementwise, wants_one_type) {
  const std::vector<NamedTensor> operands = {{"a", arange({2})}, {"b", tensor(TensorType{ElementType::i32, {2}}, {1, 2})}};
  EXPECT_THAT(build_error("add(a, b)", operands), HasSubstr("a is f32 and b is i32"));
  EXPECT_THAT(build_error("add(a, b)", operands), HasSubstr("cast(b, type=f32)"));
}

TEST(elementwise, refuses_types_without_meaning) {
  const std::vector<NamedTensor> integers = {{"x", tensor(TensorType{ElementType::i32, {2}}, {1, 2})}};
  const std::vector<NamedTensor> booleans = {{"x", tensor(TensorType{ElementType::boolean, {2}}, {0, 1})}};
  EXPECT_THAT(build_error("sigmoid(x)", integers), HasSubstr("cast(type=f32)"));
  EXPECT_THAT(build_error("pow(x, x)", integers), HasSubstr("pow computes floating-point types"));
  EXPECT_THAT(build_error("add(x, x)", booleans), HasSubstr("add is not defined for bool"));
  EXPECT_THAT(build_error("relu(x)", booleans), HasSubstr("relu is not defined for bool"));
}

TEST(elementwise, activations_are_what_takes_one_operand) {
  for (const layers::Layer* layer : layers::all_layers()) {
    if (!layer->traits.is_activation) continue;
    EXPECT_TRUE(layer->traits.is_elementwise) << layer->name;
    EXPECT_EQ(layers::operands_of(*layer).size(), 1u) << layer->name;
    for (const layers::Argument& argument : layers::arguments_of(*layer)) EXPECT_FALSE(argument.is_required) << layer->name;
  }
}

TEST(prelu, counts_a_slope_for_each_channel) {
  LayerCase layer_case;
  layer_case.statement = "prelu(x)";
  layer_case.inputs = {{"x", arange({1, 5, 2, 2})}};
  const Graph graph = build_graph(layer_case);
  EXPECT_EQ(graph.value(graph.ops.back().operands[1]).type, (TensorType{ElementType::f32, {5}}));
  const layers::Layer& layer = *layers::find_layer("prelu");
  EXPECT_EQ(layer.explain(layers::Call(layer, graph, graph.ops.back())), "5 slopes");
  EXPECT_THAT(build_error("prelu(x, weight=[1, 2])", layer_case.inputs), HasSubstr("y"));
}

CALOTYPE_LAYER_CASES(binary);
CALOTYPE_LAYER_CASES(activations);
CALOTYPE_LAYER_CASES(cast);

}  // namespace
}  // namespace calotype::testing
