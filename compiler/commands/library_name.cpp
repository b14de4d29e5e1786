/// \file
/// The rule of docs/command-line.md for names of libraries.
#include "commands/library_name.h"

#include <filesystem>

#include "codegen/c_names.h"

namespace calotype::commands {

LibraryName library_name(const std::string& given, const Graph& graph, const std::string& model_path) {
  std::string original = given;
  if (original.empty()) original = graph.name;
  if (original.empty()) original = std::filesystem::path(model_path).stem().string();
  return {codegen::c_identifier(original), original};
}

}  // namespace calotype::commands
