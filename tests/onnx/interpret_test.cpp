/// \file
/// The interpreter that folds constants: every layer case with an independent reference (tests/layers/data), and against Halide's own evaluation of
/// the same definition, bit for bit where nothing but integers, moves and comparisons is computed.
#include <gtest/gtest.h>

#include "codegen/interpret.h"
#include "passes/passes.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

/// The case's graph with every operand known.
Graph known_graph(const LayerCase& layer) {
  Graph graph = build_graph(layer);
  passes::attach_weights(graph, weights_of(layer));
  for (Value& value : graph.values) {
    for (const NamedTensor& input : layer.inputs) {
      if (value.name == input.name) value.data = input.data;
    }
  }
  return graph;
}

class interpreted : public ::testing::TestWithParam<LayerCase> {};

TEST_P(interpreted, agrees_with_reference) {
  const LayerCase& layer = GetParam();
  const Graph graph = known_graph(layer);
  const OpId op = graph.value(graph.results.front().value).producer;
  const auto results = codegen::evaluate(graph, op);
  ASSERT_TRUE(results.has_value());
  ASSERT_EQ(results->size(), layer.expected.size());
  for (std::size_t i = 0; i < results->size(); ++i) EXPECT_EQ(difference((*results)[i], layer.expected[i], layer.tolerance), "");
}

/// Compiling takes a while, so this is for what must be equal in every bit.
class interpreted_exactly : public ::testing::TestWithParam<LayerCase> {};

TEST_P(interpreted_exactly, agrees_with_halide) {
  const LayerCase& layer = GetParam();
  const Graph graph = known_graph(layer);
  const auto results = codegen::evaluate(graph, graph.value(graph.results.front().value).producer);
  const std::vector<TensorData> halide = evaluate_definition(build_graph(layer), layer);
  ASSERT_TRUE(results.has_value());
  ASSERT_EQ(results->size(), halide.size());
  for (std::size_t i = 0; i < halide.size(); ++i) EXPECT_EQ(difference((*results)[i], halide[i], 0), "");
}

std::vector<LayerCase> exact_cases() {
  std::vector<LayerCase> cases = all_cases();
  std::erase_if(cases, [](const LayerCase& layer) { return is_float(layer.expected.front().type.element); });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(layers, interpreted_exactly, ::testing::ValuesIn(exact_cases()),
                         [](const auto& info) { return test_name(info.param); });
INSTANTIATE_TEST_SUITE_P(layers, interpreted, ::testing::ValuesIn(all_cases()), [](const auto& info) { return test_name(info.param); });

}  // namespace
}  // namespace calotype::testing
