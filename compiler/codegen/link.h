#pragma once
/// \file
/// The last stage: kernels, driver, weights and run time become one archive with its header and package files.
#include <filesystem>
#include <string>
#include <vector>

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
  plan::Target target;        ///< of the plan, where there is one alone
  WeightStorage weight_storage = WeightStorage::embedded;
  bool step_times = false;  ///< for measuring only, as DriverFacts has it: NAME.h does not know of the further buffer
};

/// One way to compute the model: its plan for one target, and the code of that plan's kernels.
struct Variant {
  const plan::Plan* plan = nullptr;
  const Objects* objects = nullptr;
  plan::Target target;
};

/// Writes NAME.a, NAME.h, NAME.json (manifest), NAME.pc and NAMEConfig.cmake (external: NAME.weights too) into the directory, which is made
/// if missing. All or nothing: files appear under their names only when every one was written. Throws Failure(machine) when a file
/// cannot be written, Failure(input) when names collide or embedded weights exceed 1.5 GB.
void link(const plan::Plan& plan, const Objects& objects, const Library& library);

/// The same for several targets in one library: NAME_open takes the one that asks most of the CPU among those that it can run. The plans are
/// of one graph; weights that they pack alike are stored once. Throws Failure(usage) if two targets are the same.
void link(const std::vector<Variant>& variants, const Library& library);

}  // namespace calotype::codegen
