#pragma once
/// \file
/// The shapes that a file declares for values that nodes make: what inputs must hold that decide shapes at run time follows from them.
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "frontend/onnx/model.h"

namespace calotype::frontend::onnx {

using DeclaredShapes = std::map<std::string, std::vector<std::int64_t>>;

/// Those that are numbers once the symbols of the inputs are bound, as `graph` has them; and the shapes of values from which an operator that keeps
/// shapes makes such a value.
DeclaredShapes declared_shapes(const Model& model, const Graph& graph);

}  // namespace calotype::frontend::onnx
