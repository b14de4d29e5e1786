#pragma once
/// \file
/// The results of a layer whose operands are known, at compile time: its definition is interpreted, or compiled and run where that is faster.
#include <optional>
#include <vector>

#include "ir/graph.h"

namespace calotype::codegen {

/// Numbers of the results of a typed op, all of whose operands are absent or have data. Nothing where they would be too large to keep.
std::optional<std::vector<TensorData>> evaluate(const Graph& graph, OpId op);

}  // namespace calotype::codegen
