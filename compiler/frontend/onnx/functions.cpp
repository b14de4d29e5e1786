/// \file
/// Expansion of functions, depth first.
#include "frontend/onnx/functions.h"

#include <fmt/format.h>

#include "frontend/onnx/subgraphs.h"

namespace calotype::frontend::onnx {
namespace {

constexpr std::size_t node_limit = 1'000'000;
constexpr int depth_limit = 32;

class Expander {
 public:
  explicit Expander(const Functions& functions) : functions_(functions) {}

  void expand(const OnnxNode& node, int depth) {
    const auto function = functions_.find(function_key(node.domain, node.op_type, node.overload));
    if (function == functions_.end()) {
      if (nodes_.size() >= node_limit) throw Failure(Fault::input, fmt::format("functions expand to more than {} nodes", node_limit));
      nodes_.push_back(node);
      for (OnnxAttribute& attribute : nodes_.back().attributes) expand_body(attribute, depth);
      return;
    }
    if (depth == depth_limit)
      throw Failure(Fault::input,
                    fmt::format("function {} calls itself, or functions are nested more than {} deep", node.op_type, depth_limit));
    call(node, function->second, depth);
  }

  std::vector<OnnxNode> take() { return std::move(nodes_); }

 private:
  /// Calls within the body of a control-flow node.
  void expand_body(OnnxAttribute& attribute, int depth) {
    auto* body = std::get_if<std::shared_ptr<const layers::OnnxSubgraph>>(&attribute.value);
    if (body == nullptr) return;
    Expander inner(functions_);
    for (const OnnxNode& node : (*body)->nodes) inner.expand(node, depth + 1);
    auto expanded = std::make_shared<layers::OnnxSubgraph>(**body);
    expanded->nodes = inner.take();
    *body = std::move(expanded);
  }

  void call(const OnnxNode& node, const Function& function, int depth) {
    const std::string prefix = fmt::format("{}/", node.name.empty() ? fmt::format("{}_{}", node.op_type, ++count_) : node.name);
    std::map<std::string, std::string> names;  // of the body, as the caller knows them
    for (std::size_t i = 0; i < function.inputs.size(); ++i)
      names[function.inputs[i]] = i < node.inputs.size() ? node.inputs[i] : std::string();
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
      // An output that is an input of the function is not made by a node of the body.
      if (node.has_output(i) && !names.contains(function.outputs[i])) names[function.outputs[i]] = node.outputs[i];
    }
    const auto outer = [&](const std::string& name) -> std::string {
      if (name.empty()) return name;
      const auto known = names.find(name);
      if (known != names.end()) return known->second;
      return names[name] = fmt::format("{}{}#{}", prefix, name, count_);
    };
    ++count_;
    for (std::size_t i = 0; i < function.nodes.size(); ++i) {
      OnnxNode inner = function.nodes[i];
      inner.name = prefix + inner.name;
      rename(inner, outer);
      for (const Function::Reference& reference : function.references) {
        if (reference.node != i) continue;
        const OnnxAttribute* value = node.find(reference.reference);
        for (const OnnxAttribute& attribute : function.defaults) {
          if (value == nullptr && attribute.name == reference.reference) value = &attribute;
        }
        if (value != nullptr) inner.attributes.push_back({reference.attribute, value->value});
      }
      expand(inner, depth + 1);
    }
    for (std::size_t i = 0; i < function.outputs.size(); ++i) {
      const auto known = names.find(function.outputs[i]);
      if (!node.has_output(i) || known == names.end() || known->second == node.outputs[i]) continue;
      OnnxNode copy;
      copy.name = prefix + "output";
      copy.op_type = "Identity";
      copy.opset = layers::newest_onnx_opset;
      copy.inputs = {known->second};
      copy.outputs = {node.outputs[i]};
      nodes_.push_back(std::move(copy));
    }
  }

  const Functions& functions_;
  std::vector<OnnxNode> nodes_;
  int count_ = 0;
};

}  // namespace

std::string function_key(std::string_view domain, std::string_view name, std::string_view overload) {
  return fmt::format("{}:{}:{}", domain, name, overload);
}

std::vector<OnnxNode> expand_functions(const std::vector<OnnxNode>& nodes, const Functions& functions) {
  if (functions.empty()) return nodes;
  Expander expander(functions);
  for (const OnnxNode& node : nodes) expander.expand(node, 0);
  return expander.take();
}

}  // namespace calotype::frontend::onnx
