/// \file
/// Every message of the text frontend, in full: tests/goldens/diagnostics/NAME.layers must give NAME.expected.
/// CALOTYPE_UPDATE_GOLDENS=1 writes what is printed now; review the difference.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "frontend/frontend.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

const fs::path folder = CALOTYPE_SOURCE_DIR "/tests/goldens/diagnostics";

std::string content_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string rendered(const fs::path& path) {
  try {
    frontend::parse(std::make_shared<const SourceFile>(SourceFile{path.filename().string(), content_of(path)}));
  } catch (const Failure& failure) {
    return render(failure);
  }
  return "no error\n";
}

class DiagnosticGolden : public ::testing::TestWithParam<std::string> {};

TEST_P(DiagnosticGolden, SaysWhatItShould) {
  const std::string message = rendered(folder / (GetParam() + ".layers"));
  const fs::path golden = folder / (GetParam() + ".expected");
  if (std::getenv("CALOTYPE_UPDATE_GOLDENS")) std::ofstream(golden, std::ios::binary) << message;
  ASSERT_TRUE(fs::exists(golden)) << "CALOTYPE_UPDATE_GOLDENS=1 writes it; it would be:\n" << message;
  EXPECT_EQ(message, content_of(golden));
  EXPECT_NE(message, "no error\n");
}

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".layers") names.push_back(entry.path().stem().string());
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Text, DiagnosticGolden, ::testing::ValuesIn(cases()), [](const auto& parameter) { return parameter.param; });

/// Each golden has its description: a file that was renamed leaves nothing behind.
TEST(Diagnostics, HasNoGoldenWithoutDescription) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    EXPECT_TRUE(fs::exists(fs::path(entry.path()).replace_extension(".layers"))) << entry.path();
  }
}

}  // namespace
}  // namespace calotype
