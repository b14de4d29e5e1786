#pragma once
/// \file
/// Running the built tool as a person does: arguments in; status, standard output and standard error out.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "formats/npy.h"

namespace calotype {

struct Outcome {
  int status = -1;
  std::string output;
  std::string errors;
};

/// An empty folder of this test's own.
inline std::filesystem::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / (std::string("calotype_test_") + test->test_suite_name() + "." + test->name());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

inline std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// Runs `calotype ARGUMENTS` through the shell.
inline Outcome calotype_tool(const std::string& arguments) {
  const std::string errors = testing::TempDir() + "calotype_errors_" + std::to_string(::getpid());
  Outcome outcome;
  std::FILE* pipe = ::popen(("'" CALOTYPE_TOOL "' " + arguments + " 2>'" + errors + "'").c_str(), "r");
  if (pipe == nullptr) return outcome;
  char buffer[4096];
  for (std::size_t count = 0; (count = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) outcome.output.append(buffer, count);
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  outcome.errors = text_of(errors);
  std::filesystem::remove(errors);
  return outcome;
}

inline std::string sample(const std::string& name) { return CALOTYPE_SOURCE_DIR "/samples/" + name; }

/// Writes a description into the folder and gives its path.
inline std::string description(const std::filesystem::path& folder, const std::string& text) {
  const std::filesystem::path path = folder / "model.layers";
  std::ofstream(path) << text;
  return path.string();
}

/// An f32 array of those extents whose element i is first + i * step.
inline TensorData ramp(std::vector<std::int64_t> extents, float first = 0, float step = 1) {
  const TensorType type{ElementType::f32, std::move(extents)};
  std::vector<float> numbers(static_cast<std::size_t>(type.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = first + step * static_cast<float>(i);
  return own(type, std::move(numbers));
}

inline std::string write_array(const std::filesystem::path& path, const TensorData& data) {
  formats::write_npy(path.string(), data);
  return path.string();
}

inline std::vector<float> floats_in(const std::filesystem::path& path) {
  const TensorData data = formats::read_npy(path.string());
  std::vector<float> numbers;
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load<float>(data, i));
  return numbers;
}

}  // namespace calotype
