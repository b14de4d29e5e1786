#pragma once
/// \file
/// From a description to a graph. The text format (`.layers`) is specified in docs/format.md.
#include <memory>
#include <string>

#include "ir/graph.h"

namespace calotype::frontend {

/// Reads a description from a file; its ending says the format. The graph has blocks expanded, names resolved and arguments checked; symbols
/// and types are left to passes::bind_symbols and passes::infer_shapes. Throws Failure: input for mistakes in the description (one diagnostic
/// each), unsupported for a format that is not read, usage for a file that is not there, machine for one that cannot be read.
Graph read(const std::string& path);

/// The same for text that is already in memory; `source->path` stands in messages only.
Graph parse(std::shared_ptr<const SourceFile> source);

/// The graph as text: parse(print(graph)) gives the same graph, apart from locations. Weights that a layer implies are not written; a tensor
/// that a pass made is written as a constant, or as a parameter where it has no data.
std::string print(const Graph& graph);

}  // namespace calotype::frontend
