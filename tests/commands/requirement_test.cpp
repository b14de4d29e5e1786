/// \file
/// Numbers that a compiled network does not take: the run says which, and ends with status 1.
#include "tool.h"

namespace calotype {
namespace {

std::string write_integers(const std::filesystem::path& path, const std::vector<std::int64_t>& numbers, std::vector<std::int64_t> extents) {
  formats::write_npy(path.string(), own({ElementType::i64, std::move(extents)}, numbers));
  return path.string();
}

TEST(Requirement, IndicesOutOfRangeAreReported) {
  const auto folder = fresh_folder();
  const std::string x = write_array(folder / "x.npy", ramp({4, 2}));
  struct {
    std::string statement, type;
    std::vector<std::int64_t> extents, right, wrong;
    std::string message;
  } cases[] = {
      {"gather(x, i)", "i64[3]", {3}, {0, -4, 3}, {0, 4, 1}, "gather: index 4 of i is out of range: it must be between -4 and 3"},
      {"gather_elements(x, i, axis=1)", "i64[2, 2]", {2, 2}, {0, -2, 1, 1}, {0, -3, 1, 1}, "index -3 of i is out of range"},
      {"gather_nd(x, i)", "i64[2, 2]", {2, 2}, {3, 1, -4, -2}, {1, 3, 0, 0}, "index 3 of i is out of range: it must be between -2 and 1"},
      {"scatter_elements(x, i, x)",
       "i64[4, 2]",
       {4, 2},
       {0, 0, 1, 1, 2, 2, 3, -4},
       {0, 0, 1, 1, 2, 2, 3, 9},
       "index 9 of i is out of range"},
      {"reverse_sequence(x, i)", "i64[2]", {2}, {4, 0}, {5, 1}, "index 5 of i is out of range: it must be between 0 and 4"},
  };
  for (const auto& one : cases) {
    const std::string model = description(folder, "network n(x: f32[4, 2], i: " + one.type + ") -> y {\n  y = " + one.statement + "\n}\n");
    const std::string command = "run " + model + " --input " + x + " --input i=";
    const Outcome right = calotype_tool(command + write_integers(folder / "right.npy", one.right, one.extents));
    EXPECT_EQ(right.status, 0) << one.statement << right.errors;
    const Outcome wrong = calotype_tool(command + write_integers(folder / "wrong.npy", one.wrong, one.extents));
    EXPECT_EQ(wrong.status, 1) << one.statement;
    EXPECT_NE(wrong.errors.find(one.message), std::string::npos) << one.statement << wrong.errors;
  }
}

TEST(Requirement, IndicesOfWideRowsAreAllLookedAt) {
  const auto folder = fresh_folder();
  const std::string x = write_array(folder / "x.npy", ramp({4, 2}));
  const std::string model = description(folder, "network n(x: f32[4, 2], i: i64[3, 100]) -> y {\n  y = gather(x, i)\n}\n");
  std::vector<std::int64_t> indices(300, 1);
  const std::string command = "run " + model + " --input " + x + " --json --input i=";
  EXPECT_EQ(calotype_tool(command + write_integers(folder / "i.npy", indices, {3, 100})).status, 0);
  for (const std::size_t at : {0U, 99U, 163U, 299U}) {
    indices[at] = -5;
    EXPECT_EQ(calotype_tool(command + write_integers(folder / "i.npy", indices, {3, 100})).status, 1) << at;
    indices[at] = 1;
  }
}

TEST(Requirement, KnownIndicesOutOfRangeDoNotCompile) {
  const auto folder = fresh_folder();
  const std::string model = description(folder, "network n(x: f32[4, 2]) -> y {\n  i = constant([7], type=i64)\n  y = gather(x, i)\n}\n");
  const Outcome outcome = calotype_tool("run " + model + " --input " + write_array(folder / "x.npy", ramp({4, 2})));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.errors.find("index 7 of i is out of range"), std::string::npos) << outcome.errors;
}

TEST(Requirement, SaysWhatTheInputHeldAndWhatWasCompiledFor) {
  const auto folder = fresh_folder();
  const std::string model = description(folder,
                                        "network n(x: f32[4, 2], shape: i64[2]) -> y {\n  wanted = constant([2, 4], type=i64)\n"
                                        "  same = equal(shape, wanted)\n  y = reshape(x, shape=[2, 4])\n"
                                        "  held = require(same, says=\"shape: [2, 4]\")\n}\n");
  const std::string command = "run " + model + " --input " + write_array(folder / "x.npy", ramp({4, 2})) + " --input shape=";
  EXPECT_EQ(calotype_tool(command + write_integers(folder / "a.npy", {2, 4}, {2})).status, 0);
  const Outcome other = calotype_tool(command + write_integers(folder / "b.npy", {1, 8}, {2}));
  EXPECT_EQ(other.status, 1);
  EXPECT_NE(other.errors.find("input shape holds [1, 8], but the network was compiled for shape: [2, 4]"), std::string::npos)
      << other.errors;
}

}  // namespace
}  // namespace calotype
