/// \file
/// Every layer case that has an independent reference (tests/layers/data), through the whole compiler: generic schedule, fusion, layouts, memory
/// plan, archive, run time. On three instruction sets, because vector widths decide which tiles and tails are made.
#include <gtest/gtest.h>

#include "../layers/layer_harness.h"
#include "compiled_model.h"
#include "passes/passes.h"
#include "plan/target.h"

namespace calotype::testing {
namespace {

struct Case {
  LayerCase layer;
  std::string target;
};

std::vector<Case> cases() {
  std::vector<Case> list;
  for (const char* target : {"host", "x86-64-linux-avx2-f16c-fma-avx-sse41", "x86-64-linux-sse41"}) {
    for (const LayerCase& layer : all_cases()) list.push_back({layer, target});
  }
  return list;
}

std::ostream& operator<<(std::ostream& stream, const Case& value) { return stream << value.layer << " on " << value.target; }

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
  std::string name = test_name(info.param.layer) + "_on_" + info.param.target;
  std::erase_if(name, [](char c) { return c == '-'; });
  return name;
}

class generated : public ::testing::TestWithParam<Case> {};

TEST_P(generated, agrees_with_reference) {
  const LayerCase& layer = GetParam().layer;
  Graph graph = build_graph(layer);
  passes::attach_weights(graph, weights_of(layer));
  std::vector<TensorData> inputs;
  for (const NamedTensor& input : layer.inputs) inputs.push_back(input.data);
  const CompiledRun run = compile_and_run(graph, inputs, 1, GetParam().target);
  ASSERT_EQ(run.results.size(), layer.expected.size());
  for (std::size_t i = 0; i < run.results.size(); ++i) EXPECT_EQ(difference(run.results[i], layer.expected[i], layer.tolerance), "");
}

INSTANTIATE_TEST_SUITE_P(layers, generated, ::testing::ValuesIn(cases()), name_of);

}  // namespace
}  // namespace calotype::testing
