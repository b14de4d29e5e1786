/// \file
/// Weights from files, weights from a seed, and the removal of what nothing needs.
#include <cmath>

#include "ir/number_format.h"
#include "read_text.h"

namespace calotype {
namespace {

constexpr const char* dense_text = R"(network n(x: f32[1, 3]) -> y {
  y = dense(x, units=2)
})";

StoredTensor tensor(ElementType element, std::vector<std::int64_t> extents, const std::vector<double>& numbers) {
  const TensorType type{element, std::move(extents)};
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  for (std::size_t i = 0; i < numbers.size(); ++i) store_double(bytes, element, static_cast<std::int64_t>(i), numbers[i]);
  return {own(type, std::move(bytes)), "weights.safetensors"};
}

TEST(AttachWeights, WidensHalfAndBfloat16) {
  Graph graph = typed_text(dense_text);
  WeightStore store;
  store.tensors["y.weight"] = tensor(ElementType::f16, {2, 3}, {1, -2, 0.5, 0.0009765625, 65504, -0.25});
  store.tensors["y.bias"] = tensor(ElementType::bf16, {2}, {1.5, -3});
  EXPECT_TRUE(passes::attach_weights(graph, store).empty());
  EXPECT_EQ(numbers_of(value_named(graph, "y.weight")), (std::vector<double>{1, -2, 0.5, 0.0009765625, 65504, -0.25}));
  EXPECT_EQ(value_named(graph, "y.weight").data->type().element, ElementType::f32);
  EXPECT_EQ(numbers_of(value_named(graph, "y.bias")), (std::vector<double>{1.5, -3}));
}

TEST(AttachWeights, NamesEveryTensorThatIsMissingAndTheNearest) {
  Graph graph = typed_text(dense_text);
  WeightStore store;
  store.tensors["y.weights"] = tensor(ElementType::f32, {2, 3}, {});
  const auto diagnostics = diagnostics_of([&] { passes::attach_weights(graph, store); });
  ASSERT_EQ(diagnostics.size(), 2U);
  EXPECT_EQ(diagnostics[0].message, "tensor y.weight (f32[2, 3]) is in no weight file");
  EXPECT_EQ(diagnostics[0].notes, std::vector<std::string>{"the nearest is y.weights"});
  EXPECT_EQ(diagnostics[1].message, "tensor y.bias (f32[2]) is in no weight file");
}

TEST(AttachWeights, RefusesOtherShapesAndNarrowing) {
  Graph graph = typed_text(dense_text);
  WeightStore store;
  store.tensors["y.weight"] = tensor(ElementType::f32, {3, 2}, {});
  store.tensors["y.bias"] = tensor(ElementType::f64, {2}, {});
  const auto diagnostics = diagnostics_of([&] { passes::attach_weights(graph, store); });
  ASSERT_EQ(diagnostics.size(), 2U);
  EXPECT_EQ(diagnostics[0].message, "tensor y.weight is f32[3, 2] in weights.safetensors, but must be f32[2, 3]");
  EXPECT_EQ(diagnostics[1].message, "tensor y.bias holds f64 in weights.safetensors, which f32 cannot hold");
}

TEST(AttachWeights, NotesSurplusTensors) {
  Graph graph = typed_text(dense_text);
  WeightStore store;
  store.tensors["y.weight"] = tensor(ElementType::f32, {2, 3}, {});
  store.tensors["y.bias"] = tensor(ElementType::f32, {2}, {});
  store.tensors["other"] = tensor(ElementType::i64, {}, {});
  EXPECT_EQ(passes::attach_weights(graph, store), std::vector<std::string>{"weights.safetensors: 1 tensor is not used: other"});
}

constexpr const char* conv_text = R"(network n(x: f32[1, 64, 8, 8]) -> y {
  c = conv(x, filters=128, kernel=3x3)
  y = batch_norm()
})";

TEST(RandomizeWeights, DependsOnSeedAndNameOnly) {
  Graph one = typed_text(conv_text);
  Graph two = typed_text(conv_text);
  Graph other = typed_text(conv_text);
  passes::randomize_weights(one, 1);
  passes::randomize_weights(two, 1);
  passes::randomize_weights(other, 2);
  EXPECT_EQ(numbers_of(value_named(one, "c.weight")), numbers_of(value_named(two, "c.weight")));
  EXPECT_NE(numbers_of(value_named(one, "c.weight")), numbers_of(value_named(other, "c.weight")));
  EXPECT_NE(numbers_of(value_named(one, "y.weight")), numbers_of(value_named(one, "y.bias")));
}

TEST(RandomizeWeights, HasHeDeviationAndSaneStatistics) {
  Graph graph = typed_text(conv_text);
  passes::randomize_weights(graph, 7);
  const auto moments = [&](const char* name) {
    const std::vector<double> numbers = numbers_of(value_named(graph, name));
    double mean = 0;
    for (const double number : numbers) mean += number / static_cast<double>(numbers.size());
    double variance = 0;
    for (const double number : numbers) variance += (number - mean) * (number - mean) / static_cast<double>(numbers.size());
    return std::pair(mean, std::sqrt(variance));
  };
  const auto [mean, deviation] = moments("c.weight");
  EXPECT_NEAR(mean, 0, 0.001);
  EXPECT_NEAR(deviation, std::sqrt(2.0 / (64 * 9)), 0.001);
  for (const double variance : numbers_of(value_named(graph, "y.running_var"))) {
    EXPECT_GE(variance, 0.5);
    EXPECT_LE(variance, 1.5);
  }
  EXPECT_NEAR(moments("y.weight").first, 1, 0.05);
}

TEST(RandomizeWeights, LeavesInlineNumbersAlone) {
  Graph graph = typed_text(R"(network n(x: f32[1, 3]) -> y {
  y = dense(x, units=2, bias=[3, 4])
})");
  passes::randomize_weights(graph, 1);
  EXPECT_EQ(numbers_of(value_named(graph, "y.bias")), (std::vector<double>{3, 4}));
  EXPECT_TRUE(value_named(graph, "y.weight").data.has_value());
}

TEST(RemoveDead, KeepsWhatResultsNeedAndFreesTheRest) {
  Graph graph = typed_text(R"(network n(x: f32[1, 3]) -> y {
  w = parameter(f32[2, 3])
  unused = dense(x, units=1000)
  y = dense(x, w, units=2)
})");
  passes::randomize_weights(graph, 1);
  passes::remove_dead(graph);
  verify(graph, "remove_dead");
  ASSERT_EQ(graph.ops.size(), 1U);
  EXPECT_EQ(graph.ops[0].name, "y");
  EXPECT_TRUE(value_named(graph, "w").data.has_value());
  EXPECT_FALSE(value_named(graph, "unused.weight").data.has_value());
}

}  // namespace
}  // namespace calotype
