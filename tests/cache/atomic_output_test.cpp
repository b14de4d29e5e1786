/// \file
/// Files appear whole or not at all.
#include "cache/atomic_output.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>

#include "ir/failure.h"

namespace calotype::cache {
namespace {

namespace fs = std::filesystem;

class AtomicOutputTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "calotype-output-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_)) names.insert(entry.path().filename().string());
    return names;
  }

  fs::path folder_;
};

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_F(AtomicOutputTest, ReplacesAFile) {
  write_atomically(folder_ / "file", "first");
  write_atomically(folder_ / "file", "second");
  EXPECT_EQ(text_of(folder_ / "file"), "second");
  EXPECT_EQ(names(), std::set<std::string>({"file"}));
}

TEST_F(AtomicOutputTest, LeavesNothingWhenItFails) {
  fs::create_directories(folder_ / "taken" / "by a folder");
  try {
    write_atomically(folder_ / "taken", "text");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::machine);
    EXPECT_NE(std::string(failure.what()).find("taken"), std::string::npos);
  }
  EXPECT_THROW(write_atomically(folder_ / "missing" / "file", "text"), Failure);
  EXPECT_EQ(names(), std::set<std::string>({"taken"}));
}

TEST_F(AtomicOutputTest, ASetAppearsTogether) {
  {
    OutputSet set(folder_ / "out");
    set.write("a", "1");
    set.write("b", "2");
    std::ofstream(set.work_directory() / "scrap") << "x";
    EXPECT_FALSE(fs::exists(folder_ / "out" / "a"));
    set.commit();
  }
  EXPECT_EQ(text_of(folder_ / "out" / "a"), "1");
  EXPECT_EQ(text_of(folder_ / "out" / "b"), "2");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "out"), fs::directory_iterator()), 2);
}

TEST_F(AtomicOutputTest, ASetWithoutCommitLeavesNothing) {
  write_atomically(folder_ / "a", "old");
  {
    OutputSet set(folder_);
    set.write("a", "new");
  }
  EXPECT_EQ(text_of(folder_ / "a"), "old");
  EXPECT_EQ(names(), std::set<std::string>({"a"}));
}

TEST_F(AtomicOutputTest, ASetThatCannotBeWholeChangesNothing) {
  fs::create_directories(folder_ / "b" / "c");
  {
    OutputSet set(folder_);
    set.write("a", "new");
    set.write("b", "new");
    EXPECT_THROW(set.commit(), Failure);
  }
  EXPECT_EQ(names(), std::set<std::string>({"b"}));
}

TEST_F(AtomicOutputTest, SaysThatTheFolderCannotBeMade) {
  write_atomically(folder_ / "file", "no folder");
  EXPECT_THROW(OutputSet(folder_ / "file" / "out"), Failure);
}

}  // namespace
}  // namespace calotype::cache
