/// \file
/// The layer of docs/add-a-layer.md through the whole compiler: nothing was told about it but its own file.
#include <gtest/gtest.h>

#include "tests/layers/layer_harness.h"
#include "tests/schedules/compiled_model.h"

namespace calotype::testing {
namespace {

TEST(channel_shuffle, compiles_between_other_layers) {
  const Graph graph = graph_of(R"(network shuffled(x: f32[1, 6, 3, 5]) -> y {
  twice    = mul(x, x)
  shuffled = channel_shuffle(groups=3)
  y        = relu()
})");
  const TensorData x = arange({1, 6, 3, 5});
  const CompiledRun run = compile_and_run(graph, {x});
  std::vector<double> expected;
  for (int channel : {0, 2, 4, 1, 3, 5}) {
    for (int pixel = 0; pixel < 15; ++pixel) expected.push_back((channel * 15.0 + pixel) * (channel * 15.0 + pixel));
  }
  EXPECT_EQ(difference(run.results.at(0), tensor({1, 6, 3, 5}, expected), 0), "");
}

}  // namespace
}  // namespace calotype::testing
