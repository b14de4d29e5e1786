/// \file
/// Compiling needs little memory beside the weights: they are made and packed one tensor at a time.
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "cache/temporary_folder.h"

namespace calotype::commands {
namespace {

/// Largest resident set, in bytes, of the tool with these arguments; 0 where it failed.
std::int64_t peak_of(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  std::string tool = CALOTYPE_TOOL;
  words.push_back(tool.data());
  std::vector<std::string> copies = arguments;
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawn(&child, tool.c_str(), nullptr, nullptr, words.data(), environ) != 0) return 0;
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return 0;
  return std::int64_t{1024} * usage.ru_maxrss;
}

TEST(CompileMemory, StaysBelowTheWeightsPlusWhatACompilerTakes) {
  const cache::TemporaryFolder folder;
  const std::filesystem::path model = folder.path / "wide.layers";
  std::ofstream(model) << "network wide(x: f32[1, 4096]) -> y {\n  a = dense(x, units=4096, activation=relu)\n"
                          "  b = dense(units=4096, activation=relu)\n  c = dense(units=4096, activation=relu)\n"
                          "  d = dense(units=4096, activation=relu)\n  y = dense(units=4096)\n}\n";
  constexpr std::int64_t weights = std::int64_t{5} * 4096 * 4097 * 4;
  const std::int64_t peak = peak_of({"compile", model.string(), "--weights-from", "random:1", "-o", (folder.path / "out").string()});
  ASSERT_GT(peak, 0) << "the tool failed";
  // Two tensors of a fifth each, and about 150 MB for Halide and LLVM. All weights at once would pass this.
  EXPECT_LT(peak, weights) << peak << " bytes at the peak for " << weights << " of weights";
}

}  // namespace
}  // namespace calotype::commands
