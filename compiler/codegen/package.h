#pragma once
/// \file
/// What stands beside the archive for build systems and tools: manifest, pkg-config file, CMake package.
#include <string>

#include "codegen/model_facts.h"

namespace calotype::codegen {

/// Version of the manifest's form; a reader refuses any other.
inline constexpr int manifest_format = 1;

/// NAME.json: names as written and as C has them, shapes, types, targets, memory, weights, kernels.
std::string manifest_text(const ModelFacts& facts);

/// NAME.pc; its paths follow the file when the folder moves.
std::string pkg_config_text(const Library& library);

/// NAMEConfig.cmake: the imported target NAME.
std::string cmake_config_text(const Library& library);

}  // namespace calotype::codegen
