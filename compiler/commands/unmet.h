#pragma once
/// \file
/// Why a run did not take its inputs.
#include <optional>

#include "commands/arrays.h"
#include "ir/failure.h"
#include "ir/graph.h"

namespace calotype::commands {

/// Names the input at fault, what it held and what the network was compiled for, after a run that returned CALOTYPE_SHAPE_MISMATCH or
/// CALOTYPE_INDEX_OUT_OF_RANGE; nothing where the graph's checks all hold as far as they can be computed here.
std::optional<Failure> unmet_requirement(const Graph& graph, const InputArrays& inputs);

}  // namespace calotype::commands
