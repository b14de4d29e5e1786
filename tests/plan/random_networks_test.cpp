/// \file
/// Fusion, layouts, halos, aliases and the arena must not show in the numbers: a network is compiled as it is, and with every value a result, so that
/// nothing is fused and nothing is overwritten early. What both have must be equal.
#include <gtest/gtest.h>

#include <cstdlib>

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

class random_networks : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(random_networks, fused_and_unfused_agree) {
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
  ASSERT_EQ(fused.results.size(), graph.results.size());
  ASSERT_LE(fused.schedules.size(), unfused.schedules.size());
  for (std::size_t i = 0; i < fused.results.size(); ++i) {
    std::vector<double> expected;
    for (std::int64_t e = 0; e < unfused.results[i].type.elements(); ++e) expected.push_back(load_as_double(unfused.results[i], e));
    EXPECT_LT(relative_error(fused.results[i], expected), 1e-6) << graph.results[i].name;
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
