/// \file
/// Running programs from tests.
#include "command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace calotype::codegen {

TestFolder::TestFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "calotype-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  path_ = pattern;
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

CommandResult run_command(const std::string& command) {
  CommandResult result;
  std::FILE* pipe = ::popen(("( " + command + " ) 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start a shell");
  std::array<char, 4096> buffer;
  for (std::size_t got; (got = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) result.output.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::filesystem::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::vector<std::string> symbols_of(const std::filesystem::path& path, const std::string& letters) {
  std::istringstream lines(run_command("nm '" + path.string() + "'").output);
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    // "0000000000000000 T name" or "                 U name"
    if (line.size() > 19 && line[16] == ' ' && line[18] == ' ' && letters.find(line[17]) != std::string::npos)
      names.push_back(line.substr(19));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> symbols_left_open(const std::filesystem::path& archive) {
  const std::vector<std::string> undefined = symbols_of(archive, "Uw"), defined = symbols_of(archive, "TDRBV");
  std::vector<std::string> open;
  std::set_difference(undefined.begin(), undefined.end(), defined.begin(), defined.end(), std::back_inserter(open));
  return open;
}

std::vector<std::string> symbol_list(const std::filesystem::path& path) {
  std::istringstream lines(read_text(path));
  std::vector<std::string> names;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && !line.starts_with('#')) names.push_back(line);
  }
  return names;
}

}  // namespace calotype::codegen
