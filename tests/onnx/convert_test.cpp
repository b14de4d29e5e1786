/// \file
/// Whole ONNX files: what becomes of them, and that they compute what ONNX Runtime computes, both directly and by way of the text.
#include <gtest/gtest.h>

#include "answers.h"

namespace calotype::testing {
namespace {

TEST(Onnx, NetworkReadsAsAPersonWouldWriteIt) {
  const Graph graph = read_onnx(data_path("network.onnx"), {{"N", 2}});
  EXPECT_EQ(frontend::print(graph),
            "network network(x: f32[2, 3, 6, 6]) -> scores {\n"
            "  conv1        = conv(x, filters=4, kernel=3, padding=1, bias=false)\n"
            "  bn1          = batch_norm(conv1)\n"
            "  block.0.relu = relu(bn1)\n"
            "  p            = max_pool(block.0.relu, kernel=2)\n"
            "  f            = flatten(p)\n"
            "  fc           = dense(f, units=5)\n"
            "  scores = fc\n"
            "}\n");
  expect_answers("network", {{"N", 2}});
}

TEST(Onnx, ShapesFoldAway) {
  const Graph graph = read_onnx(data_path("shape_chain.onnx"), {{"N", 2}, {"H", 2}});
  ASSERT_EQ(graph.ops.size(), 1U);
  EXPECT_EQ(graph.ops.front().kind, "reshape");
  EXPECT_EQ(graph.value(graph.results.front().value).type.extents, (std::vector<std::int64_t>{2, 4, 6}));
  expect_answers("shape_chain", {{"N", 2}, {"H", 2}});
}

TEST(Onnx, SymbolsOfTheFileAreBoundOrNamed) {
  const auto read = [](const Symbols& symbols) { return refusal_of([&] { read_onnx(data_path("shape_chain.onnx"), symbols); }); };
  EXPECT_EQ(read({{"H", 4}}).text, "no failure");  // the batch is 1
  EXPECT_NE(read({{"N", 2}}).text.find("H"), std::string::npos);
}

TEST(Onnx, ConstantsInAllForms) { expect_answers("constants"); }

TEST(Onnx, FunctionsAreExpanded) { expect_answers("functions"); }

TEST(Onnx, InitializersThatAreInputsAreWeights) {
  EXPECT_EQ(read_onnx(data_path("ir3.onnx")).inputs.size(), 1U);
  expect_answers("ir3");
}

TEST(Onnx, SharedWeightsAreOneTensor) {
  const Graph graph = read_onnx(data_path("shared.onnx"));
  EXPECT_EQ(std::count_if(graph.values.begin(), graph.values.end(), [](const Value& value) { return value.data.has_value(); }), 1);
  expect_answers("shared");
}

TEST(Onnx, BoundInputsLeaveTheInterface) {
  const Graph graph = read_onnx(data_path("bind.onnx"), {}, {{"shape", array_of("bind.shape.npy")}});
  EXPECT_EQ(graph.inputs.size(), 1U);
  EXPECT_EQ(difference(run_all(graph, {array_of("bind.x.npy")}).front(), array_of("bind.y.npy"), 0), "");
  const Refusal unknown = refusal_of([] { read_onnx(data_path("bind.onnx"), {}, {{"shap", array_of("bind.shape.npy")}}); });
  EXPECT_EQ(unknown.fault, Fault::usage);
  const Refusal unfit = refusal_of([] { read_onnx(data_path("bind.onnx"), {}, {{"shape", array_of("bind.x.npy")}}); });
  EXPECT_EQ(unfit.fault, Fault::usage);
}

TEST(Onnx, AShapeGivenAtRunTimeIsRefusedByNameWhereNoneIsDeclared) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("late_undeclared.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(refusal.text,
            "y: Reshape: shape must be known at compile time, but it depends on the input shape; give that one with --bind shape=FILE.npy");
}

TEST(Onnx, WhereOnnxIsNotPython) {
  for (const char* name : {"backwards", "wrap_and_cut", "integer_mean"}) expect_answers(name);
}

TEST(Onnx, CornersOfOperators) {
  for (const char* name : {"empty_part", "prelu_of_rank_1", "prelu_of_a_number", "global_lp_pool", "nan_is_not_more", "stashed_statistics"})
    expect_answers(name);
}

TEST(Onnx, ShapesThatDoNotFitAreRefused) {
  EXPECT_EQ(refusal_of([] { read_onnx(data_path("bias_without_shape.onnx")); }).text, "GRU: b must be [1, 30], not []");
  EXPECT_EQ(refusal_of([] { read_onnx(data_path("axes_beyond_rank.onnx")); }).fault, Fault::unsupported);
}

TEST(Onnx, AllUnsupportedOperatorsAreNamedAtOnce) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("unsupported.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(refusal.text,
            "operator ai.onnx::NonExistent is not supported (2 nodes, the first is 'first')\n"
            "operator com.example::Fancy is not supported (node 'third')");
}

TEST(Onnx, AnUnknownAttributeIsRefused) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("unsupported_attribute.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(refusal.text, "y: MaxPool: attribute novelty is not supported");
}

}  // namespace
}  // namespace calotype::testing
