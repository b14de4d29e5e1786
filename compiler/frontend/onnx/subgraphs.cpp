/// \file
/// Renaming. A name that a body defines for itself hides the same name outside.
#include "frontend/onnx/subgraphs.h"

#include <set>

namespace calotype::frontend::onnx {
namespace {

using layers::OnnxSubgraph;

/// What the body itself defines.
std::set<std::string> own_names(const OnnxSubgraph& body) {
  std::set<std::string> names(body.inputs.begin(), body.inputs.end());
  for (const auto& [name, tensor] : body.tensors) names.insert(name);
  for (const OnnxNode& node : body.nodes) names.insert(node.outputs.begin(), node.outputs.end());
  return names;
}

/// The body with the values that it reads of the graph around it renamed.
std::shared_ptr<const OnnxSubgraph> with_outer_renamed(const OnnxSubgraph& body, const Rename& outer) {
  auto renamed = std::make_shared<OnnxSubgraph>(body);
  const std::set<std::string> own = own_names(body);
  const Rename inside = [&](const std::string& name) { return own.contains(name) ? name : outer(name); };
  for (OnnxNode& node : renamed->nodes) rename(node, inside);
  for (std::string& output : renamed->outputs) output = inside(output);
  return renamed;
}

}  // namespace

void rename(OnnxNode& node, const Rename& outer) {
  for (std::string& input : node.inputs) input = input.empty() ? input : outer(input);
  for (std::string& output : node.outputs) output = output.empty() ? output : outer(output);
  for (OnnxAttribute& attribute : node.attributes) {
    if (auto* body = std::get_if<std::shared_ptr<const OnnxSubgraph>>(&attribute.value)) *body = with_outer_renamed(**body, outer);
  }
}

OnnxSubgraph with_prefix(const OnnxSubgraph& body, const std::string& prefix, const std::string& tensors) {
  const std::set<std::string> own = own_names(body);
  const Rename inside = [&](const std::string& name) {
    if (body.tensors.contains(name)) return tensors + name;
    return own.contains(name) ? prefix + name : name;
  };
  OnnxSubgraph renamed;
  for (const auto& [name, numbers] : body.tensors) renamed.tensors.emplace(inside(name), numbers);
  for (const std::string& input : body.inputs) renamed.inputs.push_back(inside(input));
  for (const std::string& output : body.outputs) renamed.outputs.push_back(inside(output));
  renamed.nodes = body.nodes;
  for (OnnxNode& node : renamed.nodes) {
    rename(node, inside);
    if (!node.name.empty()) node.name = prefix + node.name;
  }
  return renamed;
}

}  // namespace calotype::frontend::onnx
