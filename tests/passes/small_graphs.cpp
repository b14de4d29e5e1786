/// \file
/// Small graphs for tests of passes.
#include "small_graphs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype::testing {
namespace {

namespace fs = std::filesystem;

std::string samples_folder() { return std::string(CALOTYPE_SOURCE_DIR) + "/samples/networks/"; }

void give_zeros(Graph& graph) {
  std::int64_t most = 0;
  for (const Value& value : graph.values) {
    if (value.origin == Value::Origin::weight) most = std::max(most, value.type.bytes());
  }
  const std::shared_ptr<void> zeros(std::calloc(1, static_cast<std::size_t>(most)), std::free);
  for (Value& value : graph.values) {
    if (value.origin != Value::Origin::weight || value.data) continue;
    value.data = TensorData{value.type, {static_cast<const std::byte*>(zeros.get()), static_cast<std::size_t>(value.type.bytes())}, zeros};
  }
}

Graph typed_with_zeros(Graph graph) {
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  give_zeros(graph);
  return graph;
}

}  // namespace

Graph graph_without_weights(const std::string& text) {
  auto source = std::make_shared<SourceFile>();
  source->path = "test.layers";
  source->text = text;
  return typed_with_zeros(frontend::parse(source));
}

Graph sample_network(const std::string& name) { return typed_with_zeros(frontend::read(samples_folder() + name + ".layers")); }

std::vector<std::string> sample_networks() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(samples_folder())) {
    if (entry.path().extension() == ".layers") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

Graph small_graph(const std::string& header, const std::string& body, std::uint64_t seed) {
  auto source = std::make_shared<SourceFile>();
  source->path = "test.layers";
  source->text = fmt::format("network {} {{\n{}\n}}\n", header, body);
  Graph graph = frontend::parse(source);
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  passes::randomize_weights(graph, seed);
  return graph;
}

ValueId id_of(const Graph& graph, const std::string& name) {
  const auto named = [&](ValueId id) { return id != no_value && graph.value(id).name == name; };
  for (const Op& op : graph.ops) {
    for (const ValueId id : op.results) {
      if (named(id)) return id;
    }
    for (const ValueId id : op.operands) {
      if (named(id)) return id;
    }
  }
  for (ValueId id = 0; static_cast<std::size_t>(id) < graph.values.size(); ++id) {
    if (named(id)) return id;
  }
  throw std::out_of_range("no value is named " + name);
}

const Value& value_named(const Graph& graph, const std::string& name) { return graph.value(id_of(graph, name)); }

const Op& maker_of(const Graph& graph, const std::string& name) {
  const OpId maker = value_named(graph, name).producer;
  if (maker == no_op) throw std::out_of_range("no op makes " + name);
  return graph.op(maker);
}

std::vector<std::string> ops_of(const Graph& graph) {
  std::vector<std::string> list;
  for (const Op& op : graph.ops) {
    std::string text = op.kind;
    for (const ValueId operand : op.operands) text += operand == no_value ? " _" : " " + graph.value(operand).name;
    text += " ->";
    for (const ValueId result : op.results) text += " " + graph.value(result).name;
    list.push_back(text);
  }
  return list;
}

std::vector<double> numbers_of(const Value& value) {
  std::vector<double> numbers;
  const TensorData data = value.data.value().read();
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

}  // namespace calotype::testing
