#pragma once
/// \file
/// What tests of generated libraries share: folders that go away, and programs that are run.
#include <filesystem>
#include <string>
#include <vector>

namespace calotype::codegen {

/// A fresh folder that is removed with its contents.
class TestFolder {
 public:
  TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  ~TestFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// What a program left: its exit status and everything that it wrote to stdout and stderr.
struct CommandResult {
  int status = 0;
  std::string output;
};

/// Runs a shell command and waits for it.
CommandResult run_command(const std::string& command);

std::string read_text(const std::filesystem::path& path);
void write_text(const std::filesystem::path& path, const std::string& text);

/// The lines of `nm` on an object or archive whose symbol has one of these type letters, as bare names, sorted and unique.
std::vector<std::string> symbols_of(const std::filesystem::path& path, const std::string& letters);

/// What an archive as a whole leaves undefined, sorted.
std::vector<std::string> symbols_left_open(const std::filesystem::path& archive);

/// The lines of a list, without comments.
std::vector<std::string> symbol_list(const std::filesystem::path& path);

}  // namespace calotype::codegen
