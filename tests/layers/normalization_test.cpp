/// \file
/// batch_norm, local_response_norm, layer_norm, group_norm, instance_norm, softmax and log_softmax.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

LayerCase by_hand(std::string statement, TensorData x, TensorData expected, double tolerance = 1e-6) {
  LayerCase layer_case;
  layer_case.description = "by hand";
  layer_case.statement = std::move(statement);
  layer_case.inputs = {{"x", std::move(x)}};
  layer_case.expected = {std::move(expected)};
  layer_case.tolerance = tolerance;
  return layer_case;
}

TEST(batch_norm, shifts_and_scales_each_channel) {
  // Channel 0: (x - 1) / 2 * 10 + 100; channel 1: (x - 2) / 0.5 * 1 + 0.
  expect_definition_agrees(by_hand("batch_norm(x, epsilon=0, weight=[10, 1], bias=[100, 0], running_mean=[1, 2], running_var=[4, 0.25])",
                                   arange({1, 2, 2}), tensor({1, 2, 2}, {95, 100, 0, 2}), 0));
}

TEST(batch_norm, numbers_for_folding) {
  Graph graph = build_graph(by_hand("batch_norm(x, epsilon=0, weight=[10, 1], bias=[100, 0], running_mean=[1, 2], running_var=[4, 0.25])",
                                    arange({1, 2, 2}), arange({1, 2, 2})));
  const layers::Layer& layer = *layers::find_layer("batch_norm");
  const layers::ChannelAffine affine = layer.channel_affine(layers::Call(layer, graph, graph.ops.front()));
  EXPECT_EQ(affine.scale, (std::vector<double>{5, 2}));
  EXPECT_EQ(affine.shift, (std::vector<double>{95, -4}));
}

TEST(batch_norm, statistics_are_not_trained) {
  const Graph graph = build_graph(by_hand("batch_norm(x, bias=false)", arange({1, 3, 2}), arange({1})));
  std::int64_t trained = 0, stored = 0;
  for (const Value& value : graph.values) {
    if (value.origin != Value::Origin::weight) continue;
    stored += value.type.elements();
    trained += value.trainable ? value.type.elements() : 0;
  }
  EXPECT_EQ(stored, 9);
  EXPECT_EQ(trained, 3);
  const layers::Layer& layer = *layers::find_layer("batch_norm");
  EXPECT_EQ(layer.explain(layers::Call(layer, graph, graph.ops.front())),
            "3 scales + 3 running means and 3 variances that are not trained");
}

TEST(softmax, of_two_classes) {
  const double e = std::exp(1.0);
  expect_definition_agrees(by_hand("softmax(x)", arange({1, 2}), tensor({1, 2}, {1 / (1 + e), e / (1 + e)})));
  expect_definition_agrees(by_hand("log_softmax(x)", arange({1, 2}), tensor({1, 2}, {-std::log(1 + e), 1 - std::log(1 + e)})));
}

TEST(softmax, keeps_NaN_to_its_row) {
  const double nan = std::nan("");
  expect_definition_agrees(by_hand("softmax(x)", tensor({2, 2}, {0, nan, 3, 3}), tensor({2, 2}, {nan, nan, 0.5, 0.5})));
}

TEST(layer_norm, of_two_numbers) {
  expect_definition_agrees(
      by_hand("layer_norm(x, epsilon=0, weight=false, bias=false)", tensor({2, 2}, {3, 5, 10, 0}), tensor({2, 2}, {-1, 1, 1, -1})));
}

TEST(group_norm, weights_are_per_channel) {
  expect_definition_agrees(
      by_hand("group_norm(x, groups=1, epsilon=0, weight=[1, 2], bias=[0, 7])", tensor({1, 2, 1}, {3, 5}), tensor({1, 2, 1}, {-1, 9})));
}

TEST(local_response_norm, counts_neighbours_up_to_the_last_channel) {
  // size 3: channels {0,1}, {0,1,2}, {1,2}; alpha / size = 1; exponent 1.
  expect_definition_agrees(
      by_hand("local_response_norm(x, size=3, alpha=3, beta=1)", tensor({1, 3}, {1, 2, 3}), tensor({1, 3}, {1.0 / 6, 2.0 / 15, 3.0 / 14})));
}

TEST(normalizations, errors) {
  const std::vector<NamedTensor> x = {{"x", arange({1, 4, 2, 5})}};
  EXPECT_THAT(build_error("softmax(x, axis=4)", x), HasSubstr("'axis' names axis 4, but the operand has rank 4: -4 to 3"));
  EXPECT_THAT(build_error("softmax(x)", {{"x", arange({3})}}), HasSubstr("'axis' names axis 1, but the operand has rank 1"));
  EXPECT_THAT(build_error("group_norm(x, groups=3)", x), HasSubstr("3 groups do not divide the 4 channels of x"));
  EXPECT_THAT(build_error("batch_norm(x)", {{"x", arange({3})}}), HasSubstr("batch_norm wants batch and channels, not [3]"));
  EXPECT_THAT(build_error("local_response_norm(x, size=0)", x), HasSubstr("'size' must be at least 1 channel"));
  EXPECT_THAT(build_error("batch_norm(x, activation=rely)", x), HasSubstr("did you mean 'relu'?"));
}

CALOTYPE_LAYER_CASES(batch_norm);
CALOTYPE_LAYER_CASES(local_response_norm);
CALOTYPE_LAYER_CASES(normalization);
CALOTYPE_LAYER_CASES(softmax);

}  // namespace
}  // namespace calotype::testing
