#pragma once
/// \file
/// Nodes whose inputs decide shapes and arrive at run time: compiled for what the declared shapes of their outputs make of those inputs, with a check.
#include <functional>
#include <vector>

#include "layers/onnx.h"

namespace calotype::frontend::onnx {

/// The layers of a node with these inputs; returns its outputs.
using Build = std::function<std::vector<ValueId>(const layers::OnnxNode& node, std::vector<ValueId> inputs)>;

/// The node's outputs, each supposition of its form built by `build`, and a layer `require` that finds out whether one of them holds; nothing where
/// none gives the declared shapes.
std::vector<ValueId> suppose(const layers::OnnxNode& node, const std::vector<ValueId>& inputs, layers::OnnxBuilder& builder,
                             const Build& build);

}  // namespace calotype::frontend::onnx
