/// \file
/// calotype import: an ONNX file as a description that a person can read and edit, and its tensors as safetensors.
#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "cache/atomic_output.h"
#include "commands/model.h"
#include "commands/verbs.h"
#include "formats/safetensors.h"
#include "frontend/frontend.h"

namespace calotype::commands {
namespace {

/// Gives inputs back the symbols that stand for the batch, as the file declares them, where --set binds none.
void restore(Graph& graph, const Graph& declared, const Symbols& batches) {
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    const std::vector<Dimension>& dimensions = declared.inputs[i].declaration.dimensions;
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      const auto* expression = std::get_if<ExpressionPointer>(&dimensions[d]);
      if (expression != nullptr && batches.contains((*expression)->symbol)) graph.inputs[i].declaration.dimensions[d] = dimensions[d];
    }
  }
}

/// The network with every value typed. A batch that the file leaves open stays open where no statement depends on it: where batches of one and of
/// two give the same text.
Graph imported(const ModelOptions& model) {
  const Symbols given = symbols_of(model.settings);
  const Graph declared = read_model(model);
  Symbols batches;
  for (const GraphInput& input : declared.inputs) {
    if (input.declaration.dimensions.empty()) continue;
    const auto* first = std::get_if<ExpressionPointer>(&input.declaration.dimensions.front());
    if (first != nullptr && !given.contains((*first)->symbol)) batches[(*first)->symbol] = 2;
  }
  Graph graph = declared;
  type_values(graph, given);
  if (batches.empty()) return graph;

  Symbols two = given;
  two.insert(batches.begin(), batches.end());
  Graph open = graph;
  restore(open, declared, batches);
  try {
    Graph other = declared;
    type_values(other, two);
    restore(other, declared, batches);
    if (frontend::print(open) == frontend::print(other)) return open;
  } catch (const Failure&) {
    // The network is one for a batch of one.
  }
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
