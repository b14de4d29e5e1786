/// \file
/// What a description means: the graph that each form of the grammar gives.
#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "frontend/frontend.h"

namespace calotype {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Graph parse(const std::string& text) {
  try {
    Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"test.layers", text}));
    verify(graph, "parse");
    return graph;
  } catch (const Failure& failure) {
    ADD_FAILURE() << render(failure);
    throw;
  }
}

/// Statements in a network of one input `x`, whose result is `y`.
Graph statements(const std::string& text) { return parse("network n(x: f32[N, 4, 8, 8]) -> y {\n" + text + "\n}\n"); }

const Op& op_named(const Graph& graph, const std::string& name) {
  for (const Op& op : graph.ops) {
    if (op.name == name) return op;
  }
  throw std::runtime_error("no op is named " + name);
}

std::vector<std::string> names(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<std::string> texts;
  for (const ValueId id : values) texts.push_back(id == no_value ? "_" : graph.value(id).name);
  return texts;
}

std::vector<std::string> operands(const Graph& graph, const std::string& op) { return names(graph, op_named(graph, op).operands); }

std::vector<std::string> op_names(const Graph& graph) {
  std::vector<std::string> texts;
  for (const Op& op : graph.ops) texts.push_back(op.name);
  return texts;
}

const Attribute& argument(const Graph& graph, const std::string& op, const std::string& name) {
  const Attribute* found = find(op_named(graph, op).attributes, name);
  if (!found) throw std::runtime_error(op + " has no argument " + name);
  return *found;
}

std::int64_t integer(const Attribute& attribute) { return std::get<std::int64_t>(attribute.value); }

std::vector<std::int64_t> integers(const Attribute& attribute) {
  std::vector<std::int64_t> numbers;
  for (const Attribute& item : std::get<Attribute::List>(attribute.value)) numbers.push_back(integer(item));
  return numbers;
}

std::int64_t arithmetic(const std::string& text) {
  return integer(argument(statements("  y = conv(filters=" + text + ", kernel=1)"), "y", "filters"));
}

TEST(Text, AnOperandThatIsNotWrittenIsTheFirstResultAbove) {
  const Graph graph = statements(
      "  a = relu()\n"
      "  weights \"w.safetensors\"\n"
      "  b, c = split(axis=1, parts=2)\n"
      "  d = relu()\n"
      "  k = constant(1)\n"
      "  e = relu()\n"
      "  second = a\n"
      "  y = relu()");
  EXPECT_THAT(operands(graph, "a"), ElementsAre("x"));
  EXPECT_THAT(operands(graph, "b"), ElementsAre("a"));
  EXPECT_THAT(operands(graph, "d"), ElementsAre("b"));
  EXPECT_THAT(operands(graph, "k"), IsEmpty());
  EXPECT_THAT(operands(graph, "e"), ElementsAre("k"));
  EXPECT_THAT(operands(graph, "y"), ElementsAre("a"));
  EXPECT_THAT(graph.weight_files, ElementsAre("w.safetensors"));
}

TEST(Text, ASourceInTheFirstStatementLeavesTheInputAlone) {
  const Graph graph = parse("network n(a: f32[1], b: f32[1]) -> y {\n  c = constant([1, 2])\n  y = add(a, c)\n}\n");
  EXPECT_THAT(operands(graph, "c"), IsEmpty());
}

TEST(Text, AbsentOperandsKeepTheirPlace) {
  const Graph graph = statements("  b = constant([1, 2])\n  y = conv(x, _, b, filters=2, kernel=1)");
  EXPECT_THAT(operands(graph, "y"), ElementsAre("x", "_", "b"));
}

TEST(Text, SeveralResultsAreNamedAndTheFirstNamesTheLayer) {
  const Graph graph = statements("  a, b = split(axis=1, parts=2)\n  y = add(b, a)");
  EXPECT_THAT(op_names(graph), ElementsAre("a", "y"));
  EXPECT_THAT(names(graph, graph.ops[0].results), ElementsAre("a", "b"));
  EXPECT_THAT(operands(graph, "y"), ElementsAre("b", "a"));
}

TEST(Text, ArithmeticFollowsTheUsualRules) {
  EXPECT_EQ(arithmetic("2 + 3 * 4"), 14);
  EXPECT_EQ(arithmetic("(2 + 3) * 4"), 20);
  EXPECT_EQ(arithmetic("20 - 3 - 4"), 13);
  EXPECT_EQ(arithmetic("24 / 4 / 2"), 3);
  EXPECT_EQ(arithmetic("-2 * -3"), 6);
  EXPECT_EQ(arithmetic("--5"), 5);
  EXPECT_EQ(arithmetic("-(2 - 5)"), 3);
  EXPECT_EQ(arithmetic("7-3"), 4);
  EXPECT_EQ(arithmetic("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(arithmetic("-9223372036854775808"), INT64_MIN);
}

TEST(Text, ArithmeticOnSymbolsWaits) {
  const Graph graph = statements("  y = conv(filters=2 * N - (3 - 1), kernel=1)");
  const Attribute& filters = argument(graph, "y", "filters");
  ASSERT_TRUE(std::holds_alternative<ExpressionPointer>(filters.value));
  const Expression& expression = *std::get<ExpressionPointer>(filters.value);
  EXPECT_EQ(to_text(expression), "2 * N - 2");
  EXPECT_EQ(evaluate(expression, {{"N", 5}}), 8);
}

TEST(Text, LiteralsAreWhatTheyLookLike) {
  const Graph graph = statements("  y = constant([3, 3.0, 1e3, 1., 2E-1, true, false, inf, -inf, nan, -0.0, 0])");
  const auto& list = std::get<Attribute::List>(argument(graph, "y", "value").value);
  EXPECT_EQ(integer(list[0]), 3);
  EXPECT_EQ(std::get<double>(list[1].value), 3.0);
  EXPECT_EQ(std::get<double>(list[2].value), 1000.0);
  EXPECT_EQ(std::get<double>(list[3].value), 1.0);
  EXPECT_EQ(std::get<double>(list[4].value), 0.2);
  EXPECT_TRUE(std::get<bool>(list[5].value));
  EXPECT_FALSE(std::get<bool>(list[6].value));
  EXPECT_EQ(std::get<double>(list[7].value), std::numeric_limits<double>::infinity());
  EXPECT_EQ(std::get<double>(list[8].value), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(std::get<double>(list[9].value)));
  EXPECT_TRUE(std::signbit(std::get<double>(list[10].value)));
  EXPECT_EQ(integer(list[11]), 0);
}

TEST(Text, ExtentsAreLists) {
  const Graph graph =
      statements("  a = conv(filters=2, kernel=3x5)\n  b = conv(filters=2, kernel=[3, 5])\n  y = conv(filters=2, kernel=3)");
  EXPECT_THAT(integers(argument(graph, "a", "kernel")), ElementsAre(3, 5));
  EXPECT_THAT(integers(argument(graph, "b", "kernel")), ElementsAre(3, 5));
  EXPECT_EQ(integer(argument(graph, "y", "kernel")), 3);
}

TEST(Text, LinesGoOnInsideBracketsAndCommentsDoNotCount) {
  const Graph graph = parse(
      "\xEF\xBB\xBF# A comment with \xC3\xA9 and \" and (.\r\n"
      "network n(\r\n"
      "    x: f32[1,   # the batch\r\n"
      "           4])\r\n"
      "    -> y {\r\n"
      "  y = conv(  # open\r\n"
      "\r\n"
      "    x,\r\n"
      "    filters=2, kernel=[\r\n"
      "      1,\r\n"
      "    ],\r\n"
      "  )\r\n"
      "}");
  EXPECT_THAT(integers(argument(graph, "y", "kernel")), ElementsAre(1));
}

TEST(Text, QuotedNamesAreNames) {
  const Graph graph = parse(R"(network "a net"("in/put:0": f32[1, 2]) -> "r\u00e9sult" {
  "a \"b\"\\" = relu("in/put:0")
  "r\u00e9sult" = relu("a \"b\"\\")
})");
  EXPECT_EQ(graph.name, "a net");
  EXPECT_THAT(op_names(graph), ElementsAre("a \"b\"\\", "r\xC3\xA9sult"));
  EXPECT_EQ(graph.results[0].name, "r\xC3\xA9sult");
}

TEST(Text, AQuotedPlainNameIsTheSameName) {
  const Graph graph = statements("  \"a\" = relu()\n  y = relu(a)");
  EXPECT_THAT(operands(graph, "y"), ElementsAre("a"));
}

TEST(Text, ChannelsLastIsWrittenAsTheBufferLies) {
  const Graph graph =
      parse("network n(image: u8[N, 224, 192, 3] channels_last) -> y: f32[N, 224, 192, 3] channels_last {\n  y = relu()\n}\n");
  for (const Declaration& declaration : {graph.inputs[0].declaration, graph.results[0].declaration}) {
    EXPECT_TRUE(declaration.channels_last);
    EXPECT_TRUE(declaration.stated);
    EXPECT_EQ(std::get<ExpressionPointer>(declaration.dimensions[0])->symbol, "N");
    EXPECT_EQ(std::get<std::int64_t>(declaration.dimensions[1]), 3);
    EXPECT_EQ(std::get<std::int64_t>(declaration.dimensions[2]), 224);
    EXPECT_EQ(std::get<std::int64_t>(declaration.dimensions[3]), 192);
  }
  EXPECT_EQ(graph.inputs[0].declaration.element, ElementType::u8);
}

TEST(Text, ResultsMayHaveTypesOrNone) {
  const Graph graph = parse("network n(x: f32[], z: bool[0]) -> y, w: i64[2, 0] {\n  y = relu(x)\n  w = relu()\n}\n");
  EXPECT_TRUE(graph.inputs[0].declaration.dimensions.empty());
  EXPECT_EQ(graph.inputs[1].declaration.element, ElementType::boolean);
  EXPECT_FALSE(graph.results[0].declaration.stated);
  EXPECT_EQ(graph.results[1].declaration.element, ElementType::i64);
  EXPECT_EQ(graph.results[1].declaration.dimensions.size(), 2U);
}

TEST(Text, ParametersHaveATypeAndAShape) {
  const Graph graph = statements("  w = parameter(f16[64, 3 + 1, N, 3])\n  y = conv(x, w)");
  EXPECT_EQ(std::get<Word>(argument(graph, "w", "type").value).text, "f16");
  const auto& shape = std::get<Attribute::List>(argument(graph, "w", "shape").value);
  ASSERT_EQ(shape.size(), 4U);
  EXPECT_EQ(integer(shape[1]), 4);
  EXPECT_EQ(std::get<ExpressionPointer>(shape[2].value)->symbol, "N");
  EXPECT_THAT(operands(graph, "y"), ElementsAre("x", "w"));
}

constexpr const char* basic =
    "block basic(x, filters, stride=1, act=relu) -> y {\n"
    "  conv1 = conv(filters=filters / 2, kernel=[stride, 3], activation=act)\n"
    "  y     = add(conv1, x)\n"
    "}\n";

TEST(Blocks, ExpandUnderTheNameOfTheInstance) {
  const Graph graph = parse(std::string(basic) +
                            "network n(image: f32[1, 4, 8, 8]) -> layer1.1, first {\n"
                            "  layer1.0 = basic(image, filters=4)\n"
                            "  layer1.1 = basic(filters=8, stride=2, act=tanh)\n"
                            "  first    = relu(layer1.0.conv1)\n"
                            "}\n");
  EXPECT_THAT(op_names(graph), ElementsAre("layer1.0.conv1", "layer1.0.y", "layer1.1.conv1", "layer1.1.y", "first"));
  EXPECT_THAT(operands(graph, "layer1.0.conv1"), ElementsAre("image"));
  EXPECT_THAT(operands(graph, "layer1.1.conv1"), ElementsAre("layer1.0.y"));
  EXPECT_THAT(operands(graph, "layer1.1.y"), ElementsAre("layer1.1.conv1", "layer1.0.y"));
  EXPECT_THAT(operands(graph, "first"), ElementsAre("layer1.0.conv1"));
  EXPECT_EQ(integer(argument(graph, "layer1.0.conv1", "filters")), 2);
  EXPECT_THAT(integers(argument(graph, "layer1.1.conv1", "kernel")), ElementsAre(2, 3));
  EXPECT_EQ(std::get<Word>(argument(graph, "layer1.1.conv1", "activation").value).text, "tanh");
  // The instance is another name of its result.
  EXPECT_EQ(graph.results[0].name, "layer1.1");
  EXPECT_EQ(graph.value(graph.results[0].value).name, "layer1.1.y");
}

TEST(Blocks, MayCallBlocksThatStandBelow) {
  const Graph graph = parse(
      "block outer(x, n) -> b {\n"
      "  a = inner(x, n=n + 1)\n"
      "  b = inner(n=n * N)\n"
      "}\n"
      "network n(x: f32[N, 4]) -> out {\n"
      "  out = outer(n=3)\n"
      "}\n"
      "block inner(x, n) -> y {\n"
      "  y = conv(x, filters=2 * n, kernel=1)\n"
      "}\n");
  EXPECT_THAT(op_names(graph), ElementsAre("out.a.y", "out.b.y"));
  EXPECT_EQ(integer(argument(graph, "out.a.y", "filters")), 8);
  EXPECT_EQ(to_text(*std::get<ExpressionPointer>(argument(graph, "out.b.y", "filters").value)), "2 * (3 * N)");
  EXPECT_EQ(graph.value(graph.results[0].value).name, "out.b.y");
}

TEST(Blocks, MayHaveSeveralResults) {
  const Graph graph = parse(
      "block b(x) -> u, v {\n"
      "  v = relu(x)\n"
      "  u = tanh(v)\n"
      "}\n"
      "network n(x: f32[1]) -> y, z {\n"
      "  p, q = b(x)\n"
      "  y = relu()\n"
      "  z = relu(q)\n"
      "}\n");
  EXPECT_THAT(op_names(graph), ElementsAre("p.v", "p.u", "y", "z"));
  EXPECT_THAT(operands(graph, "y"), ElementsAre("p.u"));
  EXPECT_THAT(operands(graph, "z"), ElementsAre("p.v"));
}

TEST(Blocks, OperandsMayBeAbsentOrNamed) {
  const Graph graph = parse(
      "block b(x, w=_, n=3) -> y {\n"
      "  y = conv(x, w, filters=n, kernel=1)\n"
      "}\n"
      "network n(x: f32[1, 3, 4]) -> d {\n"
      "  k = parameter(f32[3, 3, 1])\n"
      "  a = b(x)\n"
      "  c = b(x, k)\n"
      "  d = b(w=k, x=c)\n"
      "}\n");
  EXPECT_THAT(operands(graph, "a.y"), ElementsAre("x", "_"));
  EXPECT_THAT(operands(graph, "c.y"), ElementsAre("x", "k"));
  EXPECT_THAT(operands(graph, "d.y"), ElementsAre("c.y", "k"));
}

TEST(Blocks, AParameterWinsOverASymbol) {
  const Graph graph = parse(
      "block b(x, C) -> y {\n  y = conv(x, filters=2 * C, kernel=C)\n}\n"
      "network n(x: f32[N, C, 8]) -> y {\n  y = b(C=3)\n}\n");
  EXPECT_EQ(integer(argument(graph, "y.y", "filters")), 6);
  EXPECT_EQ(integer(argument(graph, "y.y", "kernel")), 3);
}

TEST(Blocks, AParameterWinsOverAWord) {
  const Graph graph = parse(
      "block b(x, fast) -> y {\n  y = conv(x, filters=fast, kernel=1)\n}\n"
      "network n(x: f32[N, 4]) -> y {\n  y = b(fast=N)\n}\n");
  EXPECT_EQ(std::get<ExpressionPointer>(argument(graph, "y.y", "filters").value)->symbol, "N");
}

TEST(Locations, PointAtWhatWasWritten) {
  const Graph graph = parse(
      "block b(x, n) -> y {\n"
      "  y = conv(x, filters=n, kernel=1)\n"
      "}\n"
      "network n(x: f32[1, 4]) -> y {\n"
      "  y = b(n=64)\n"
      "}\n");
  const auto place = [](const SourceLocation& where) { return std::vector<int>{where.line, where.column, where.length}; };
  EXPECT_THAT(place(graph.ops[0].location), ElementsAre(2, 3, 32));
  EXPECT_THAT(place(graph.ops[0].attributes[0].location), ElementsAre(2, 15, 7));
  EXPECT_THAT(place(graph.ops[0].attributes[0].value.location), ElementsAre(5, 11, 2));  // where the number stands
  EXPECT_THAT(place(graph.value(graph.inputs[0].value).location), ElementsAre(4, 11, 1));
  EXPECT_THAT(place(graph.value(graph.ops[0].results[0]).location), ElementsAre(2, 3, 1));
  EXPECT_THAT(place(graph.results[0].location), ElementsAre(4, 28, 1));
  EXPECT_EQ(graph.source->path, "test.layers");
}

}  // namespace
}  // namespace calotype
