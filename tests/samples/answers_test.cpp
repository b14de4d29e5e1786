/// \file
/// Whole networks of samples/networks on generated weights and a generated picture, against ONNX Runtime's outputs for the same network
/// (built through onnx.helper, optimisations off), to 1e-4 of the largest.
#include <gtest/gtest.h>

#include <cmath>

#include "generated_weights.h"
#include "tool.h"

namespace {

void add_conv(std::vector<Tensor>& tensors, const std::string& name, std::int64_t filters, std::int64_t channels, std::int64_t kernel) {
  tensors.push_back({name + ".weight", {filters, channels, kernel, kernel}});
}

void add_conv_with_bias(std::vector<Tensor>& tensors, const std::string& name, std::int64_t filters, std::int64_t channels,
                        std::int64_t kernel) {
  add_conv(tensors, name, filters, channels, kernel);
  tensors.push_back({name + ".bias", {filters}});
}

void add_dense(std::vector<Tensor>& tensors, const std::string& name, std::int64_t units, std::int64_t inputs) {
  tensors.push_back({name + ".weight", {units, inputs}});
  tensors.push_back({name + ".bias", {units}});
}

void add_batch_norm(std::vector<Tensor>& tensors, const std::string& name, std::int64_t channels) {
  for (const char* part : {".weight", ".bias", ".running_mean", ".running_var"}) tensors.push_back({name + part, {channels}});
}

std::vector<Tensor> lenet5() {
  std::vector<Tensor> tensors;
  add_conv_with_bias(tensors, "conv1", 6, 1, 5);
  add_conv_with_bias(tensors, "conv2", 16, 6, 5);
  add_conv_with_bias(tensors, "conv3", 120, 16, 5);
  add_dense(tensors, "fc1", 84, 120);
  add_dense(tensors, "fc2", 10, 84);
  return tensors;
}

std::vector<Tensor> squeezenet() {
  std::vector<Tensor> tensors;
  add_conv_with_bias(tensors, "features.0", 64, 3, 3);
  struct Fire {
    const char* name;
    std::int64_t channels, narrow, wide;
  };
  for (const Fire& fire : {Fire{"features.3", 64, 16, 64},
                           {"features.4", 128, 16, 64},
                           {"features.6", 128, 32, 128},
                           {"features.7", 256, 32, 128},
                           {"features.9", 256, 48, 192},
                           {"features.10", 384, 48, 192},
                           {"features.11", 384, 64, 256},
                           {"features.12", 512, 64, 256}}) {
    add_conv_with_bias(tensors, std::string(fire.name) + ".squeeze", fire.narrow, fire.channels, 1);
    add_conv_with_bias(tensors, std::string(fire.name) + ".expand1x1", fire.wide, fire.narrow, 1);
    add_conv_with_bias(tensors, std::string(fire.name) + ".expand3x3", fire.wide, fire.narrow, 3);
  }
  add_conv_with_bias(tensors, "classifier.1", 1000, 512, 1);
  return tensors;
}

std::vector<Tensor> resnet18() {
  std::vector<Tensor> tensors;
  add_conv(tensors, "conv1", 64, 3, 7);
  add_batch_norm(tensors, "bn1", 64);
  std::int64_t channels = 64;
  for (int stage = 1; stage <= 4; ++stage) {
    const std::int64_t filters = 32 << stage;
    for (int index = 0; index < 2; ++index) {
      const std::string name = "layer" + std::to_string(stage) + "." + std::to_string(index) + ".";
      add_conv(tensors, name + "conv1", filters, channels, 3);
      add_batch_norm(tensors, name + "bn1", filters);
      add_conv(tensors, name + "conv2", filters, filters, 3);
      add_batch_norm(tensors, name + "bn2", filters);
      if (channels != filters) {
        add_conv(tensors, name + "downsample.0", filters, channels, 1);
        add_batch_norm(tensors, name + "downsample.1", filters);
      }
      channels = filters;
    }
  }
  add_dense(tensors, "fc", 1000, 512);
  return tensors;
}

void expect_known_answer(const std::string& name, const std::vector<Tensor>& tensors, const std::string& shape, int cells,
                         const std::string& output) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("answers-" + name);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  write_weights(folder / "weights.safetensors", tensors);
  Stream stream(99);
  write_floats(folder / "image.npy", shape, cells, [&](int) { return stream.next() * 2 - 1; });
  const Outcome outcome = run_tool("run '" + std::string(CALOTYPE_SOURCE_DIR) + "/samples/networks/" + name + ".layers' --weights-from '" +
                                   (folder / "weights.safetensors").string() + "' --input '" + (folder / "image.npy").string() +
                                   "' --output-dir '" + folder.string() + "'");
  ASSERT_EQ(outcome.status, 0);

  const std::vector<float> expected = read_floats(std::string(CALOTYPE_TEST_DATA) + "/data/" + name + "_expected.npy");
  const std::vector<float> actual = read_floats(folder / (output + ".npy"));
  ASSERT_EQ(actual.size(), expected.size());
  float largest = 0, difference = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_TRUE(std::isfinite(actual[i]));
    largest = std::max(largest, std::abs(expected[i]));
    difference = std::max(difference, std::abs(expected[i] - actual[i]));
  }
  EXPECT_GT(largest, 0);
  EXPECT_LE(difference, 1e-4f * largest);
  std::filesystem::remove_all(folder);
}

TEST(Answers, LeNet5) { expect_known_answer("lenet5", lenet5(), "(1, 1, 28, 28)", 28 * 28, "scores"); }
TEST(Answers, SqueezeNet) { expect_known_answer("squeezenet1_1", squeezenet(), "(1, 3, 224, 224)", 3 * 224 * 224, "scores"); }
TEST(Answers, ResNet18) { expect_known_answer("resnet18", resnet18(), "(1, 3, 224, 224)", 3 * 224 * 224, "fc"); }

}  // namespace
