#pragma once
/// \file
/// The models of tests/onnx/data, which make_models.py writes, as the tool reads them.
#include <string>
#include <vector>

#include "codegen/interpret.h"
#include "formats/npy.h"
#include "frontend/onnx/convert.h"
#include "passes/passes.h"

namespace calotype::testing {

inline std::string data_path(const std::string& file) { return std::string(CALOTYPE_TEST_DATA) + "/data/" + file; }

inline TensorData array_of(const std::string& file) { return formats::read_npy(data_path(file)); }

/// The model as a graph with everything typed.
inline Graph read_onnx(const std::string& path, const Symbols& symbols = {}, const frontend::onnx::Bindings& bindings = {}) {
  frontend::onnx::Model model = frontend::onnx::read_model(path);
  frontend::onnx::bind_inputs(model, bindings);
  Graph graph = frontend::onnx::interface_of(std::move(model));
  passes::bind_symbols(graph, symbols);
  frontend::onnx::convert(graph, codegen::evaluate);
  return graph;
}

/// What the Failure says, one line a diagnostic, and whose fault it is; "no failure" if there is none.
struct Refusal {
  Fault fault = Fault::bug;
  std::string text = "no failure";
};

template <typename Action>
Refusal refusal_of(const Action& action) {
  try {
    action();
  } catch (const Failure& failure) {
    Refusal refusal{failure.fault(), {}};
    for (const Diagnostic& diagnostic : failure.diagnostics()) {
      refusal.text += (refusal.text.empty() ? "" : "\n") + (diagnostic.layer.empty() ? "" : diagnostic.layer + ": ") + diagnostic.message;
    }
    return refusal;
  }
  return {};
}

}  // namespace calotype::testing
