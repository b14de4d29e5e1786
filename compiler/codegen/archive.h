#pragma once
/// \file
/// Archives (`NAME.a`) in GNU's form, written as a stream: a member of a gigabyte needs no memory and no copy of its own.
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codegen/file_writer.h"

namespace calotype::codegen {

/// One member. `write` puts its bytes at the file's position and runs when the members before it are written.
struct ArchiveMember {
  std::string name;
  std::vector<std::string> symbols;  ///< what it defines globally
  std::function<void(FileWriter& file)> write;
};

/// Writes the members in order, with a symbol table and without dates or owners: equal members give equal bytes.
/// Throws Failure(machine) if the file cannot be written, Failure(input) if it exceeds 4 GB.
void write_archive(const std::vector<ArchiveMember>& members, const std::filesystem::path& path);

}  // namespace calotype::codegen
