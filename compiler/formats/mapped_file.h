#pragma once
/// \file
/// A file's bytes without a copy.
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "ir/failure.h"
#include "ir/numbers.h"

namespace calotype::formats {

/// The whole file, read-only. `owner` unmaps it when the last copy is gone. A file that shrinks while it is mapped raises SIGBUS on reading.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Maps a regular file. Throws Failure: `missing` where there is no such file (usage if the command line names it, input if a description
/// does), input for what is no regular file, machine where the system refuses.
MappedFile map_file(const std::string& path, Fault missing = Fault::usage);

/// A tensor that lies in a mapped file. Its pages take memory only while somebody holds what Numbers::read gave.
Numbers numbers_in(MappedFile part, TensorType type);

/// Takes a part of a mapped file out of memory, where it counts as the process's once it was read. It is read again when somebody looks at it.
void release_pages(std::span<const std::byte> part);

/// Writes bytes to `path` by way of a temporary file beside it, so that a half-written file is never seen. Throws Failure(machine).
void write_file(const std::string& path, std::span<const std::span<const std::byte>> parts);

}  // namespace calotype::formats
