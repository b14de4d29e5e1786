/// \file
/// Reading untrusted files: what is damaged, too new, or points outside of its folder.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "models.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

namespace fs = std::filesystem;
using frontend::onnx::read_model;

class Folder : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "calotype-onnx-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  void TearDown() override { fs::remove_all(path_); }

  /// The model that wants external.bin, in a folder that has not that file yet.
  std::string place(const std::string& model = "external.onnx") {
    fs::create_directories(path_ / "model");
    fs::copy_file(data_path(model), path_ / "model" / "model.onnx", fs::copy_options::overwrite_existing);
    return (path_ / "model" / "model.onnx").string();
  }

  fs::path path_;
};

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(ReadOnnx, ExternalData) {
  const frontend::onnx::Model model = read_model(data_path("external.onnx"));
  const TensorData weight = model.tensors.at("w").read();
  EXPECT_EQ(weight.type, (TensorType{ElementType::f32, {3, 4}}));
  EXPECT_EQ(load<float>(weight, 11), 11);
}

TEST_F(Folder, ExternalDataMustBeThere) {
  EXPECT_EQ(refusal_of([&] { read_model(place()); }).fault, Fault::input);
}

TEST_F(Folder, ExternalDataMustBeLongEnough) {
  const std::string model = place();
  std::ofstream(path_ / "model" / "external.bin", std::ios::binary) << std::string(55, 'x');
  const Refusal refusal = refusal_of([&] { read_model(model); });
  EXPECT_EQ(refusal.fault, Fault::input);
  EXPECT_EQ(refusal.text, "external data \"external.bin\": 48 bytes from 8 on are more than its 55");
}

TEST_F(Folder, ExternalDataIsNoLink) {
  const std::string model = place();
  const fs::path link = path_ / "model" / "external.bin", target = path_ / "secret.bin";
  fs::copy_file(data_path("external.bin"), target);
  fs::create_symlink(target, link);
  EXPECT_EQ(refusal_of([&] { read_model(model); }).text, "external data \"external.bin\": symbolic links are not followed");
  fs::remove(link);
  fs::create_hard_link(target, link);
  EXPECT_EQ(refusal_of([&] { read_model(model); }).text, "external data \"external.bin\": the file has several hard links");
  fs::remove(link);
  fs::create_directory(link);
  EXPECT_EQ(refusal_of([&] { read_model(model); }).text, "external data \"external.bin\": this is no regular file");
}

TEST_F(Folder, ExternalDataStaysInItsFolder) {
  const std::string model = place("external_outside.onnx");
  fs::copy_file(data_path("external.bin"), path_ / "external.bin");
  EXPECT_EQ(refusal_of([&] { read_model(model); }).text, "external data \"../external.bin\": the location leaves the model's folder");
}

TEST(ReadOnnx, OpsetsOfTheFuture) {
  const Refusal refusal = refusal_of([] { read_model(data_path("future.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_NE(refusal.text.find("opset 999 is not read"), std::string::npos) << refusal.text;
}

TEST(ReadOnnx, NoFile) {
  EXPECT_EQ(refusal_of([] { read_model(data_path("nothing.onnx")); }).fault, Fault::usage);
}

TEST_F(Folder, DamagedFilesAreRefusedOrRead) {
  const std::string good = contents(data_path("network.onnx"));
  const std::string path = (path_ / "damaged.onnx").string();
  std::mt19937 random(1);
  int refused = 0;
  for (int round = 0; round < 400; ++round) {
    std::string bytes = good;
    if (round < 100) {
      bytes.resize(random() % bytes.size());
    } else {
      for (int i = 0; i < 4; ++i) bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    std::ofstream(path, std::ios::binary) << bytes;
    const Refusal refusal = refusal_of([&] { read_onnx(path); });
    if (refusal.text != "no failure") {
      EXPECT_NE(refusal.fault, Fault::bug) << "round " << round << ": " << refusal.text;
      ++refused;
    }
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace calotype::testing
