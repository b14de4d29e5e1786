/// \file
/// calotype import: the files that it writes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "commands/verbs.h"
#include "formats/safetensors.h"
#include "models.h"

namespace calotype::testing {
namespace {

namespace fs = std::filesystem;

/// The text that import writes for the model, and the names of its tensors.
struct Imported {
  std::string text;
  std::vector<std::string> tensors;
};

Imported import_of(const std::string& name, std::vector<std::string> settings = {}) {
  std::string folder = (fs::temp_directory_path() / "calotype-import-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw Failure(Fault::machine, "no temporary folder");
  std::vector<std::string> words = {data_path(name + ".onnx"), "-o", folder};
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  commands::import_model(arguments);
  Imported imported;
  std::ifstream file(folder + "/" + name + ".layers", std::ios::binary);
  imported.text = {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  WeightStore store;
  if (fs::exists(folder + "/" + name + ".safetensors")) formats::read_safetensors(folder + "/" + name + ".safetensors", store);
  for (const auto& [tensor, stored] : store.tensors) imported.tensors.push_back(tensor);
  fs::remove_all(folder);
  return imported;
}

TEST(Import, KeepsAnOpenBatchAndTheNamesOfWeights) {
  const Imported imported = import_of("network");
  EXPECT_EQ(imported.text.substr(0, imported.text.find("  conv1")),
            "network network(x: f32[N, 3, 6, 6]) -> scores {\n"
            "  weights \"network.safetensors\"\n");
  EXPECT_EQ(imported.tensors, (std::vector<std::string>{"bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight", "conv1.weight",
                                                        "fc.bias", "fc.weight"}));
}

TEST(Import, ABatchThatIsSetIsANumber) {
  EXPECT_EQ(import_of("network", {"N=3"}).text.substr(0, 47), "network network(x: f32[3, 3, 6, 6]) -> scores {");
}

TEST(Import, ABatchThatStatementsDependOnIsANumber) {
  const std::string text = import_of("batch_in_constant").text;
  EXPECT_EQ(text.substr(0, text.find(')')), "network batch_in_constant(x: f32[1, 3]");
}

TEST(Import, SizesThatNoStatementDependsOnStayOpen) {
  EXPECT_EQ(import_of("shape_chain").text,
            "network shape_chain(x: f32[N, 3, H, 4]) -> y {\n"
            "  y = reshape(x, shape=[0, -1, 6])\n"
            "}\n");
}

TEST(Import, ASizeThatStatementsDependOnMustBeGiven) {
  EXPECT_EQ(refusal_of([] { import_of("size_in_statement"); }).text, "symbol 'W' has no value; give it with --set W=...");
  const std::string text = import_of("size_in_statement", {"W=5"}).text;
  EXPECT_EQ(text.substr(0, text.find(')')), "network size_in_statement(x: f32[1, 5]");
}

TEST(Import, ABatchThatAReshapeKeepsStaysOpen) {
  const Imported imported = import_of("shape_chain", {"H=2"});
  EXPECT_EQ(imported.text,
            "network shape_chain(x: f32[N, 3, 2, 4]) -> y {\n"
            "  y = reshape(x, shape=[0, -1, 6])\n"
            "}\n");
  EXPECT_TRUE(imported.tensors.empty());
}

}  // namespace
}  // namespace calotype::testing
