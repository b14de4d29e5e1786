/// \file
/// Where batch norm goes: into the weights of the layer that alone feeds it, else into a multiplication and an addition. Folded numbers are held
/// against the formula in double: y = (x - mean) / sqrt(variance + epsilon) * weight + bias.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "layers/layer.h"
#include "passes/passes.h"
#include "small_graphs.h"

namespace calotype::testing {
namespace {

using ::testing::ElementsAre;

/// The four tensors of the batch norm `name`, read before the pass.
struct Norm {
  std::vector<double> weight, bias, mean, variance;
  double epsilon = 1e-5;

  double scale(std::size_t c) const { return weight[c] / std::sqrt(variance[c] + epsilon); }
  double apply(std::size_t c, double x) const { return (x - mean[c]) / std::sqrt(variance[c] + epsilon) * weight[c] + bias[c]; }
};

Norm norm_of(const Graph& graph, const std::string& name, double epsilon = 1e-5) {
  const auto numbers = [&](const char* part) { return numbers_of(value_named(graph, name + part)); };
  return {numbers(".weight"), numbers(".bias"), numbers(".running_mean"), numbers(".running_var"), epsilon};
}

void fold(Graph& graph) {
  passes::expand_activations(graph);
  passes::fold_batch_norm(graph);
  verify(graph, "fold_batch_norm");
}

/// The weights and bias of the layer `name` with the norm applied to each filter, rounded to f32 once.
void expect_folded(const Graph& before, const Graph& after, const std::string& layer, const std::string& value, const Norm& norm,
                   bool had_bias) {
  const Op& op = maker_of(after, value);
  const std::vector<double> old = numbers_of(value_named(before, layer + ".weight"));
  const std::vector<double> weight = numbers_of(after.value(op.operands.at(1)));
  const std::vector<double> bias = numbers_of(after.value(op.operands.at(2)));
  ASSERT_EQ(weight.size(), old.size());
  ASSERT_EQ(bias.size(), norm.weight.size());
  const std::size_t row = old.size() / bias.size();
  const std::vector<double> old_bias = had_bias ? numbers_of(value_named(before, layer + ".bias")) : std::vector<double>(bias.size(), 0.0);
  for (std::size_t o = 0; o < bias.size(); ++o) {
    EXPECT_FLOAT_EQ(static_cast<float>(bias[o]), static_cast<float>(norm.apply(o, old_bias[o]))) << "bias " << o;
    for (std::size_t i = 0; i < row; ++i) {
      EXPECT_EQ(weight[o * row + i], static_cast<double>(static_cast<float>(old[o * row + i] * norm.scale(o))))
          << "weight " << o << " " << i;
    }
  }
}

TEST(fold_batch_norm, into_a_convolution_without_bias) {
  const Graph before =
      small_graph("test(x: f32[1, 3, 8, 8]) -> y", "  a = conv(x, filters=5, kernel=3x3, bias=false)\n  y = batch_norm(epsilon=0.01)");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> y"));
  expect_folded(before, graph, "a", "y", norm_of(before, "y", 0.01), false);
}

TEST(fold_batch_norm, into_a_convolution_with_bias_and_groups) {
  const Graph before =
      small_graph("test(x: f32[1, 6, 8, 8]) -> y", "  a = conv(x, filters=9, kernel=3x3, groups=3)\n  y = batch_norm(activation=relu)");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> y.linear", "relu y.linear -> y"));
  expect_folded(before, graph, "a", "y.linear", norm_of(before, "y"), true);
}

TEST(fold_batch_norm, into_depthwise) {
  const Graph before =
      small_graph("test(x: f32[1, 6, 8, 8]) -> y", "  a = depthwise(x, kernel=3x3, multiplier=2, bias=false)\n  y = batch_norm()");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("depthwise x a.weight a.bias -> y"));
  expect_folded(before, graph, "a", "y", norm_of(before, "y"), false);
}

TEST(fold_batch_norm, into_dense) {
  const Graph before = small_graph("test(x: f32[2, 7]) -> y", "  a = dense(x, units=5)\n  y = batch_norm()");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("dense x a.weight a.bias -> y"));
  expect_folded(before, graph, "a", "y", norm_of(before, "y"), true);
}

/// Dense walks the last axis, batch norm axis 1: they are the same one only at rank 2. Here both have extent 5, so only the rank tells.
TEST(fold_batch_norm, not_into_dense_over_another_axis) {
  Graph graph = small_graph("test(x: f32[2, 5, 7]) -> y", "  a = dense(x, units=5)\n  y = batch_norm()");
  const Norm norm = norm_of(graph, "y");
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("dense x a.weight a.bias -> a", "mul a y.scale -> y.scaled", "add y.scaled y.shift -> y"));
  EXPECT_EQ(value_named(graph, "y.scale").type.extents, (std::vector<std::int64_t>{5, 1}));
  for (std::size_t c = 0; c < 5; ++c)
    EXPECT_FLOAT_EQ(static_cast<float>(numbers_of(value_named(graph, "y.scale"))[c]), static_cast<float>(norm.scale(c)));
}

/// Its weights are [channels, filters, ...]: a row is not a channel of the result.
TEST(fold_batch_norm, behind_conv_transpose_is_written_out) {
  Graph graph =
      small_graph("test(x: f32[1, 4, 5, 5]) -> y", "  a = conv_transpose(x, filters=4, kernel=2x2, stride=2)\n  y = batch_norm()");
  const Norm norm = norm_of(graph, "y");
  fold(graph);
  EXPECT_THAT(ops_of(graph),
              ElementsAre("conv_transpose x a.weight a.bias -> a", "mul a y.scale -> y.scaled", "add y.scaled y.shift -> y"));
  const std::vector<double> scale = numbers_of(value_named(graph, "y.scale"));
  const std::vector<double> shift = numbers_of(value_named(graph, "y.shift"));
  EXPECT_EQ(value_named(graph, "y.scale").type.extents, (std::vector<std::int64_t>{4, 1, 1}));
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_FLOAT_EQ(static_cast<float>(scale[c]), static_cast<float>(norm.scale(c)));
    EXPECT_FLOAT_EQ(static_cast<float>(shift[c]), static_cast<float>(norm.apply(c, 0)));
  }
}

TEST(fold_batch_norm, first_of_the_network) {
  Graph graph = small_graph("test(x: f32[1, 3, 4, 4]) -> y", "  y = batch_norm(x)");
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("mul x y.scale -> y.scaled", "add y.scaled y.shift -> y"));
}

/// Two convolutions with one weight tensor, each with a norm of its own: the tensor itself must stay as it is.
TEST(fold_batch_norm, shared_weights_are_not_changed) {
  const Graph before = small_graph("test(x: f32[1, 3, 8, 8]) -> p, q, r",
                                   "  w = parameter(f32[4, 3, 3, 3])\n  a = conv(x, w, bias=false)\n  p = batch_norm()\n"
                                   "  b = conv(x, w, bias=false)\n  q = batch_norm()\n  r = conv(x, w, bias=false)");
  Graph graph = before;
  fold(graph);
  const std::vector<double> weight = numbers_of(value_named(before, "w"));
  EXPECT_EQ(numbers_of(graph.value(maker_of(graph, "r").operands[1])), weight);
  for (const char* name : {"p", "q"}) {
    const Norm norm = norm_of(before, name);
    const std::vector<double> folded = numbers_of(graph.value(maker_of(graph, name).operands[1]));
    ASSERT_EQ(folded.size(), weight.size());
    for (std::size_t i = 0; i < weight.size(); ++i)
      EXPECT_FLOAT_EQ(static_cast<float>(folded[i]), static_cast<float>(weight[i] * norm.scale(i / 27)));
  }
}

TEST(fold_batch_norm, not_where_another_layer_reads_the_convolution) {
  Graph graph = small_graph("test(x: f32[1, 3, 8, 8]) -> z", "  a = conv(x, filters=4, kernel=3x3)\n  b = batch_norm(a)\n  z = add(a, b)");
  fold(graph);
  EXPECT_THAT(ops_of(graph),
              ElementsAre("conv x a.weight a.bias -> a", "mul a b.scale -> b.scaled", "add b.scaled b.shift -> b", "add a b -> z"));
}

TEST(fold_batch_norm, not_where_the_convolution_is_a_result) {
  Graph graph = small_graph("test(x: f32[1, 3, 8, 8]) -> a, b", "  a = conv(x, filters=4, kernel=3x3)\n  b = batch_norm(a)");
  const std::vector<double> weight = numbers_of(value_named(graph, "a.weight"));
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> a", "mul a b.scale -> b.scaled", "add b.scaled b.shift -> b"));
  EXPECT_EQ(numbers_of(value_named(graph, "a.weight")), weight);
}

TEST(fold_batch_norm, not_through_an_activation) {
  Graph graph = small_graph("test(x: f32[1, 3, 8, 8]) -> b", "  a = conv(x, filters=4, kernel=3x3, activation=relu)\n  b = batch_norm(a)");
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> a.linear", "relu a.linear -> a", "mul a b.scale -> b.scaled",
                                         "add b.scaled b.shift -> b"));
}

TEST(fold_batch_norm, two_in_a_row) {
  const Graph before = small_graph("test(x: f32[1, 3, 8, 8]) -> c",
                                   "  a = conv(x, filters=4, kernel=1x1)\n  b = batch_norm()\n  c = batch_norm(epsilon=0.5)");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> c"));
  const Norm first = norm_of(before, "b"), second = norm_of(before, "c", 0.5);
  const std::vector<double> old = numbers_of(value_named(before, "a.weight")), old_bias = numbers_of(value_named(before, "a.bias"));
  const std::vector<double> weight = numbers_of(graph.value(graph.ops[0].operands[1])),
                            bias = numbers_of(graph.value(graph.ops[0].operands[2]));
  for (std::size_t o = 0; o < 4; ++o) {
    EXPECT_NEAR(bias[o], second.apply(o, first.apply(o, old_bias[o])), 1e-6);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(weight[o * 3 + i], old[o * 3 + i] * first.scale(o) * second.scale(o), 1e-6);
  }
}

TEST(fold_batch_norm, without_scale_and_bias) {
  const Graph before =
      small_graph("test(x: f32[1, 3, 8, 8]) -> y", "  a = conv(x, filters=4, kernel=1x1)\n  y = batch_norm(weight=false, bias=false)");
  Graph graph = before;
  fold(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x a.weight a.bias -> y"));
  Norm norm;
  norm.mean = numbers_of(value_named(before, "y.running_mean"));
  norm.variance = numbers_of(value_named(before, "y.running_var"));
  norm.weight.assign(4, 1.0);
  norm.bias.assign(4, 0.0);
  expect_folded(before, graph, "a", "y", norm, true);
}

/// Statistics that come from somewhere else at run time are no numbers yet.
TEST(fold_batch_norm, leaves_computed_statistics_to_run_time) {
  Graph graph = small_graph(
      "test(x: f32[1, 3, 8, 8], mean: f32[4]) -> y",
      "  a = conv(x, filters=4, kernel=1x1)\n  v = parameter(f32[4])\n  y = batch_norm(a, _, _, mean, v, weight=false, bias=false)");
  fold(graph);
  EXPECT_EQ(maker_of(graph, "y").kind, "batch_norm");
  EXPECT_EQ(maker_of(graph, "a").kind, "conv");
}

/// The constants of a folded norm are f32: other types keep the layer, which computes in its own.
TEST(fold_batch_norm, other_types_than_f32_keep_the_layer) {
  Graph graph = small_graph("test(x: f64[1, 3, 8, 8]) -> y", "  a = conv(x, filters=4, kernel=1x1)\n  y = batch_norm(a)");
  fold(graph);
  EXPECT_EQ(maker_of(graph, "y").kind, "batch_norm");
}

TEST(fold_batch_norm, drops_the_arguments_that_spoke_of_the_old_weights) {
  Graph graph = small_graph("test(x: f32[1, 1, 2, 2]) -> y",
                            "  a = conv(x, filters=1, kernel=1x1, weight=[[[[2]]]], bias=[3])\n"
                            "  y = batch_norm(epsilon=0, weight=[10], bias=[1], running_mean=[5], running_var=[4])");
  fold(graph);
  const Op& conv = graph.ops.front();
  // (2 x + 3 - 5) / 2 * 10 + 1 = 10 x - 9
  EXPECT_EQ(numbers_of(graph.value(conv.operands[1])), std::vector<double>{10});
  EXPECT_EQ(numbers_of(graph.value(conv.operands[2])), std::vector<double>{-9});
  EXPECT_EQ(find(conv.attributes, "weight"), nullptr);
  EXPECT_EQ(find(conv.attributes, "bias"), nullptr);
}

}  // namespace
}  // namespace calotype::testing
