/// \file
/// The path is walked one component after the other, each opened relative to the folder before it and never through a link: what is checked is
/// what is read, whatever changes on the disk meanwhile.
#include "frontend/onnx/external_data.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace calotype::frontend::onnx {
namespace {

struct Descriptor {
  int number = -1;
  explicit Descriptor(int n) : number(n) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
  void take(int n) {
    if (number >= 0) ::close(number);
    number = n;
  }
};

[[noreturn]] void refuse(const std::string& location, const std::string& why) {
  throw Failure(Fault::input, fmt::format("external data \"{}\": {}", location, why));
}

formats::MappedFile map_below(const std::string& folder, const std::string& location) {
  if (location.empty() || location.front() == '/') refuse(location, "the location must be a path relative to the model's folder");
  if (location.find('\0') != std::string::npos) refuse(location, "the location holds a zero byte");
  Descriptor at(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (at.number < 0) throw Failure(Fault::machine, fmt::format("cannot open {}: {}", folder, std::strerror(errno)));
  for (std::size_t begin = 0; begin <= location.size();) {
    const std::size_t slash = std::min(location.find('/', begin), location.size());
    const std::string part = location.substr(begin, slash - begin);
    const bool is_last = slash == location.size();
    begin = slash + 1;
    if (part.empty() || part == ".") {
      if (is_last) refuse(location, "the location is a folder");
      continue;
    }
    if (part == "..") refuse(location, "the location leaves the model's folder");
    const int next = ::openat(at.number, part.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (is_last ? 0 : O_DIRECTORY));
    if (next < 0) refuse(location, errno == ELOOP || errno == ENOTDIR ? "symbolic links are not followed" : std::strerror(errno));
    at.take(next);
  }
  struct stat status = {};
  if (::fstat(at.number, &status) != 0) refuse(location, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) refuse(location, "this is no regular file");
  if (status.st_nlink > 1) refuse(location, "the file has several hard links");
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return {};
  void* const bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, at.number, 0);
  if (bytes == MAP_FAILED) throw Failure(Fault::machine, fmt::format("cannot map {}: {}", location, std::strerror(errno)));
  const std::shared_ptr<const void> owner(bytes, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {{static_cast<const std::byte*>(bytes), size}, owner};
}

}  // namespace

formats::MappedFile ExternalData::read(const std::string& location, std::int64_t offset, std::int64_t length) {
  auto found = files_.find(location);
  if (found == files_.end()) found = files_.emplace(location, map_below(folder_, location)).first;
  const auto size = static_cast<std::int64_t>(found->second.bytes.size());
  if (offset < 0 || offset > size) refuse(location, fmt::format("offset {} lies outside of its {} bytes", offset, size));
  if (length < -1 || length > size - offset)
    refuse(location, fmt::format("{} bytes from {} on are more than its {}", length, offset, size));
  if (length < 0) length = size - offset;
  return {found->second.bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length)), found->second.owner};
}

}  // namespace calotype::frontend::onnx
