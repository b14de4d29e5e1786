/// \file
/// Both formats.
#include "commands/model.h"

#include <fmt/format.h>

#include "codegen/interpret.h"
#include "formats/npy.h"
#include "frontend/frontend.h"
#include "frontend/onnx/convert.h"
#include "passes/passes.h"

namespace calotype::commands {
namespace {

namespace onnx = frontend::onnx;

onnx::Bindings read_bindings(const std::vector<std::string>& written) {
  onnx::Bindings bindings;
  for (const std::string& entry : written) {
    const std::size_t equals = entry.find('=');
    if (equals == std::string::npos || equals == 0) throw Failure(Fault::usage, fmt::format("--bind wants NAME=FILE.npy, not '{}'", entry));
    const std::string name = entry.substr(0, equals);
    if (!bindings.emplace(name, formats::read_npy(entry.substr(equals + 1))).second) {
      throw Failure(Fault::usage, fmt::format("--bind gives {} twice", name));
    }
  }
  return bindings;
}

}  // namespace

Graph read_model(const ModelOptions& options) {
  if (!options.path.ends_with(".onnx")) {
    if (!options.bindings.empty()) throw Failure(Fault::usage, "--bind gives inputs of ONNX files; in a .layers file write constant(...)");
    return frontend::read(options.path);
  }
  onnx::Model model = onnx::read_model(options.path);
  onnx::bind_inputs(model, read_bindings(options.bindings));
  return onnx::interface_of(std::move(model));
}

void type_values(Graph& graph, Symbols symbols) {
  passes::bind_symbols(graph, std::move(symbols));
  if (graph.unconverted) return onnx::convert(graph, codegen::evaluate);
  passes::infer_shapes(graph);
}

bool needs_compiler(Arguments) { return false; }

}  // namespace calotype::commands
