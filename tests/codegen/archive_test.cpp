/// \file
/// Archives as other tools read them.
#include "codegen/archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "command.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

ArchiveMember member(const std::string& name, std::vector<std::string> symbols, const std::string& bytes) {
  return {name, std::move(symbols), [bytes](FileWriter& file) { file.write(bytes.data(), bytes.size()); }};
}

TEST(Archive, MembersComeBack) {
  const TestFolder folder;
  write_archive({member("odd.o", {"a", "bc"}, "abc"), member("a name longer than fifteen.o", {}, "12"),
                 member("exactly15chars.o", {"d"}, ""), member("another longer name.o", {"e"}, "x")},
                folder / "x.a");
  const std::string ar = "cd " + folder.path().string() + " && ar ";
  EXPECT_EQ(run_command(ar + "t x.a").output, "odd.o\na name longer than fifteen.o\nexactly15chars.o\nanother longer name.o\n");
  EXPECT_EQ(run_command(ar + "p x.a odd.o").output, "abc");
  EXPECT_EQ(run_command(ar + "p x.a 'a name longer than fifteen.o'").output, "12");
  EXPECT_EQ(run_command(ar + "p x.a exactly15chars.o").output, "");
  EXPECT_EQ(run_command(ar + "p x.a 'another longer name.o'").output, "x");
  EXPECT_THAT(run_command("nm -s " + (folder / "x.a").string()).output,
              testing::HasSubstr("a in odd.o\nbc in odd.o\nd in exactly15chars.o\ne in another longer name.o\n"));
}

TEST(Archive, SaysThatItCannotWrite) {
  const TestFolder folder;
  try {
    write_archive({member("a.o", {}, std::string(100000, 'a'))}, "/dev/full");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::machine);
    EXPECT_THAT(failure.what(), testing::HasSubstr("No space"));
  }
  EXPECT_THROW(write_archive({}, folder / "missing" / "x.a"), Failure);
}

}  // namespace
}  // namespace calotype::codegen
