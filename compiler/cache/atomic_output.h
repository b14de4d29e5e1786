#pragma once
/// \file
/// Files that appear whole or not at all: written under a temporary name beside the final one, then renamed.
#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace calotype::cache {

/// A path beside `path` that no other process or thread uses.
std::filesystem::path temporary_sibling(const std::filesystem::path& path);

/// Writes the file or throws Failure(machine) and leaves what was there before.
void write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes);
void write_atomically(const std::filesystem::path& path, std::string_view text);

/// Several files of one folder: `path(name)` says where to write each, `commit` renames them all. Without a commit they are removed.
class OutputSet {
 public:
  /// Makes the folder if it is missing; throws Failure(machine) if it cannot.
  explicit OutputSet(std::filesystem::path directory);
  OutputSet(const OutputSet&) = delete;
  OutputSet& operator=(const OutputSet&) = delete;
  ~OutputSet();

  std::filesystem::path path(std::string_view name) const;
  /// A folder on the same disk for files that nobody wants to keep.
  std::filesystem::path work_directory() const { return work_; }
  void write(std::string_view name, std::string_view text) const;
  void commit();

 private:
  std::filesystem::path directory_;
  std::filesystem::path staging_;
  std::filesystem::path work_;
};

}  // namespace calotype::cache
