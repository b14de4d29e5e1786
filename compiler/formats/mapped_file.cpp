/// \file
/// Mapping files for reading, and writing them whole or not at all.
#include "formats/mapped_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>

namespace calotype::formats {
namespace {

/// A file descriptor that closes itself.
struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

[[noreturn]] void refuse(const char* what, const std::string& path) {
  throw Failure(Fault::machine, fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

void write_all(int file, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) refuse("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

MappedFile map_file(const std::string& path, Fault missing) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};  // not to hang on a named pipe
  if (file.number < 0) {
    if (errno == ENOENT || errno == ENOTDIR) throw Failure(missing, fmt::format("there is no file {}", path));
    refuse("read", path);
  }
  struct stat status = {};
  if (::fstat(file.number, &status) != 0) refuse("read", path);
  if (!S_ISREG(status.st_mode)) throw Failure(Fault::input, fmt::format("{} is no regular file", path));
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.number, 0);
  if (address == MAP_FAILED) refuse("map", path);
  std::shared_ptr<const void> owner(address, [size](const void* at) { ::munmap(const_cast<void*>(at), size); });
  return {{static_cast<const std::byte*>(address), size}, std::move(owner)};
}

Numbers numbers_in(MappedFile part, TensorType type) {
  return Numbers(type, [part = std::move(part), type] {
    const std::shared_ptr<const void> reading(part.bytes.data(), [part](const void*) { release_pages(part.bytes); });
    return TensorData{type, part.bytes, reading};
  });
}

void release_pages(std::span<const std::byte> part) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
  const auto end = reinterpret_cast<std::uintptr_t>(part.data() + part.size());
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);  // what it cannot do costs memory and nothing else
}

void write_file(const std::string& path, std::span<const std::span<const std::byte>> parts) {
  const std::string temporary = fmt::format("{}.{}.part", path, ::getpid());
  try {
    const Descriptor file{::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)};
    if (file.number < 0) refuse("write", path);
    for (const auto& part : parts) write_all(file.number, part, path);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) refuse("write", path);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
}

}  // namespace calotype::formats
