/// \file
/// calotype import: an ONNX file as a description that a person can read and edit, and its tensors as safetensors.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "cache/atomic_output.h"
#include "commands/model.h"
#include "commands/verbs.h"
#include "formats/safetensors.h"
#include "frontend/frontend.h"

namespace calotype::commands {
namespace {

/// Two numbers that a symbol could stand for.
using Trials = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;

/// What the file leaves open: batches of one and of two, other extents of sizes that pictures have, no two alike.
Trials open_symbols(const Graph& declared, const Symbols& given) {
  Trials trials;
  for (const GraphInput& input : declared.inputs) {
    for (const Dimension& dimension : input.declaration.dimensions) {
      const auto* expression = std::get_if<ExpressionPointer>(&dimension);
      if (expression == nullptr || (*expression)->kind != Expression::Kind::symbol || given.contains((*expression)->symbol)) continue;
      const auto size = static_cast<std::int64_t>(224 + 64 * trials.size());
      const bool is_batch = &dimension == &input.declaration.dimensions.front();
      trials.try_emplace((*expression)->symbol, is_batch ? std::pair<std::int64_t, std::int64_t>{1, 2} : std::pair{size, size + 32});
    }
  }
  return trials;
}

/// The network for one choice of numbers, its inputs declared with the symbols that these stand for.
Graph tried(const Graph& declared, Symbols symbols, const Trials& trials, bool second) {
  for (const auto& [symbol, numbers] : trials) symbols[symbol] = second ? numbers.second : numbers.first;
  Graph graph = declared;
  type_values(graph, symbols);
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::vector<Dimension>& dimensions = declared.inputs[i].declaration.dimensions;
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      const auto* expression = std::get_if<ExpressionPointer>(&dimensions[d]);
      if (expression != nullptr && trials.contains((*expression)->symbol)) graph.inputs[i].declaration.dimensions[d] = dimensions[d];
    }
  }
  return graph;
}

/// Do both say the same, in statements and in the numbers of tensors?
bool are_equal(const Graph& one, const Graph& other) {
  if (frontend::print(one) != frontend::print(other)) return false;
  for (std::size_t i = 0; i < one.values.size(); ++i) {
    const std::optional<Numbers>&a = one.values[i].data, &b = other.values[i].data;
    if (!a || !b) continue;
    if (a->identity() == b->identity()) continue;
    if (one.values[i].name != other.values[i].name || !std::ranges::equal(a->read().bytes, b->read().bytes)) return false;
  }
  return true;
}

/// The network with every value typed. A symbol of the file stays open where no statement depends on it: where two numbers give the same text.
Graph imported(const ModelOptions& model) {
  const Symbols given = symbols_of(model.settings);
  const Graph declared = read_model(model);
  const Trials trials = open_symbols(declared, given);
  Trials batches = trials;
  std::erase_if(batches, [](const auto& entry) { return entry.second.first != 1; });
  for (const Trials& open : {trials, batches}) {
    if (open.empty()) continue;
    try {
      Graph graph = tried(declared, given, open, false);
      if (are_equal(graph, tried(declared, given, open, true))) return graph;
    } catch (const Failure&) {
      // The network is one for certain numbers, or for such as stand in no --set.
    }
    if (trials.size() == batches.size()) break;
  }
  Graph graph = declared;
  type_values(graph, given);
  return graph;
}

}  // namespace

void import_model(Arguments arguments) {
  CLI::App app(std::string(import_purpose), "calotype import");
  ModelOptions model;
  std::string directory = ".";
  declare_model(app, model);
  app.add_option("-o,--output", directory, "Folder for NAME.layers and NAME.safetensors (made if missing)")->type_name("DIR");
  if (!parse(app, arguments)) return;
  if (!model.path.ends_with(".onnx")) throw Failure(Fault::usage, fmt::format("{}: import reads a file that ends with .onnx", model.path));

  Graph graph = imported(model);
  const std::string stem = std::filesystem::path(model.path).stem().string();
  std::map<std::string, TensorData> tensors;
  for (const Value& value : graph.values) {
    if (value.origin == Value::Origin::weight && value.data) tensors.emplace(value.name, value.data->read());
  }
  cache::OutputSet files(directory);
  if (!tensors.empty()) {
    graph.weight_files = {stem + ".safetensors"};
    formats::write_safetensors(files.path(stem + ".safetensors").string(), tensors);
  }
  files.write(stem + ".layers", frontend::print(graph));
  files.commit();
}

}  // namespace calotype::commands
