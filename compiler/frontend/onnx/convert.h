#pragma once
/// \file
/// From a model to a graph, in two steps: its interface, whose symbols a caller binds, then its nodes.
#include <functional>
#include <optional>
#include <vector>

#include "frontend/onnx/model.h"

namespace calotype::frontend::onnx {

/// Numbers of an op's results, all of whose operands have data; nothing where the op is better left to run. See codegen/interpret.h.
using Evaluate = std::function<std::optional<std::vector<TensorData>>(const Graph&, OpId)>;

/// Inputs and results, and the model itself as `unconverted`.
Graph interface_of(Model model);

/// One walk over the nodes: each is typed as it is converted, and what is constant is folded at once. Symbols of the inputs are bound. Afterwards
/// the graph is as infer_shapes leaves one, and every weight has its numbers. Throws Failure with one diagnostic for each operator that is not
/// supported and each node at fault.
void convert(Graph& graph, const Evaluate& evaluate);

/// Gives layers and tensors the names that a person would, and statements to tensors that no layer implies. The last step of `convert`.
void name_layers(Graph& graph);

}  // namespace calotype::frontend::onnx
