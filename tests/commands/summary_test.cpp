/// \file
/// The document of `summary --json`, key by key, and the table.
#include <nlohmann/json.hpp>

#include "tool.h"

namespace calotype {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* text = R"(network small(image: f32[N, 3, 4, 4], bytes: u8[2, 4, 4, 3] channels_last) -> sum {
  w    = parameter(f32[2, 3, 1, 1])
  conv = conv(image, filters=2, kernel=3x3, padding=same)
  bn   = batch_norm()
  thin = conv(image, w, filters=2, kernel=1x1, bias=false)
  sum  = add(bn, thin)
}
)";

Json summary_of(const std::string& options) {
  const Outcome outcome = calotype_tool("summary --json " + options + " '" + description(fresh_folder(), text) + "'");
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  return Json::parse(outcome.output);
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(SummaryJson, HasTheKeysOfTheContract) {
  const Json summary = summary_of("");
  EXPECT_EQ(keys_of(summary),
            (std::vector<std::string>{"model", "inputs", "outputs", "layers", "parameters", "trainable_parameters", "macs"}));
  EXPECT_EQ(keys_of(summary["layers"][0]),
            (std::vector<std::string>{"name", "kind", "inputs", "output_shape", "parameters", "trainable_parameters", "macs", "line"}));
}

TEST(SummaryJson, CountsByHand) {
  const Json summary = summary_of("");
  EXPECT_EQ(summary["model"], "small");
  const Json& conv = summary["layers"][1];
  EXPECT_EQ(conv["name"], "conv");
  EXPECT_EQ(conv["inputs"], Json({"image"}));
  EXPECT_EQ(conv["parameters"], 2 * 3 * 9 + 2);
  EXPECT_EQ(conv["macs"], 2 * 16 * 27);
  EXPECT_EQ(conv["line"], 3);
  const Json& norm = summary["layers"][2];
  EXPECT_EQ(norm["parameters"], 8);
  EXPECT_EQ(norm["trainable_parameters"], 4);
  const Json& shared = summary["layers"][0];
  EXPECT_EQ(shared["kind"], "parameter");
  EXPECT_EQ(shared["parameters"], 6);
  const Json& thin = summary["layers"][3];
  EXPECT_EQ(thin["inputs"], Json({"image", "w"}));
  EXPECT_EQ(thin["parameters"], 0) << "the parameter is counted in its own row";
  EXPECT_EQ(summary["parameters"], 56 + 8 + 6);
  EXPECT_EQ(summary["trainable_parameters"], 56 + 4 + 6);
  EXPECT_EQ(summary["macs"], 2 * 16 * 27 + 2 * 16 * 3);
}

TEST(SummaryJson, SpeaksOfLogicalShapesAndBoundSymbols) {
  const Json summary = summary_of("--set N=5");
  EXPECT_EQ(summary["inputs"], Json::parse(R"([{"name": "image", "type": "f32", "shape": [5, 3, 4, 4]},
                                               {"name": "bytes", "type": "u8", "shape": [2, 3, 4, 4]}])"));
  EXPECT_EQ(summary["outputs"], Json::parse(R"([{"name": "sum", "type": "f32", "shape": [5, 2, 4, 4]}])"));
  EXPECT_EQ(summary["layers"][1]["output_shape"], Json({5, 2, 4, 4}));
}

TEST(SummaryTable, DerivesTheWorkedExample) {
  const Outcome outcome = calotype_tool("summary --explain " + sample("worked/sketch.layers"));
  ASSERT_EQ(outcome.status, 0);
  for (const char* words :
       {"280 of 4x4", "56 filters x 5 channels x 4x4 = 4,480 weights", "80 weights a filter", "[1, 56, 6, 6]", "161,280"}) {
    EXPECT_NE(outcome.output.find(words), std::string::npos) << words << "\n" << outcome.output;
  }
}

}  // namespace
}  // namespace calotype
