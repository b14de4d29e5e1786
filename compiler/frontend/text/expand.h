#pragma once
/// \file
/// The checked syntax tree to the graph: blocks expanded, names resolved to values.
#include "frontend/text/check.h"
#include "ir/graph.h"

namespace calotype::frontend::text {

/// How many statements the expansion of all blocks may pass through.
inline constexpr int most_statements = 100'000;

/// The network with all its blocks expanded. The file must have been found without mistakes; what depends on the values that parameters take
/// is reported here, and the graph is then of no use.
Graph expand(const CheckedFile& checked, const Source& source, Diagnostics& diagnostics);

}  // namespace calotype::frontend::text
