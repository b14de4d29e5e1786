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

void import_model(Arguments arguments) {
  CLI::App app(std::string(import_purpose), "calotype import");
  ModelOptions model;
  std::string directory = ".";
  declare_model(app, model);
  app.add_option("-o,--output", directory, "Folder for NAME.layers and NAME.safetensors (made if missing)")->type_name("DIR");
  if (!parse(app, arguments)) return;
  if (!model.path.ends_with(".onnx")) throw Failure(Fault::usage, fmt::format("{}: import reads a file that ends with .onnx", model.path));

  Graph graph = read_model(model);
  type_values(graph, symbols_of(model.settings));
  const std::string stem = std::filesystem::path(model.path).stem().string();
  std::map<std::string, TensorData> tensors;
  for (const Value& value : graph.values) {
    if (value.origin == Value::Origin::weight && value.data) tensors.emplace(value.name, *value.data);
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
