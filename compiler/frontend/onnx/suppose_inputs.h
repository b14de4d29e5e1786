#pragma once
/// \file
/// What an input of the network can hold, where shapes deep inside depend on it by computations that no single operator's suppositions see through.
#include <functional>
#include <optional>
#include <set>
#include <string>

#include "frontend/onnx/model.h"

namespace calotype::frontend::onnx {

/// Converts the network with that input's numbers taken as these; throws Failure where it cannot be.
using ConvertWith = std::function<Graph(const std::string& input, const TensorData& numbers)>;

/// The network with the numbers of its one unknown input that give every result the shape which the file declares; nothing if none do, or several.
/// Tried are the declared extents, or some of them, in order. `graph` is the network's interface.
std::optional<Graph> with_supposed_input(const Model& model, const Graph& graph, const std::set<std::string>& unknown,
                                         const ConvertWith& convert);

}  // namespace calotype::frontend::onnx
