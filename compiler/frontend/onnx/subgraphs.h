#pragma once
/// \file
/// Bodies of control-flow nodes under other names, so that they can stand among the nodes around them.
#include <functional>
#include <string>

#include "frontend/onnx/model.h"
#include "layers/onnx_subgraph.h"

namespace calotype::frontend::onnx {

/// What a value is called outside, by its name inside of a body.
using Rename = std::function<std::string(const std::string&)>;

/// Renames what the node reads, makes, and what its own bodies read of the values around them.
void rename(OnnxNode& node, const Rename& outer);

/// The body with the names of its inputs, tensors and values between behind a prefix; values of the graph around it keep theirs. `tensors` is the
/// prefix of tensors, which are the same whenever the body runs.
layers::OnnxSubgraph with_prefix(const layers::OnnxSubgraph& body, const std::string& prefix, const std::string& tensors);

}  // namespace calotype::frontend::onnx
