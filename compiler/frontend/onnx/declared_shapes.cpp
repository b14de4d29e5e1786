/// \file
/// Declared shapes as numbers, and backwards through operators that keep the shape of their only operand.
#include "frontend/onnx/declared_shapes.h"

#include <algorithm>

#include "layers/layer.h"

namespace calotype::frontend::onnx {
namespace {

/// What each symbol of the inputs became.
std::map<std::string, std::int64_t> symbols_of(const Model& model, const Graph& graph) {
  std::map<std::string, std::int64_t> symbols;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    const std::vector<Dimension>& written = model.inputs[i].declaration.dimensions;
    for (std::size_t d = 0; d < written.size(); ++d) {
      const auto* expression = std::get_if<ExpressionPointer>(&written[d]);
      const auto* number = std::get_if<std::int64_t>(&graph.inputs[i].declaration.dimensions[d]);
      if (expression != nullptr && number != nullptr) symbols.emplace((*expression)->symbol, *number);
    }
  }
  return symbols;
}

/// Is the node's first output of its first input's shape, whatever that is? One operand computed element by element, or with lone numbers.
bool keeps_shape(const Model& model, const OnnxNode& node) {
  if (!node.has_input(0) || !node.has_output(0) || !node.domain.empty()) return false;
  if (node.op_type == "Identity" || node.op_type == "CastLike" || node.op_type == "Clip") return true;
  const layers::OnnxMatch match = layers::find_onnx_form(node.op_type, node.opset);
  if (match.layer == nullptr || !match.layer->traits.is_elementwise) return false;
  return std::all_of(node.inputs.begin() + 1, node.inputs.end(), [&](const std::string& name) {
    if (name.empty()) return true;
    const auto tensor = model.tensors.find(name);
    return tensor != model.tensors.end() && tensor->second.type().extents.empty();
  });
}

}  // namespace

DeclaredShapes declared_shapes(const Model& model, const Graph& graph) {
  const std::map<std::string, std::int64_t> symbols = symbols_of(model, graph);
  DeclaredShapes shapes;
  for (const auto& [name, dimensions] : model.shapes) {
    std::vector<std::int64_t> shape;
    for (const Dimension& dimension : dimensions) {
      if (const auto* number = std::get_if<std::int64_t>(&dimension)) {
        shape.push_back(*number);
        continue;
      }
      const auto symbol = symbols.find(std::get<ExpressionPointer>(dimension)->symbol);
      if (symbol == symbols.end()) break;
      shape.push_back(symbol->second);
    }
    if (shape.size() == dimensions.size()) shapes.emplace(name, std::move(shape));
  }
  for (auto node = model.nodes.rbegin(); node != model.nodes.rend(); ++node) {
    if (!keeps_shape(model, *node)) continue;
    const auto known = shapes.find(node->outputs[0]);
    if (known != shapes.end()) shapes.emplace(node->inputs[0], known->second);
  }
  return shapes;
}

}  // namespace calotype::frontend::onnx
