/// \file
/// passes::fold_constants on descriptions: what is known goes, what is not stays, and the numbers are right.
#include <gtest/gtest.h>

#include "codegen/interpret.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype::testing {
namespace {

Graph folded(const std::string& body, std::size_t ops_before) {
  const std::string text = "network folding(x: f32[2, 3]) -> y {\n" + body + "}\n";
  Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"folding.layers", text}));
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  passes::fold_constants(graph, codegen::evaluate);
  passes::remove_dead(graph);
  verify(graph, "fold_constants");
  EXPECT_LT(graph.ops.size(), ops_before);
  return graph;
}

std::vector<double> numbers_of(const TensorData& data) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

TEST(FoldConstants, ChainsBecomeOneConstant) {
  const Graph graph = folded("  w = constant([[1, 2, 3]])\n  s = mul(w, w)\n  t = sub(s, w)\n  y = add(x, t)\n", 4);
  ASSERT_EQ(graph.ops.size(), 1U);
  const Value& known = graph.value(graph.ops.front().operands[1]);
  ASSERT_TRUE(known.data.has_value());
  EXPECT_EQ(known.type.extents, (std::vector<std::int64_t>{1, 3}));
  EXPECT_EQ(numbers_of(known.data->read()), (std::vector<double>{0, 2, 6}));
}

TEST(FoldConstants, ReductionsSoftmaxAndProducts) {
  const Graph graph = folded(
      "  a = constant([[1, 2], [3, 4], [5, 6]])\n  b = constant([[1, 0, 2], [0, 1, 3]])\n  p = matmul(a, b)\n  r = reduce_max(p, axes=0)\n "
      " y = add(x, r)\n",
      5);
  ASSERT_EQ(graph.ops.size(), 1U);
  // [[1, 2, 8], [3, 4, 18], [5, 6, 28]]
  EXPECT_EQ(numbers_of(graph.value(graph.ops.front().operands[1]).data->read()), (std::vector<double>{5, 6, 28}));
}

TEST(FoldConstants, ResultsOfTheNetworkStayComputed) {
  const std::string text = "network all_known(x: f32[1]) -> y {\n  a = constant([1, 2])\n  b = add(a, a)\n  y = mul(b, b)\n}\n";
  Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"known.layers", text}));
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  passes::fold_constants(graph, codegen::evaluate);
  passes::remove_dead(graph);
  ASSERT_EQ(graph.ops.size(), 1U);
  EXPECT_EQ(graph.ops.front().kind, "mul");
  EXPECT_EQ(numbers_of(graph.value(graph.ops.front().operands[0]).data->read()), (std::vector<double>{2, 4}));
}

}  // namespace
}  // namespace calotype::testing
