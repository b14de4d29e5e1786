/// \file
/// The worked examples give the numbers that their comments and README promise. Expected values are NumPy's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tool.h"

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string path_of(const std::string& name) { return std::string(CALOTYPE_SOURCE_DIR) + "/samples/worked/" + name + ".layers"; }

nlohmann::json summary_of(const std::string& name) {
  const Outcome outcome = run_tool("summary --json '" + path_of(name) + "'");
  EXPECT_EQ(outcome.status, 0);
  return nlohmann::json::parse(outcome.output);
}

std::vector<std::int64_t> layer_parameters(const nlohmann::json& summary) {
  std::vector<std::int64_t> result;
  for (const auto& layer : summary["layers"]) result.push_back(layer["parameters"]);
  return result;
}

/// Runs an example on 0, 1, 2, ... in a folder of its own.
class Worked : public testing::Test {
 protected:
  void SetUp() override {
    folder = std::filesystem::path(testing::TempDir()) /
             ("worked-" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }

  Outcome run(const std::string& name, const std::string& shape, int count, const std::string& more = "") {
    write_floats(folder / "image.npy", shape, count, [](int i) { return static_cast<float>(i); });
    return run_tool("run '" + path_of(name) + "' --input '" + (folder / "image.npy").string() + "' --output-dir '" + folder.string() +
                    "' " + more);
  }
  std::vector<float> output(const std::string& name) { return read_floats(folder / (name + ".npy")); }

  std::filesystem::path folder;
};

TEST_F(Worked, RgbToRgbHasAKernelForEachPairOfChannels) {
  EXPECT_EQ(summary_of("rgb_to_rgb")["parameters"], 3 * 3 * 2 * 2);
  ASSERT_EQ(run("rgb_to_rgb", "(1, 3, 3, 3)", 27).status, 0);
  EXPECT_THAT(output("rgb"), ElementsAre(83, 89, 101, 107, 175, 190, 220, 235, 287, 311, 359, 383));
}

TEST_F(Worked, SketchHas280KernelsOf16Weights) {
  const auto summary = summary_of("sketch");
  EXPECT_EQ(summary["layers"][0]["output_shape"], nlohmann::json({1, 56, 6, 6}));
  EXPECT_EQ(summary["parameters"], 4480);
  EXPECT_EQ(summary["macs"], 4480 * 6 * 6);
  const Outcome explained = run_tool("summary --explain '" + path_of("sketch") + "'");
  EXPECT_EQ(explained.status, 0);
  EXPECT_THAT(explained.output, HasSubstr("56 filters x 5 channels x 4x4 = 4,480 weights"));
  EXPECT_THAT(explained.output, HasSubstr("280"));
}

TEST_F(Worked, StackedGivesTheNumbersOfTheText) {
  EXPECT_THAT(layer_parameters(summary_of("stacked")), ElementsAre(16, 16));
  ASSERT_EQ(run("stacked", "(1, 2, 3, 3)", 18, "--dump conv1").status, 0);
  EXPECT_THAT(output("conv1"), ElementsAre(24, 27, 33, 36, 96, 108, 132, 144));
  EXPECT_THAT(output("conv2"), ElementsAre(270, 1080));
}

TEST_F(Worked, StackedPrintsItsWeightsAndValues) {
  const Outcome outcome = run("stacked", "(1, 2, 3, 3)", 18, "--print conv1 --print conv2");
  ASSERT_EQ(outcome.status, 0);
  for (const char* number : {"0.25", "0.5", "24", "27", "33", "36", "96", "108", "132", "144", "270", "1080"}) {
    EXPECT_THAT(outcome.output, HasSubstr(number));
  }
}

TEST_F(Worked, FourLayersCountAsKerasCounts) {
  const auto summary = summary_of("four_layers");
  EXPECT_THAT(layer_parameters(summary), ElementsAre(2400, 4896, 1989, 819));
  EXPECT_EQ(summary["parameters"], 10104);
  EXPECT_EQ(summary["layers"][3]["output_shape"], nlohmann::json({1, 7, 28, 28}));
}

TEST_F(Worked, FullDepthEqualsTheFlatConvolutionBitForBit) {
  ASSERT_EQ(run("full_depth", "(1, 3, 4, 4)", 48).status, 0);
  EXPECT_THAT(output("flat"), ElementsAre(-158, -160, -162, -166, -168, -170, -174, -176, -178, -1, 4, 9, 19, 24, 29, 39, 44, 49));
  EXPECT_EQ(output("deep"), output("flat"));
}

TEST_F(Worked, DenseIsAOneByOneConvolution) {
  const auto summary = summary_of("dense_as_conv");
  EXPECT_EQ(summary["layers"][0]["parameters"], 8);
  EXPECT_EQ(summary["layers"][2]["parameters"], 8);
  EXPECT_EQ(summary["layers"][0]["macs"], summary["layers"][2]["macs"]);
  ASSERT_EQ(run("dense_as_conv", "(1, 3, 2, 2)", 12).status, 0);
  EXPECT_THAT(output("convolved"), ElementsAre(26, 28, 30, 32, 28, 31.5f, 35, 38.5f));
  EXPECT_EQ(output("applied"), output("convolved"));
}

TEST_F(Worked, DepthwiseIsTheDiagonalOfTheFullConvolution) {
  EXPECT_THAT(layer_parameters(summary_of("depthwise")), ElementsAre(36, 12));
  ASSERT_EQ(run("depthwise", "(1, 3, 3, 3)", 27).status, 0);
  EXPECT_THAT(output("full"), ElementsAre(27, 37, 57, 67, 293, 319, 371, 397, 847, 889, 973, 1015));
  EXPECT_EQ(output("each"), output("full"));
}

}  // namespace
