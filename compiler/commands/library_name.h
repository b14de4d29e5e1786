#pragma once
/// \file
/// What the generated library is called.
#include <string>

#include "ir/graph.h"

namespace calotype::commands {

struct LibraryName {
  std::string c_name;    ///< prefix of every symbol and stem of every file
  std::string original;  ///< as it was given
};

/// `--name` (empty: not given), else the network's name, else the stem of the description's path; as a C identifier.
LibraryName library_name(const std::string& given, const Graph& graph, const std::string& model_path);

}  // namespace calotype::commands
