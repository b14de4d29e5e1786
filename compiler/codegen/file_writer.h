#pragma once
/// \file
/// A file that is written front to back, then patched in places.
#include <array>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace calotype::codegen {

/// Every member function throws Failure(machine) if the file cannot be written.
class FileWriter {
 public:
  explicit FileWriter(const std::filesystem::path& path);

  void write(const void* bytes, std::size_t count);
  template <typename T>
  void write_record(const T& record) {
    write(&record, sizeof record);
  }
  void zeros(std::int64_t count);
  std::int64_t position() const { return position_; }
  /// Writes over what is there and comes back to where it was.
  void patch(std::int64_t position, const void* bytes, std::size_t count);
  /// Must be called: only then is it certain that everything arrived.
  void close();

 private:
  [[noreturn]] void fail() const;

  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::int64_t position_ = 0;
};

}  // namespace calotype::codegen
