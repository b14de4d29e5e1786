#pragma once
/// \file
/// From MODEL to a graph, whatever the file's format. The light executable has functions of its own (light_verbs.cpp), which read text only.
#include "commands/command_line.h"

namespace calotype::commands {

/// The description; its symbols are not bound yet. Of an ONNX file, inputs and results alone: the rest follows with `type_values`.
Graph read_model(const ModelOptions& options);

/// Binds the symbols and gives every value its type; converts an ONNX file's nodes.
void type_values(Graph& graph, Symbols symbols);

/// Is this a command line for the other executable, although the verb is here?
bool needs_compiler(Arguments arguments);

}  // namespace calotype::commands
