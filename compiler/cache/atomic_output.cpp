/// \file
/// Temporary names, whole writes, renames.
#include "cache/atomic_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <system_error>
#include <vector>

#include "ir/failure.h"

namespace calotype::cache {
namespace {

namespace fs = std::filesystem;

Failure cannot(std::string_view what, const fs::path& path, int error) {
  return Failure(Fault::machine, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(error)));
}

void write_whole(const fs::path& path, std::span<const std::byte> bytes) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) throw cannot("create", path, errno);
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  int error = 0;
  while (left > 0 && error == 0) {
    const ssize_t written = ::write(file, at, left);
    if (written > 0) {
      at += written;
      left -= static_cast<std::size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      error = written == 0 ? ENOSPC : errno;
    }
  }
  if (::close(file) != 0 && error == 0) error = errno;
  if (error != 0) {
    ::unlink(path.c_str());
    throw cannot("write", path, error);
  }
}

}  // namespace

fs::path temporary_sibling(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  // The clock too, because process numbers repeat and differ between containers that share a folder.
  const auto ticks = std::chrono::system_clock::now().time_since_epoch().count();
  return path.parent_path() / fmt::format(".{}.{}-{}-{}.tmp", path.filename().string(), ::getpid(), counter++, ticks);
}

void write_atomically(const fs::path& path, std::span<const std::byte> bytes) {
  const fs::path temporary = temporary_sibling(path);
  write_whole(temporary, bytes);
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    throw cannot("write", path, error);
  }
}

void write_atomically(const fs::path& path, std::string_view text) {
  write_atomically(path, std::as_bytes(std::span<const char>(text.data(), text.size())));
}

OutputSet::OutputSet(fs::path directory) : directory_(std::move(directory)) {
  if (directory_.empty()) directory_ = ".";
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error && !fs::is_directory(directory_)) throw cannot("create", directory_, error.value());
  staging_ = temporary_sibling(directory_ / "calotype");
  work_ = staging_ / ".work";
  fs::create_directories(work_, error);
  if (error) throw cannot("write in", directory_, error.value());
}

OutputSet::~OutputSet() {
  std::error_code ignored;
  fs::remove_all(staging_, ignored);
}

fs::path OutputSet::path(std::string_view name) const { return staging_ / name; }

void OutputSet::write(std::string_view name, std::string_view text) const {
  write_whole(path(name), std::as_bytes(std::span<const char>(text.data(), text.size())));
}

void OutputSet::commit() {
  std::vector<fs::path> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(staging_)) {
    if (entry.path() != work_) names.push_back(entry.path().filename());
  }
  // What a rename could refuse is looked for before the first one.
  for (const fs::path& name : names) {
    if (fs::is_directory(directory_ / name)) throw cannot("write", directory_ / name, EISDIR);
  }
  for (const fs::path& name : names) {
    if (::rename((staging_ / name).c_str(), (directory_ / name).c_str()) != 0) throw cannot("write", directory_ / name, errno);
  }
}

}  // namespace calotype::cache
