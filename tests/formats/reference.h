#pragma once
/// \file
/// What make_references.py put into tests/formats/data, and where tests may write.
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "ir/tensor_data.h"

namespace calotype {

inline std::string data_path(const std::string& name) { return std::string(CALOTYPE_TEST_DATA) + "/data/" + name; }

inline std::vector<std::byte> bytes_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> chars{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto* bytes = reinterpret_cast<const std::byte*>(chars.data());
  return {bytes, bytes + chars.size()};
}

/// Element i of every array in the folder.
inline double reference_number(ElementType element, std::int64_t i) {
  const std::int64_t number = i * 37 % 101;
  if (element == ElementType::boolean) return static_cast<double>(number & 1);
  if (is_unsigned_integer(element)) return static_cast<double>(number);
  return static_cast<double>(number - 20) / (is_float(element) ? 4 : 1);
}

inline void expect_reference(const TensorData& data, ElementType element, const std::vector<std::int64_t>& extents) {
  ASSERT_EQ(to_text(data.type), to_text(TensorType{element, extents}));
  ASSERT_EQ(static_cast<std::int64_t>(data.bytes.size()), data.type.bytes());
  for (std::int64_t i = 0; i < data.type.elements(); ++i) EXPECT_EQ(load_as_double(data, i), reference_number(element, i)) << i;
}

/// An empty folder of this test's own.
inline std::filesystem::path fresh_folder() {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string name = std::string(test->test_suite_name()) + "." + test->name();
  for (char& c : name) c = c == '/' ? '_' : c;
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("calotype_test_" + name);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace calotype
