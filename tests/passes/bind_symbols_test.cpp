/// \file
/// Symbols get their numbers from --set, the batch defaults to 1, and what stays unbound is named.
#include <gmock/gmock.h>

#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype {
namespace {

Graph parse(const std::string& text) { return frontend::parse(std::make_shared<const SourceFile>(SourceFile{"test.layers", text})); }

Graph bound(const std::string& text, const Symbols& symbols = {}) {
  Graph graph = parse(text);
  passes::bind_symbols(graph, symbols);
  return graph;
}

std::vector<Diagnostic> diagnostics(const std::string& text, const Symbols& symbols = {}) {
  try {
    bound(text, symbols);
  } catch (const Failure& failure) {
    return failure.diagnostics();
  }
  return {};
}

std::vector<std::int64_t> extents(const Declaration& declaration) {
  std::vector<std::int64_t> numbers;
  for (const Dimension& dimension : declaration.dimensions) numbers.push_back(std::get<std::int64_t>(dimension));
  return numbers;
}

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BindSymbols, TheBatchDefaultsToOne) {
  const Graph graph = bound("network n(x: f32[N, 3, 8, 8]) -> y: f32[N, 3, 8, 8] {\n  y = relu()\n}\n");
  EXPECT_THAT(extents(graph.inputs[0].declaration), ElementsAre(1, 3, 8, 8));
  EXPECT_THAT(extents(graph.results[0].declaration), ElementsAre(1, 3, 8, 8));
}

TEST(BindSymbols, SetGivesNumbersEverywhere) {
  const Graph graph = bound(
      "network n(x: u8[N, H, 2 * H, C] channels_last) -> y {\n"
      "  y = conv(x, filters=C * 4, kernel=[H / 4, 3])\n"
      "}\n",
      {{"N", 8}, {"H", 12}, {"C", 3}});
  EXPECT_THAT(extents(graph.inputs[0].declaration), ElementsAre(8, 3, 12, 24));
  EXPECT_EQ(std::get<std::int64_t>(find(graph.ops[0].attributes, "filters")->value), 12);
  const auto& kernel = std::get<Attribute::List>(find(graph.ops[0].attributes, "kernel")->value);
  EXPECT_EQ(std::get<std::int64_t>(kernel[0].value), 3);
}

TEST(BindSymbols, OnlyALoneFirstDimensionDefaults) {
  const std::vector<Diagnostic> found = diagnostics("network n(a: f32[N, C], b: f32[2 * M, C]) -> y {\n  y = relu(a)\n}\n");
  ASSERT_EQ(found.size(), 2U);  // C is named once
  EXPECT_THAT(found[0].message, HasSubstr("'C' has no value; give it with --set C="));
  EXPECT_EQ(found[0].where.line, 1);
  EXPECT_EQ(found[0].where.column, 21);
  EXPECT_THAT(found[1].message, HasSubstr("'M'"));
}

TEST(BindSymbols, AChannelsLastInputHasItsBatchFirstToo) {
  const Graph graph = bound("network n(x: u8[N, 4, 4, 3] channels_last) -> y {\n  y = relu()\n}\n");
  EXPECT_THAT(extents(graph.inputs[0].declaration), ElementsAre(1, 3, 4, 4));
}

TEST(BindSymbols, RefusesWhatTheNetworkDoesNotHave) {
  const std::string text = "network n(x: f32[batch, 3]) -> y {\n  y = relu()\n}\n";
  const std::vector<Diagnostic> found = diagnostics(text, {{"bacth", 8}, {"Q", 1}});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].fault, Fault::usage);
  EXPECT_THAT(found[0].notes, ElementsAre("it has batch"));
  EXPECT_THAT(found[1].message, HasSubstr("no symbol 'bacth'; did you mean 'batch'?"));
}

TEST(BindSymbols, ChecksWhatComesOut) {
  const std::string text = "network n(x: f32[N, H - 4, H / 2]) -> y {\n  y = relu()\n}\n";
  EXPECT_THAT(diagnostics(text, {{"H", 2}}).at(0).message, "H - 4 is -2; an extent is at least 0");
  EXPECT_THAT(diagnostics(text, {{"H", 5}}).at(0).message, HasSubstr("leaves a remainder"));
  EXPECT_TRUE(diagnostics(text, {{"H", 4}}).empty());
  EXPECT_THAT(diagnostics("network n(x: f32[H * H]) -> y {\n  y = relu()\n}\n", {{"H", INT64_MAX}}).at(0).where.line, 1);
}

TEST(BindSymbols, BoundGraphsPrint) {
  const Graph graph = bound("network n(x: f32[N, 3]) -> y {\n  y = reshape(shape=[N, 3, 1])\n}\n", {{"N", 4}});
  EXPECT_EQ(frontend::print(graph), "network n(x: f32[4, 3]) -> y {\n  y = reshape(x, shape=[4, 3, 1])\n}\n");
}

}  // namespace
}  // namespace calotype
