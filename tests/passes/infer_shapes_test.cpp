/// \file
/// Types of all values, the weights that layers imply, and one message for each mistake.
#include "read_text.h"

namespace calotype {
namespace {

TEST(InferShapes, NamesAndTypesTheWeightsThatALayerImplies) {
  const Graph graph = typed_text(R"(network n(x: f32[1, 5, 9, 9]) -> y {
  y = conv(x, filters=56, kernel=4x4)
})");
  EXPECT_EQ(to_text(value_named(graph, "y").type), "f32[1, 56, 6, 6]");
  const Value& weight = value_named(graph, "y.weight");
  EXPECT_EQ(to_text(weight.type), "f32[56, 5, 4, 4]");
  EXPECT_EQ(weight.origin, Value::Origin::weight);
  EXPECT_TRUE(weight.implicit);
  EXPECT_FALSE(weight.data.has_value());
  EXPECT_EQ(to_text(value_named(graph, "y.bias").type), "f32[56]");
  ASSERT_EQ(graph.ops[0].operands.size(), 3U);
}

TEST(InferShapes, KnowsWhatIsTrained) {
  const Graph graph = typed_text(R"(network n(x: f32[1, 5, 9, 9]) -> y {
  y = batch_norm(x)
})");
  EXPECT_TRUE(value_named(graph, "y.weight").trainable);
  EXPECT_FALSE(value_named(graph, "y.running_mean").trainable);
  EXPECT_FALSE(value_named(graph, "y.running_var").trainable);
}

TEST(InferShapes, BroadcastsInlineWeights) {
  const Graph graph = typed_text(R"(network n(x: f32[1, 2, 3, 3]) -> y {
  y = conv(x, filters=2, kernel=1x2, bias=[0.5, -1], weight=[[[[0.25]], [[0.5]]], [[[1]], [[2]]]])
})");
  EXPECT_EQ(numbers_of(value_named(graph, "y.weight")), (std::vector<double>{0.25, 0.25, 0.5, 0.5, 1, 1, 2, 2}));
  EXPECT_EQ(numbers_of(value_named(graph, "y.bias")), (std::vector<double>{0.5, -1}));
}

TEST(InferShapes, CountsAParameterOnceHoweverOftenItIsUsed) {
  const Graph graph = typed_text(R"(network n(x: f32[1, 4, 8, 8]) -> y {
  w = parameter(f32[4, 4, 3, 3])
  a = conv(x, w, filters=4, kernel=3x3, padding=same, bias=false)
  y = conv(a, w, filters=4, kernel=3x3, padding=same, bias=false)
})");
  int weights = 0;
  for (const Value& value : graph.values) weights += value.origin == Value::Origin::weight ? 1 : 0;
  EXPECT_EQ(weights, 1);
  EXPECT_FALSE(value_named(graph, "w").implicit);
}

TEST(InferShapes, GivesAConstantItsNumbers) {
  const Graph graph = typed_text(R"(network n(x: f32[1, 2]) -> y {
  c = constant([[1, 2.5]])
  y = add(x, c)
})");
  const Value& constant = value_named(graph, "c");
  EXPECT_EQ(constant.origin, Value::Origin::constant);
  EXPECT_EQ(numbers_of(constant), (std::vector<double>{1, 2.5}));
}

TEST(InferShapes, ReportsEachFaultyLayerOnceAndNotThoseThatDependOnIt) {
  const auto diagnostics = diagnostics_of([] {
    typed_text(R"(network n(x: f32[1, 3, 8, 8]) -> y {
  a = conv(x, filters=4, kernel=9x9)
  b = relu(a)
  c = conv(x, filters=4, kernel=3x3, groups=2)
  y = add(b, c)
})");
  });
  ASSERT_EQ(diagnostics.size(), 2U);
  EXPECT_EQ(diagnostics[0].where.line, 2);
  EXPECT_EQ(diagnostics[1].where.line, 4);
}

TEST(InferShapes, HoldsDeclaredResultsAgainstWhatIsMade) {
  const auto diagnostics = diagnostics_of([] {
    typed_text(R"(network n(x: f32[N, 3, 8, 8]) -> y: f32[N, 4] {
  flat = flatten(x)
  y = dense(units=5)
})");
  });
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics[0].message, "result y is declared as f32[1, 4], but it is f32[1, 5]");
}

TEST(InferShapes, RefusesWrittenWeightsOfAnotherType) {
  const auto diagnostics = diagnostics_of([] {
    typed_text(R"(network n(x: f32[1, 3, 8, 8]) -> y {
  w = parameter(f32[4, 3, 3, 2])
  y = conv(x, w, filters=4, kernel=3x3, bias=false)
})");
  });
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics[0].message, "w is f32[4, 3, 3, 2], but y's weight must be f32[4, 3, 3, 3]");
}

TEST(InferShapes, RefusesInlineWeightsThatDoNotBroadcast) {
  const auto diagnostics = diagnostics_of([] {
    typed_text(R"(network n(x: f32[1, 3, 8, 8]) -> y {
  y = conv(x, filters=4, kernel=3x3, bias=[1, 2, 3])
})");
  });
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics[0].message, "bias= is [3], which does not broadcast to y's [4]");
}

TEST(InferShapes, RefusesExtentsBeyond64Bits) {
  const auto diagnostics = diagnostics_of([] {
    typed_text(R"(network n(x: f32[4294967296, 4294967296]) -> y {
  y = relu(x)
})");
  });
  ASSERT_EQ(diagnostics.size(), 1U);
  EXPECT_EQ(diagnostics[0].fault, Fault::input);
}

}  // namespace
}  // namespace calotype
