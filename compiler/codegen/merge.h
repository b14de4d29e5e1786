#pragma once
/// \file
/// Object files into one, in process: lld's relocatable link, objcopy's renaming, LLVM's archive writer. None of them starts a program.
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

/// Merges the objects of one model into a relocatable object at `result`. The run time's four entry points become NAME_open, NAME_run,
/// NAME_close and NAME_status_text; every other symbol that is defined becomes local, and what belongs to kernel number i of
/// `kernel_symbols` is named kernel_i, because the names that Halide gives to parallel loops depend on what the process compiled before.
/// `work` is a folder for files that are left behind. Throws Failure(bug) if a kernel calls something of Halide's that the run time does not
/// have.
void merge_objects(const std::vector<ObjectBytes>& objects, const std::vector<std::string>& kernel_symbols, std::string_view name,
                   const std::filesystem::path& work, const std::filesystem::path& result);

/// A member of an archive: a file, under a name.
struct ArchiveMember {
  std::string name;
  std::filesystem::path file;
};

/// Writes an archive with a symbol table and without dates or owners: equal members give equal bytes.
void write_archive(const std::vector<ArchiveMember>& members, const std::filesystem::path& result);

/// The members of an archive, each as it lies in `archive`. Throws Failure(machine) if it is none.
std::vector<ObjectBytes> archive_members(const std::filesystem::path& path, std::string_view archive);

}  // namespace calotype::codegen
