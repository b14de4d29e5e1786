/// \file
/// Fusion, layouts, halos, aliases and the arena must not show in the numbers: a network is compiled as it is, and with every value a result, so that
/// nothing is fused and nothing is overwritten early. What both have must be equal. And every value must be what its layer's definition says, which
/// is interpreted element after element, far from any schedule.
#include <gtest/gtest.h>

#include <cstdlib>

#include "codegen/interpret.h"
#include "compiled_model.h"
#include "passes/passes.h"
#include "random_network.h"

namespace calotype::testing {
namespace {

/// The network with every value that an op makes as one more result.
Graph with_all_results(Graph graph) {
  passes::expand_activations(graph);
  for (const Op& op : graph.ops) {
    for (const ValueId value : op.results) {
      GraphResult result;
      result.name = "all." + graph.value(value).name;
      result.value = value;
      graph.results.push_back(std::move(result));
    }
  }
  return graph;
}

/// The network with the numbers of all its values, by the definitions of its layers.
Graph interpreted(Graph graph, const std::vector<TensorData>& inputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) graph.value(graph.inputs[i].value).data = inputs[i];
  for (OpId op = 0; static_cast<std::size_t>(op) < graph.ops.size(); ++op) {
    const std::vector<TensorData> numbers = codegen::evaluate(graph, op).value();
    for (std::size_t r = 0; r < numbers.size(); ++r) graph.value(graph.op(op).results[r]).data = numbers[r];
  }
  return graph;
}

std::vector<double> numbers_of(const TensorData& data) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

class random_networks : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(random_networks, fused_unfused_and_interpreted_agree) {
  const std::string text = random_network(GetParam(), 5 + static_cast<int>(GetParam() % 10));
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text, GetParam());
  std::vector<TensorData> inputs;
  for (const GraphInput& input : graph.inputs) {
    inputs.push_back(random_tensor(graph.value(input.value).type.extents, GetParam() + static_cast<std::uint32_t>(inputs.size())));
  }
  // Vector widths decide about blocks, tiles and tails.
  static constexpr const char* targets[] = {"host", "x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-sse41"};
  const char* target = targets[GetParam() % 3];
  const CompiledRun fused = compile_and_run(graph, inputs, 1, target);
  const CompiledRun unfused = compile_and_run(with_all_results(graph), inputs, 2, target);
  const Graph all = with_all_results(graph);
  const Graph expected = interpreted(all, inputs);
  ASSERT_EQ(fused.results.size(), graph.results.size());
  ASSERT_LE(fused.schedules.size(), unfused.schedules.size());
  for (std::size_t i = 0; i < fused.results.size(); ++i) {
    EXPECT_LT(relative_error(fused.results[i], numbers_of(unfused.results[i])), 1e-6) << graph.results[i].name;
  }
  for (std::size_t i = 0; i < unfused.results.size(); ++i) {
    const TensorData numbers = expected.value(all.results[i].value).data->read();
    EXPECT_LT(relative_error(unfused.results[i], numbers_of(numbers)), 1e-5) << all.results[i].name;
  }
}

/// CALOTYPE_TEST_SEED=100 takes other networks than usual.
std::uint32_t first_seed() {
  const char* text = std::getenv("CALOTYPE_TEST_SEED");
  return text == nullptr ? 1 : static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10));
}

INSTANTIATE_TEST_SUITE_P(networks, random_networks, ::testing::Range(first_seed(), first_seed() + 16));

}  // namespace
}  // namespace calotype::testing
