/// \file
/// Buffered writing with every error found.
#include "codegen/file_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ir/failure.h"

namespace calotype::codegen {

FileWriter::FileWriter(const std::filesystem::path& path) : path_(path), file_(std::fopen(path.c_str(), "wbe")) {
  if (!file_) fail();
}

void FileWriter::fail() const { throw Failure(Fault::machine, fmt::format("cannot write {}: {}", path_.string(), std::strerror(errno))); }

void FileWriter::write(const void* bytes, std::size_t count) {
  if (count > 0 && std::fwrite(bytes, 1, count, file_.get()) != count) fail();
  position_ += static_cast<std::int64_t>(count);
}

void FileWriter::zeros(std::int64_t count) {
  static constexpr std::array<char, 4096> none{};
  for (constexpr auto most = static_cast<std::int64_t>(none.size()); count > 0; count -= most) {
    write(none.data(), static_cast<std::size_t>(std::min(count, most)));
  }
}

void FileWriter::patch(std::int64_t position, const void* bytes, std::size_t count) {
  const std::int64_t end = position_;
  if (std::fseek(file_.get(), static_cast<long>(position), SEEK_SET) != 0) fail();
  write(bytes, count);
  if (std::fseek(file_.get(), static_cast<long>(end), SEEK_SET) != 0) fail();
  position_ = end;
}

void FileWriter::close() {
  if (std::fclose(file_.release()) != 0) fail();
}

}  // namespace calotype::codegen
