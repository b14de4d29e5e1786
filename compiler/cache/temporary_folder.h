#pragma once
/// \file
/// A folder for files that nobody wants to keep.
#include <filesystem>

namespace calotype::cache {

/// A new folder among the system's temporary files; it goes with its scope. Throws Failure(machine) if it cannot be made.
struct TemporaryFolder {
  std::filesystem::path path;

  TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
};

}  // namespace calotype::cache
