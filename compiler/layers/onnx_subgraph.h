#pragma once
/// \file
/// The body of a control-flow node: what ONNX calls a graph attribute, as plain data.
#include <map>
#include <string>
#include <vector>

#include "layers/onnx.h"

namespace calotype::layers {

/// Nodes in order. They may read values of the graph around it by name.
struct OnnxSubgraph {
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxNode> nodes;
  std::map<std::string, Numbers, std::less<>> tensors;  ///< initializers
};

/// The node's body of that name. Throws Failure(input) where the node has none.
const OnnxSubgraph& subgraph_of(const OnnxNode& node, std::string_view attribute);

// Control flow that is decided at compile time: the operators become the layers of their bodies. Throw Failure(unsupported) where a condition, or the number of
// turns, is not known by then, or there are too many.
void adapt_if(const OnnxNode& node, OnnxBuilder& builder);
void adapt_loop(const OnnxNode& node, OnnxBuilder& builder);
void adapt_scan(const OnnxNode& node, OnnxBuilder& builder);

}  // namespace calotype::layers
