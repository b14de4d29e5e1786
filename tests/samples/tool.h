#pragma once
/// \file
/// Running the built tool from a test, and the .npy files it takes and gives, written and read here without Calotype's own code.
#include <sys/wait.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

struct Outcome {
  int status = 0;
  std::string output;  // standard output; errors go to the test's own
};

/// Runs `CALOTYPE_TOOL arguments` through the shell.
inline Outcome run_tool(const std::string& arguments) {
  Outcome outcome;
  std::FILE* pipe = popen((std::string("'") + CALOTYPE_TOOL + "' " + arguments).c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("cannot start a shell");
  char buffer[4096];
  for (std::size_t count; (count = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) outcome.output.append(buffer, count);
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

/// Writes a float32 array of `shape` (as Python writes a tuple) with `count` numbers; `number(i)` gives each, in order.
template <typename Number>
void write_floats(const std::filesystem::path& path, const std::string& shape, int count, Number number) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file.write("\x93NUMPY\x01\x00", 8);
  file.put(static_cast<char>(header.size() & 255));
  file.put(static_cast<char>(header.size() >> 8));
  file << header;
  for (int i = 0; i < count; ++i) {
    const float value = number(i);
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }
}

/// The numbers of a float32 .npy file of version 1.
inline std::vector<float> read_floats(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (bytes.size() < 10) throw std::runtime_error(path.string() + " is missing or no .npy file");
  const std::size_t begin = 10 + static_cast<std::uint8_t>(bytes[8]) + 256u * static_cast<std::uint8_t>(bytes[9]);
  if (bytes.size() < begin || std::string(bytes.data(), begin).find("'<f4'") == std::string::npos) {
    throw std::runtime_error(path.string() + " holds no float32 array");
  }
  std::vector<float> values((bytes.size() - begin) / sizeof(float));
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::copy_n(bytes.data() + begin + i * sizeof(float), sizeof(float), reinterpret_cast<char*>(&values[i]));
  }
  return values;
}
