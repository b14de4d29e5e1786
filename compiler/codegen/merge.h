#pragma once
/// \file
/// Object files into one, in process: lld's relocatable link and objcopy's renaming. Neither starts a program.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calotype::codegen {

/// Runs `ld.lld arguments...` in this process; one at a time, because lld keeps its state in globals. Throws Failure(bug) with lld's messages.
void run_lld(const std::vector<std::string>& arguments);

/// An object file in memory, and a name for it.
struct ObjectBytes {
  std::string name;
  std::string_view bytes;
};

/// Merges the objects of one model into one relocatable object. The run time's four entry points become NAME_open, NAME_run, NAME_close and
/// NAME_status_text; every other symbol that is defined becomes local, and what belongs to kernel number i of `kernel_symbols` is named
/// kernel_i, because the names that Halide gives to parallel loops depend on what the process compiled before. `work` is a folder for files
/// that are left behind. Throws Failure(bug) if a kernel calls something of Halide's that the run time does not have.
std::string merge_objects(const std::vector<ObjectBytes>& objects, const std::vector<std::string>& kernel_symbols, std::string_view name,
                          const std::filesystem::path& work);

/// The global symbols that an object defines.
std::vector<std::string> global_symbols(const ObjectBytes& object);

}  // namespace calotype::codegen
