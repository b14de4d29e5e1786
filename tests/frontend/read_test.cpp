/// \file
/// From a file to a graph: the whole way at once.
#include <gmock/gmock.h>

#include "frontend/frontend.h"

namespace calotype {
namespace {

TEST(Read, TellsWhoseFaultAFileIs) {
  const auto fault_of = [](const std::string& path) {
    try {
      frontend::read(path);
    } catch (const Failure& failure) {
      return failure.fault();
    }
    return Fault::bug;
  };
  EXPECT_EQ(fault_of("no/such/file.layers"), Fault::usage);
  EXPECT_EQ(fault_of("network.onnx"), Fault::unsupported);
  EXPECT_EQ(fault_of("network.txt"), Fault::usage);
}

TEST(Read, ReadsLeNet) {
  const Graph graph = frontend::read(CALOTYPE_SOURCE_DIR "/samples/networks/lenet5.layers");
  verify(graph, "read");
  EXPECT_EQ(graph.name, "lenet5");
  ASSERT_EQ(graph.ops.size(), 9U);
  EXPECT_EQ(graph.ops[0].kind, "conv");
  EXPECT_EQ(graph.op(1).operands, std::vector<ValueId>{graph.op(0).results.front()});
  ASSERT_EQ(graph.results.size(), 1U);
  EXPECT_EQ(graph.value(graph.results[0].value).name, "scores");
}

}  // namespace
}  // namespace calotype
