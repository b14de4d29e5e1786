/// \file
/// activation=NAME is an op of that kind behind its layer; the name stays with the activated value.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/passes.h"
#include "small_graphs.h"

namespace calotype::testing {
namespace {

using ::testing::ElementsAre;

TEST(expand_activations, puts_an_op_behind_the_layer) {
  Graph graph = small_graph("test(x: f32[1, 3, 8, 8]) -> y", "  y = conv(x, filters=4, kernel=3x3, activation=relu)");
  const ValueId y = id_of(graph, "y");
  passes::expand_activations(graph);
  verify(graph, "expand_activations");
  EXPECT_THAT(ops_of(graph), ElementsAre("conv x y.weight y.bias -> y.linear", "relu y.linear -> y"));
  EXPECT_EQ(graph.results[0].value, y);
  EXPECT_EQ(value_named(graph, "y.linear").type, value_named(graph, "y").type);
  EXPECT_EQ(maker_of(graph, "y.linear").name, "y") << "messages about the layer must find it under its own name";
  EXPECT_EQ(find(maker_of(graph, "y.linear").attributes, "activation"), nullptr);
  EXPECT_NE(find(maker_of(graph, "y.linear").attributes, "filters"), nullptr);
}

TEST(expand_activations, leaves_none_alone) {
  Graph graph = small_graph("test(x: f32[1, 4]) -> y", "  a = dense(x, units=3, activation=none)\n  y = dense(a, units=2)");
  passes::expand_activations(graph);
  EXPECT_THAT(ops_of(graph), ElementsAre("dense x a.weight a.bias -> a", "dense a y.weight y.bias -> y"));
}

TEST(expand_activations, a_second_time_changes_nothing) {
  Graph graph = small_graph("test(x: f32[1, 4]) -> y", "  a = dense(x, units=4, activation=tanh)\n  y = add(a, x, activation=relu6)");
  passes::expand_activations(graph);
  const std::vector<std::string> once = ops_of(graph);
  passes::expand_activations(graph);
  EXPECT_EQ(ops_of(graph), once);
  EXPECT_THAT(once, ElementsAre("dense x a.weight a.bias -> a.linear", "tanh a.linear -> a", "add a x -> y.linear", "relu6 y.linear -> y"));
}

/// Every reader, and the network's result, sees the activated value.
TEST(expand_activations, readers_see_the_activated_value) {
  Graph graph = small_graph("test(x: f32[1, 4]) -> a, b, c", "  a = dense(x, units=4, activation=sigmoid)\n  b = relu(a)\n  c = add(a, b)");
  passes::expand_activations(graph);
  verify(graph, "expand_activations");
  EXPECT_THAT(ops_of(graph), ElementsAre("dense x a.weight a.bias -> a.linear", "sigmoid a.linear -> a", "relu a -> b", "add a b -> c"));
  EXPECT_EQ(graph.value(graph.results[0].value).name, "a");
}

TEST(expand_activations, avoids_a_name_that_is_taken) {
  Graph graph = small_graph("test(x: f32[1, 4]) -> y", "  y.linear = relu(x)\n  y = dense(y.linear, units=2, activation=relu)");
  passes::expand_activations(graph);
  verify(graph, "expand_activations");
  EXPECT_THAT(ops_of(graph), ElementsAre("relu x -> y.linear", "dense y.linear y.weight y.bias -> y.linear2", "relu y.linear2 -> y"));
}

}  // namespace
}  // namespace calotype::testing
