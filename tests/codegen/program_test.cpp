/// \file
/// Generated libraries in programs of every kind: C99 and C++11, position independent or not, shared, garbage-collected, by ld and by lld.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/link.h"
#include "command.h"
#include "toy_model.h"

namespace calotype::codegen {
namespace {

const std::string programs = CALOTYPE_TEST_DATA "/programs/";
const std::string c_flags = " -std=c99 -Wall -Wextra -pedantic -Werror ";
const std::string cxx_flags = " -std=c++11 -Wall -Wextra -pedantic -Werror ";

/// A folder with the libraries `first` and `second`.
class ProgramTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder;
    const Objects objects = toy_objects();
    link(toy_plan(), objects, toy_library(folder_->path(), "first"));
    link(toy_plan(), objects, toy_library(folder_->path(), "second"));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static std::string path(const std::string& name) { return (*folder_ / name).string(); }
  static std::string both() {
    return " -I" + folder_->path().string() + " " + path("first.a") + " " + path("second.a") + " -lpthread -lm ";
  }

  static void expect_success(const std::string& command, const std::string& output = "") {
    const CommandResult result = run_command(command);
    EXPECT_EQ(result.status, 0) << command << "\n" << result.output;
    EXPECT_EQ(result.output, output) << command;
  }

  static TestFolder* folder_;
};

TestFolder* ProgramTest::folder_ = nullptr;

TEST_F(ProgramTest, TwoModelsLinkInEveryWay) {
  for (const char* linker : {"-fuse-ld=bfd", "-fuse-ld=lld"}) {
    for (const char* mode : {"-fPIE -pie", "-fno-pie -no-pie", "-fPIE -pie -Wl,--gc-sections", "-static"}) {
      const std::string program = path("two_models");
      expect_success(std::string(CALOTYPE_C_COMPILER) + c_flags + linker + " " + mode + " -Wl,--fatal-warnings " + programs +
                     "two_models.c -o " + program + both());
      expect_success(program, "first second 1 -8 -4\n");
    }
  }
}

TEST_F(ProgramTest, TwoModelsLinkIntoASharedLibrary) {
  for (const char* linker : {"-fuse-ld=bfd", "-fuse-ld=lld"}) {
    for (const char* mode : {"", "-Wl,--gc-sections -Wl,-z,defs"}) {
      expect_success(std::string(CALOTYPE_C_COMPILER) + c_flags + linker + " -fPIC -shared -Wl,--fatal-warnings " + mode + " " + programs +
                     "shared_library.c -o " + path("libboth.so") + both());
      expect_success(std::string(CALOTYPE_C_COMPILER) + c_flags + programs + "shared_main.c -o " + path("shared_main") + " " +
                     path("libboth.so"));
      expect_success(path("shared_main"));
    }
  }
}

TEST_F(ProgramTest, StackStaysUnexecutable) {
  expect_success(std::string(CALOTYPE_C_COMPILER) + c_flags + programs + "two_models.c -o " + path("stack") + both());
  EXPECT_THAT(run_command("readelf -lW " + path("stack")).output, testing::ContainsRegex("GNU_STACK .* RW  "));
}

TEST_F(ProgramTest, CxxClassWorks) {
  for (const char* standard : {"-std=c++11", "-std=c++20"}) {
    expect_success(std::string(CALOTYPE_CXX_COMPILER) + cxx_flags + standard + " " + programs + "wrapper.cpp -o " + path("wrapper") +
                   both());
    expect_success(path("wrapper"), "-8\n");
  }
}

TEST_F(ProgramTest, HeaderCompilesInEveryStandard) {
  write_text(path("include.c"), "#include \"first.h\"\n#include \"second.h\"\nint nothing;\n");
  for (const char* standard : {"c99", "c11", "c17", "gnu99"}) {
    expect_success(std::string(CALOTYPE_C_COMPILER) +
                   " -Wall -Wextra -pedantic -Wstrict-prototypes -Wundef -Werror -fsyntax-only -std=" + standard + " " + path("include.c"));
  }
}

TEST_F(ProgramTest, RunAllocatesNothingAndGivesTheSameBits) {
  write_text(
      path("model.h"),
      "#include \"first.h\"\n#define MODEL first\n#define MODEL_IO first_io\n#define MODEL_OPEN first_open\n#define MODEL_RUN first_run\n"
      "#define MODEL_CLOSE first_close\n#define MODEL_INPUT_COUNT FIRST_X_COUNT\n#define MODEL_OUTPUT_BYTES FIRST_Y_BYTES\n");
  expect_success(std::string(CALOTYPE_C_COMPILER) + " -std=gnu11 -Wall -Werror " + programs + "allocations.c -o " + path("allocations") +
                 both());
  expect_success(path("allocations"));
}

TEST_F(ProgramTest, OnlyTheFourFunctionsAreGlobal) {
  // Weights stand under a hidden name that their own member defines.
  EXPECT_THAT(symbols_of(path("first.a"), "TDRBWVCui"),
              testing::ElementsAre("calotype_pool_create_v1", "calotype_pool_destroy_v1", "calotype_pool_run_v1", "first_close",
                                   "first_open", "first_run", "first_status_text", "first_weights"));
  EXPECT_THAT(run_command("readelf -sW " + path("first.a") + " | grep first_weights | grep -v UND").output, testing::HasSubstr("HIDDEN"));
  EXPECT_THAT(run_command("readelf -sW " + path("first.a") + " | grep -E 'first_(open|run|close|status_text)'").output,
              testing::Not(testing::HasSubstr("HIDDEN")));
}

TEST_F(ProgramTest, OnlyTheCLibraryIsLeftOpen) {
  EXPECT_THAT(symbols_left_open(path("first.a")), testing::IsSubsetOf(symbol_list(CALOTYPE_TEST_DATA "/undefined_symbols.txt")));
}

TEST_F(ProgramTest, PackagesFollowTheirFolder) {
  const std::filesystem::path moved = *folder_ / "a folder with spaces";
  std::filesystem::create_directories(moved);
  for (const char* name : {"first", "second"}) {
    for (const char* ending : {".a", ".h", ".pc", "Config.cmake"}) std::filesystem::copy(*folder_ / (name + std::string(ending)), moved);
  }
  // pkg-config escapes spaces with backslashes, which the shell reads through eval.
  const std::string program = path("by_package");
  expect_success("export PKG_CONFIG_PATH='" + moved.string() + "'; eval " CALOTYPE_C_COMPILER + c_flags + programs + "two_models.c -o " +
                 program + " $(pkg-config --cflags --libs first second)");
  expect_success(program, "first second 1 -8 -4\n");

  std::filesystem::create_directories(*folder_ / "project");
  write_text(
      *folder_ / "project" / "CMakeLists.txt",
      "cmake_minimum_required(VERSION 3.20)\nproject(x C)\nfind_package(first CONFIG REQUIRED)\nfind_package(second CONFIG REQUIRED)\n"
      "find_package(first CONFIG REQUIRED)\nadd_executable(app " +
          programs + "two_models.c)\ntarget_link_libraries(app first second)\n");
  const std::string build = path("project") + "/build";
  const CommandResult built = run_command("cmake -S " + path("project") + " -B " + build + " -DCMAKE_PREFIX_PATH='" + moved.string() +
                                          "' && cmake --build " + build);
  EXPECT_EQ(built.status, 0) << built.output;
  expect_success(build + "/app", "first second 1 -8 -4\n");
}

}  // namespace
}  // namespace calotype::codegen
