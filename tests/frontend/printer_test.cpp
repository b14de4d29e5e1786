/// \file
/// parse(print(graph)) is the graph: on every sample, on each form the grammar has, and on random graphs.
#include <gmock/gmock.h>

#include <filesystem>
#include <limits>
#include <random>

#include "frontend/frontend.h"
#include "tests/frontend/same_graph.h"

namespace calotype {
namespace {

Graph parse(const std::string& text) { return frontend::parse(std::make_shared<const SourceFile>(SourceFile{"test.layers", text})); }

/// Prints, parses, compares; and printing once more gives the same text.
void expect_round_trip(const Graph& graph) {
  const std::string text = frontend::print(graph);
  try {
    const Graph again = parse(text);
    EXPECT_EQ(difference(graph, again), "") << text;
    EXPECT_EQ(frontend::print(again), text);
  } catch (const Failure& failure) {
    FAIL() << render(failure) << text;
  }
}

TEST(Printer, PrintsTheTextThatAPersonWouldWrite) {
  const std::string text =
      "network n(image: f32[N, 3, 32, 32]) -> y: f32[N, 8, 32, 32] {\n"
      "  weights \"n.safetensors\"\n"
      "  conv1 = conv(image, filters=8, kernel=3x3, padding=[1, 1], weight=[[0.1, 1e-05], [-2.0, inf]])\n"
      "  y     = relu(conv1)\n"
      "}\n";
  EXPECT_EQ(frontend::print(parse(text)), text);
}

TEST(Printer, KeepsEveryForm) {
  expect_round_trip(parse(R"(
block b(x, n, k=[3, 3], act=relu, skip=_) -> u, v {
  u = conv(x, filters=n * 2, kernel=k, activation=act)
  s = add(u, x)
  v = conv(x, skip, filters=n / 2 - 1, kernel=1x1)
}
network "a net"(image: u8[N, H, W, 3] channels_last, "odd/name:0": f32["batch size", 2 * N, 0], scalar: f32[]) -> p: f32[N, ("same")], q, image, "odd/name:0" {
  weights "a\\b\".safetensors"
  weights "b.safetensors"
  w = parameter(f32[64, 3, N, ("batch size")])
  c = constant([[1, 2.0], [-3, -0.0]], type=f64)
  d = constant(-9223372036854775808)
  e = constant([inf, -inf, nan, true, -N + 2 * (H - 1) / 2 - (N - (H - W)), 1e300, 5e-324])
  "x y" = conv(image, w, filters=-(N), kernel=3x1)
  p, q = b("x y", n=6)
  r, t = b("odd/name:0", n=6, skip=image, k=2x2, act=tanh)
  "z\u00e9\n" = relu(r.s)
}
)"));
}

TEST(Printer, BreaksLongLinesInsideBrackets) {
  std::string text = "network n(image: f32[1, 3]) -> c {\n  c = constant([";
  for (int i = 0; i < 500; ++i) text += std::to_string(i) + ", ";
  const Graph graph = parse(text + "[1, [2]]], type=i64)\n}\n");
  const std::string printed = frontend::print(graph);
  for (std::size_t begin = 0; begin < printed.size(); begin = printed.find('\n', begin) + 1)
    EXPECT_LE(printed.find('\n', begin) - begin, 140U);
  expect_round_trip(graph);
}

TEST(Printer, PrintsWhatPassesMake) {
  Graph graph = parse("network n(x: f32[1, 3]) -> y {\n  a = relu()\n  y = add(a, a)\n}\n");
  Value folded{"folded", Value::Origin::constant, {ElementType::f32, {2, 3}}, true};
  folded.data = own<float>(folded.type, {0.1F, -2, 1e-5F, 16777216, INFINITY, 3.4028235e38F});
  graph.op(1).operands[1] = add_value(graph, folded);
  Value implied{"y.weight", Value::Origin::weight, {ElementType::f32, {3}}, true, true};
  graph.op(0).operands.push_back(add_value(graph, implied));
  EXPECT_EQ(frontend::print(graph),
            "network n(x: f32[1, 3]) -> y {\n"
            "  folded = constant([[0.1, -2, 1e-05], [16777216, inf, 3.4028235e+38]], type=f32)\n"
            "  a = relu(x)\n"
            "  y = add(a, folded)\n"
            "}\n");
}

/// A graph with all kinds of attributes and names, from a seed.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {}

  Graph make() {
    Graph graph;
    graph.name = name();
    for (int i = 0; i <= pick(2); ++i) add_input(graph);
    for (int i = 0; i < pick(3); ++i) graph.weight_files.push_back("file " + std::to_string(pick(100)));
    for (int i = 0; i < 1 + pick(12); ++i) add_op(graph);
    const int count = 1 + pick(2);
    for (int i = 0; i < count; ++i) add_result(graph, i);
    return graph;
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }

  std::string name() {
    static const char* const forms[] = {"v",     "layer1.0.conv", "_v",   "a b",     "0",       "true", "\"",
                                        "\\n\n", "é/:",           "x.y.", "network", "weights", "relu"};
    return forms[pick(13)] + std::to_string(number_++);
  }

  Dimension dimension() {
    if (pick(3) > 0) return std::int64_t{pick(5)};
    return symbol();
  }

  ExpressionPointer symbol() {
    static const char* const names[] = {"N", "H", "batch size", "same", "f32", "true"};
    return std::make_shared<const Expression>(Expression{Expression::Kind::symbol, 0, names[pick(6)]});
  }

  void add_input(Graph& graph) {
    Declaration declaration{static_cast<ElementType>(pick(13)), {}, false, true};
    for (int i = 0; i < pick(5); ++i) declaration.dimensions.push_back(dimension());
    declaration.channels_last = declaration.dimensions.size() > 2 && pick(2) == 0;
    // Symbols are what the header declares: let one input have them all.
    if (graph.inputs.empty()) {
      for (const char* name : {"N", "H", "batch size", "same", "f32", "true"}) {
        declaration.dimensions.push_back(std::make_shared<const Expression>(Expression{Expression::Kind::symbol, 0, name}));
      }
    }
    Value value;
    value.name = name();
    value.origin = Value::Origin::input;
    graph.inputs.push_back({add_value(graph, value), declaration});
  }

  ExpressionPointer expression(int depth) {
    if (depth == 0 || pick(4) == 0) {
      if (pick(2) == 0) return symbol();
      return std::make_shared<const Expression>(Expression{Expression::Kind::number, pick(20) - 10});
    }
    ExpressionPointer left = expression(depth - 1), right = expression(depth - 1);
    // The parser folds numbers, so no graph has an operation on two of them; nor a division by zero.
    if (left->kind == Expression::Kind::number && right->kind == Expression::Kind::number) left = symbol();
    auto kind = static_cast<Expression::Kind>(2 + pick(4));
    if (kind == Expression::Kind::divide && right->kind == Expression::Kind::number && right->number == 0) kind = Expression::Kind::add;
    return std::make_shared<const Expression>(Expression{kind, 0, {}, left, right});
  }

  ExpressionPointer symbolic() {
    const ExpressionPointer made = expression(3);
    return made->kind == Expression::Kind::number ? symbol() : made;
  }

  double real() {
    static constexpr double odd[] = {0.0,
                                     -0.0,
                                     1.0,
                                     0.1,
                                     1e-5,
                                     -1e300,
                                     5e-324,
                                     std::numeric_limits<double>::infinity(),
                                     -std::numeric_limits<double>::infinity(),
                                     std::numeric_limits<double>::quiet_NaN()};
    if (pick(2) == 0) return odd[pick(10)];
    return std::ldexp(static_cast<double>(random_()) - 2147483648.0, pick(200) - 100);
  }

  /// Numbers in nested lists, as the layers' tensor arguments take them.
  Attribute tensor(int depth) {
    Attribute attribute;
    switch (depth > 0 ? pick(5) : pick(4)) {
      case 0: attribute.value = static_cast<std::int64_t>(random_()) - 2147483648LL; break;
      case 1: attribute.value = real(); break;
      case 2: attribute.value = pick(2) == 0; break;
      case 3: attribute.value = symbolic(); break;
      default: {
        Attribute::List list;
        for (int i = 0; i < pick(6); ++i) list.push_back(tensor(depth - 1));
        attribute.value = std::move(list);
      }
    }
    return attribute;
  }

  Attribute extents() {
    if (pick(3) == 0) return {symbolic()};
    Attribute::List list;
    for (int i = 0; i < 1 + pick(3); ++i) list.push_back({std::int64_t{pick(9) - 2}});
    return {list};
  }

  ValueId operand(const Graph& graph) { return pick(static_cast<int>(graph.values.size())); }

  void add_op(Graph& graph) {
    Op op;
    switch (pick(4)) {
      case 0:
        op.kind = "conv";
        op.operands = {operand(graph), no_value, operand(graph)};
        op.attributes = {{"filters", {std::int64_t{pick(9)}}}, {"kernel", extents()}, {"padding", {Word{"same"}}}, {"weight", tensor(4)}};
        break;
      case 1:
        op.kind = "constant";
        op.attributes = {{"value", tensor(3)}, {"type", {Word{"f64"}}}};
        break;
      case 2: {
        op.kind = "parameter";
        Attribute::List shape;
        for (int i = 0; i < pick(4); ++i) shape.push_back(pick(2) == 0 ? Attribute{std::int64_t{pick(9)}} : Attribute{symbolic()});
        op.attributes = {{"type", {Word{"f16"}}}, {"shape", {shape}}};
        break;
      }
      default:
        op.kind = "add";
        op.operands = {operand(graph), operand(graph)};
        for (int i = 0; i < pick(3); ++i) op.operands.push_back(operand(graph));
    }
    Value value;
    value.name = op.name = name();
    value.producer = static_cast<OpId>(graph.ops.size());
    op.results = {add_value(graph, value)};
    graph.ops.push_back(std::move(op));
  }

  void add_result(Graph& graph, int index) {
    GraphResult result{"", operand(graph)};
    result.name = pick(2) == 0 ? graph.value(result.value).name : name();
    for (const GraphResult& other : graph.results) {
      if (other.name == result.name) result.name = "result " + std::to_string(index);
    }
    if (pick(2) == 0) result.declaration = {ElementType::f32, {dimension(), dimension(), dimension()}, pick(2) == 0, true};
    graph.results.push_back(result);
  }

  std::mt19937 random_;
  int number_ = 0;
};

TEST(Printer, ReturnsRandomGraphs) {
  for (unsigned seed = 0; seed < 500 && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    expect_round_trip(RandomGraph(seed).make());
  }
}

class Sample : public ::testing::TestWithParam<std::string> {};

TEST_P(Sample, RoundTrips) {
  const Graph graph = frontend::read(GetParam());
  verify(graph, "read");
  expect_round_trip(graph);
}

std::vector<std::string> samples() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(CALOTYPE_SOURCE_DIR "/samples")) {
    if (entry.path().extension() == ".layers") paths.push_back(entry.path().string());
  }
  return paths;
}

INSTANTIATE_TEST_SUITE_P(Networks, Sample, ::testing::ValuesIn(samples()), [](const auto& parameter) {
  std::string name;
  for (const char c : std::filesystem::path(parameter.param).stem().string()) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

}  // namespace
}  // namespace calotype
