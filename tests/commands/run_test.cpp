/// \file
/// run, check, bench and compile on networks small enough to follow by hand.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/safetensors.h"
#include "tool.h"

namespace calotype {
namespace {

using Json = nlohmann::ordered_json;

const std::string stacked = sample("worked/stacked.layers");

TEST(Run, WritesOutputsAndEveryLayer) {
  const auto folder = fresh_folder();
  const std::string input = write_array(folder / "x.npy", ramp({1, 2, 3, 3}));
  const Outcome outcome = calotype_tool("run " + stacked + " --input " + input + " --dump all --output-dir " + (folder / "out").string());
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(floats_in(folder / "out/conv1.npy"), (std::vector<float>{24, 27, 33, 36, 96, 108, 132, 144}));
  EXPECT_EQ(floats_in(folder / "out/conv2.npy"), (std::vector<float>{270, 1080}));
  EXPECT_EQ(Json::parse(text_of(folder / "out/outputs.json")),
            Json::parse(R"([{"name": "conv2", "file": "conv2.npy", "type": "f32", "shape": [1, 2, 1, 1]}])"));
}

TEST(Run, PrintsWeightsAndValues) {
  const std::string input = write_array(fresh_folder() / "x.npy", ramp({1, 2, 3, 3}));
  const Outcome outcome = calotype_tool("run " + stacked + " --input image=" + input + " --print conv1");
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_NE(outcome.output.find("conv1.weight: f32[2, 2, 2, 2]"), std::string::npos) << outcome.output;
  EXPECT_NE(outcome.output.find("  24 27\n  33 36\n"), std::string::npos) << outcome.output;
}

TEST(Run, BindsSymbolsFromTheArrays) {
  const auto folder = fresh_folder();
  const std::string model = description(folder, "network n(a: f32[N, 2], b: f32[N, K]) -> y { y = concat(a, b, axis=1) }\n");
  const std::string a = write_array(folder / "a.npy", ramp({3, 2}));
  const std::string b = write_array(folder / "b.npy", ramp({3, 1}, 10));
  const std::string output = (folder / "out").string();
  ASSERT_EQ(calotype_tool("run " + model + " --input " + a + " --input " + b + " --output-dir " + output).status, 0);
  EXPECT_EQ(floats_in(folder / "out/y.npy"), (std::vector<float>{0, 1, 10, 2, 3, 11, 4, 5, 12}));

  const std::string other = write_array(folder / "c.npy", ramp({4, 1}));
  const Outcome conflict = calotype_tool("run " + model + " --input a=" + a + " --input b=" + other);
  EXPECT_EQ(conflict.status, 1);
  EXPECT_NE(conflict.errors.find("N is 3"), std::string::npos) << conflict.errors;
  EXPECT_EQ(calotype_tool("run " + model + " --set N=2 --input a=" + a + " --input b=" + b).status, 1);
}

TEST(Run, SaysWhatAnArrayShouldHaveBeen) {
  const std::string input = write_array(fresh_folder() / "x.npy", ramp({1, 3, 3, 2}));
  const Outcome outcome = calotype_tool("run " + stacked + " --input " + input);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.errors.find("the array for image is f32[1, 3, 3, 2], but the network wants f32[1, 2, 3, 3]"), std::string::npos)
      << outcome.errors;
}

TEST(Run, TakesAndGivesChannelsLastBuffersAsTheyLie) {
  const auto folder = fresh_folder();
  const std::string model = description(folder,
                                        "network n(x: f32[1, H, W, 2] channels_last) -> y, z: f32[1, 2, 3, 2] channels_last {\n"
                                        "  y = identity(x)\n  z = identity(x)\n}\n");
  const std::string input = write_array(folder / "x.npy", ramp({1, 2, 3, 2}));
  const Outcome outcome = calotype_tool("run " + model + " --input " + input + " --output-dir " + (folder / "out").string());
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(floats_in(folder / "out/y.npy"), (std::vector<float>{0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11}));
  EXPECT_EQ(floats_in(folder / "out/z.npy"), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}));
}

TEST(Run, ReadsWeightsBesideTheDescription) {
  const auto folder = fresh_folder();
  std::filesystem::create_directories(folder / "weights");
  formats::write_safetensors((folder / "weights/w.safetensors").string(), {{"y.weight", ramp({2, 3})}, {"y.bias", ramp({2}, 100)}});
  const std::string model =
      description(folder, "network n(x: f32[1, 3]) -> y {\n  weights \"weights/w.safetensors\"\n  y = dense(x, units=2)\n}\n");
  const std::string input = write_array(folder / "x.npy", ramp({1, 3}, 1));
  const Outcome outcome = calotype_tool("run " + model + " --input " + input + " --output-dir " + (folder / "out").string());
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_EQ(floats_in(folder / "out/y.npy"), (std::vector<float>{100 + 0 + 2 + 6, 101 + 3 + 8 + 15}));

  std::filesystem::remove(folder / "weights/w.safetensors");
  EXPECT_EQ(calotype_tool("run " + model + " --input " + input).status, 1) << "a description that names a missing file is at fault";
}

/// The variant that shows every value agrees with the plain build, batch norm folded there and not here.
TEST(Run, DumpedValuesChangeNothing) {
  const auto folder = fresh_folder();
  const std::string model =
      description(folder,
                  "network n(x: f32[1, 5, 9, 9]) -> y {\n  c = conv(x, filters=7, kernel=3x3, padding=same, bias=false)\n"
                  "  b = batch_norm(activation=relu)\n  d = conv(filters=5, kernel=1x1)\n  y = add(d, x, activation=tanh)\n}\n");
  const std::string input = write_array(folder / "x.npy", ramp({1, 5, 9, 9}, -1, 0.005F));
  const std::string command = "run " + model + " --weights-from random:3 --input " + input + " --output-dir ";
  ASSERT_EQ(calotype_tool(command + (folder / "plain").string()).status, 0);
  ASSERT_EQ(calotype_tool(command + (folder / "shown").string() + " --dump all").status, 0);
  const std::vector<float> plain = floats_in(folder / "plain/y.npy");
  const std::vector<float> shown = floats_in(folder / "shown/y.npy");
  ASSERT_EQ(plain.size(), shown.size());
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_NEAR(plain[i], shown[i], 1e-5) << i;
  for (const char* name : {"c", "b", "d"}) EXPECT_TRUE(std::filesystem::exists(folder / "shown" / (std::string(name) + ".npy"))) << name;
}

TEST(Check, AgreesWithItselfAndNamesTheFirstLayerThatDiffers) {
  const auto folder = fresh_folder();
  const std::string input = write_array(folder / "image.npy", ramp({1, 2, 3, 3}));
  write_array(folder / "conv1.npy", own({ElementType::f32, {1, 2, 2, 2}}, std::vector<float>{24, 27, 33, 36, 96, 108, 132, 144}));
  write_array(folder / "conv2.npy", own({ElementType::f32, {1, 2, 1, 1}}, std::vector<float>{270, 1080}));
  const Outcome same = calotype_tool("check " + stacked + " --expect " + folder.string());
  EXPECT_EQ(same.status, 0) << same.errors;

  write_array(folder / "conv2.npy", own({ElementType::f32, {1, 2, 1, 1}}, std::vector<float>{270, 1081}));
  const Outcome late = calotype_tool("check " + stacked + " --expect " + folder.string());
  EXPECT_EQ(late.status, 5);
  EXPECT_NE(late.errors.find("conv2 is the first that differs: 1080 at [0, 1, 0, 0] where 1081 was expected"), std::string::npos)
      << late.errors;

  write_array(folder / "conv1.npy", own({ElementType::f32, {1, 2, 2, 2}}, std::vector<float>{24, 27, 33, 36, 96, 108, 132, 14}));
  const Outcome early = calotype_tool("check " + stacked + " --expect " + folder.string());
  EXPECT_EQ(early.status, 5);
  EXPECT_NE(early.errors.find("conv1 is the first that differs"), std::string::npos) << early.errors;
}

TEST(Bench, ReportsEveryLatency) {
  const Outcome outcome = calotype_tool("bench --json --runs 7 " + stacked);
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Json report = Json::parse(outcome.output);
  ASSERT_EQ(report["latencies_us"].size(), 7U);
  const auto latencies = report["latencies_us"].get<std::vector<double>>();
  EXPECT_EQ(report["min_us"], *std::min_element(latencies.begin(), latencies.end()));
  EXPECT_EQ(report["p99_us"], *std::max_element(latencies.begin(), latencies.end()));
  EXPECT_EQ(report["macs"], 80);
  EXPECT_GT(report["peak_gflops"], 1.0);
}

TEST(Bench, TimesEveryStep) {
  const Outcome outcome = calotype_tool("bench --per-layer --json --runs 5 " + stacked);
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Json report = Json::parse(outcome.output);
  std::int64_t multiply_adds = 0;
  double time = 0;
  for (const Json& step : report["steps"]) {
    multiply_adds += step["macs"].get<std::int64_t>();
    time += step["median_us"].get<double>();
  }
  EXPECT_EQ(multiply_adds, 80);
  EXPECT_GT(time, 0);
}

TEST(Compile, NamesTheLibraryByTheRule) {
  const auto folder = fresh_folder();
  const std::string model = description(folder, "network double(x: f32[1, 3]) -> y { y = relu(x) }\n");
  ASSERT_EQ(calotype_tool("compile " + model + " -o " + (folder / "out").string()).status, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "out/double_.a")) << "a keyword of C gets a trailing _";
  ASSERT_EQ(calotype_tool("compile " + model + " --name edge-net -o " + (folder / "out").string()).status, 0);
  EXPECT_TRUE(std::filesystem::exists(folder / "out/edge_net.h"));
}

TEST(Compile, ReportsWhatItWrote) {
  const auto folder = fresh_folder();
  const Outcome outcome = calotype_tool("compile --json --weight-storage external " + stacked + " -o " + folder.string());
  ASSERT_EQ(outcome.status, 0) << outcome.errors;
  const Json report = Json::parse(outcome.output);
  EXPECT_EQ(report["c_name"], "stacked");
  EXPECT_EQ(report["files"].size(), static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {})));
  for (const Json& file : report["files"]) EXPECT_TRUE(std::filesystem::is_regular_file(folder / file.get<std::string>())) << file;
}

TEST(Compile, LeavesNothingHalfWritten) {
  const auto folder = fresh_folder();
  std::filesystem::create_directories(folder / "out");
  const Outcome outcome = calotype_tool("compile " + stacked + " --name a.b --weight-storage nowhere -o " + (folder / "out").string());
  EXPECT_EQ(outcome.status, 2);
  EXPECT_TRUE(std::filesystem::is_empty(folder / "out"));
}

/// Winograd's weights are larger than the convolution's own: neither "exact" nor a tight limit leaves room for it.
TEST(Compile, ReformulatesOnlyWhereItMay) {
  const std::string model =
      description(fresh_folder(), "network n(x: f32[1, 512, 32, 32]) -> y { y = conv(x, filters=512, kernel=3x3, padding=same) }\n");
  const auto plan = [&](const char* options) {
    return calotype_tool("compile --emit plan --weights-from random:1 " + std::string(options) + model).output;
  };
  ASSERT_NE(plan("").find("winograd"), std::string::npos);
  EXPECT_EQ(plan("--accuracy exact ").find("winograd"), std::string::npos);
  EXPECT_EQ(plan("--size-limit 1 ").find("winograd"), std::string::npos);
}

TEST(Compile, RefusesTensorsBeyond32Bits) {
  const std::string model = description(fresh_folder(), "network n(x: f32[1, 3, 20000, 20000]) -> y { y = relu(x) }\n");
  const Outcome outcome = calotype_tool("compile --emit plan " + model);
  EXPECT_EQ(outcome.status, 3);
  EXPECT_NE(outcome.errors.find("4,800,000,000 bytes"), std::string::npos) << outcome.errors;
}

class Stages : public testing::TestWithParam<const char*> {};

TEST_P(Stages, ArePrinted) {
  const Outcome outcome = calotype_tool(std::string("compile --emit ") + GetParam() + " " + stacked);
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  // An object is named by its symbol; every other stage knows the layer.
  const bool names_layers = GetParam() != std::string("object");
  EXPECT_EQ(outcome.output.find("conv1") != std::string::npos, names_layers) << outcome.output.substr(0, 1000);
  EXPECT_GT(outcome.output.size(), 50U);
}

INSTANTIATE_TEST_SUITE_P(All, Stages, testing::Values("graph", "shapes", "fused", "plan", "stmt", "llvm", "asm", "object"));

}  // namespace
}  // namespace calotype
