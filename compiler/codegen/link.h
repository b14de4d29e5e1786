#pragma once
/// \file
/// The last stage: kernels, driver, weights and run time become one archive with its header and package files.
#include <filesystem>
#include <string>

#include "codegen/objects.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::codegen {

enum class WeightStorage {
  embedded,  ///< in the archive, as read-only data
  external,  ///< in NAME.weights beside it, given to NAME_open by the program
};

/// What is to be written and where.
struct Library {
  std::string name;           ///< a C identifier: prefix of every symbol, stem of every file
  std::string original_name;  ///< as the description has it
  std::filesystem::path directory;
  plan::Target target;
  WeightStorage weight_storage = WeightStorage::embedded;
  bool step_times = false;  ///< for measuring only, as DriverFacts has it: NAME.h does not know of the further buffer
};

/// Writes NAME.a, NAME.h, NAME.json (manifest), NAME.pc and NAMEConfig.cmake (external: NAME.weights too) into the directory, which is made
/// if missing. All or nothing: files appear under their names only when every one was written. Throws Failure(machine) when a file
/// cannot be written, Failure(input) when names collide or embedded weights exceed 1.5 GB.
void link(const plan::Plan& plan, const Objects& objects, const Library& library);

}  // namespace calotype::codegen
