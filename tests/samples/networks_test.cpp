/// \file
/// The networks of samples/networks have the parameter counts that their authors and torchvision publish, and the summary is quick.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <ostream>

#include "tool.h"

namespace {

struct Published {
  const char* name;
  std::int64_t trainable;
  std::vector<std::int64_t> output;
  std::int64_t macs;  // of convolutions and dense layers
};

void PrintTo(const Published& published, std::ostream* out) { *out << published.name; }

class Networks : public testing::TestWithParam<Published> {};

std::string path_of(const std::string& name) { return std::string(CALOTYPE_SOURCE_DIR) + "/samples/networks/" + name + ".layers"; }

nlohmann::json summary_of(const std::string& name) {
  const Outcome outcome = run_tool("summary --json '" + path_of(name) + "'");
  EXPECT_EQ(outcome.status, 0);
  return nlohmann::json::parse(outcome.output);
}

TEST_P(Networks, HaveThePublishedCounts) {
  const auto summary = summary_of(GetParam().name);
  EXPECT_EQ(summary["trainable_parameters"], GetParam().trainable);
  EXPECT_EQ(summary["macs"], GetParam().macs);
  EXPECT_EQ(summary["layers"].back()["output_shape"], nlohmann::json(GetParam().output));
}

TEST_P(Networks, CountRunningStatisticsAsStoredButNotTrained) {
  const auto summary = summary_of(GetParam().name);
  std::int64_t statistics = 0;
  for (const auto& layer : summary["layers"]) {
    if (layer["kind"] == "batch_norm") statistics += 2 * layer["output_shape"][1].get<std::int64_t>();
  }
  EXPECT_EQ(summary["parameters"].get<std::int64_t>(), GetParam().trainable + statistics);
}

INSTANTIATE_TEST_SUITE_P(
    All, Networks,
    testing::Values(Published{"lenet5", 61706, {1, 10}, 416520}, Published{"vgg16", 138357544, {1, 1000}, 15470264320},
                    Published{"inception_v3", 23834568, {1, 1000}, 5713216096}, Published{"resnet18", 11689512, {1, 1000}, 1814073344},
                    Published{"resnet50", 25557032, {1, 1000}, 4089184256}, Published{"densenet121", 7978856, {1, 1000}, 2834161664},
                    Published{"squeezenet1_1", 1235496, {1, 1000}, 349151936}, Published{"mobilenet_v2", 3504872, {1, 1000}, 300774272},
                    Published{"efficientnet_lite0", 4652008, {1, 1000}, 385187552}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(NetworkDescriptions, ResNet50FitsOnFiftyLines) {
  std::ifstream file(path_of("resnet50"));
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  EXPECT_GT(lines, 10);
  EXPECT_LE(lines, 50);
}

TEST(NetworkDescriptions, ResNet50IsSummedUpInATenthOfASecond) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    summary_of("resnet50");
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  EXPECT_LT(best, 0.1);
}

}  // namespace
