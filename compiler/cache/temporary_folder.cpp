/// \file
/// A folder for files that nobody wants to keep.
#include "cache/temporary_folder.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "ir/failure.h"

namespace calotype::cache {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::error_code error;
  const fs::path base = fs::temp_directory_path(error);
  std::string pattern = ((error ? fs::path("/tmp") : base) / "calotype-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    throw Failure(Fault::machine, fmt::format("cannot create a folder like {}: {}", pattern, std::strerror(errno)));
  }
  path = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path, ignored);
}

}  // namespace calotype::cache
