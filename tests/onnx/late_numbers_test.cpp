/// \file
/// Inputs that decide shapes and arrive at run time: compiled for what the declared shapes make of them, refused by a status where they hold
/// something else. Models and answers by make_models.py.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "commands/execution.h"
#include "commands/unmet.h"
#include "commands/verbs.h"
#include "models.h"

namespace calotype::testing {
namespace {

/// A model with run-time numbers, compiled.
struct Late {
  Graph graph;
  commands::Executable executable;

  explicit Late(const std::string& name) : graph(read_onnx(data_path(name + ".onnx"))), executable(commands::build(graph, {})) {}

  /// The result, or what the run says against the inputs.
  std::pair<TensorData, std::string> run(const commands::InputArrays& inputs) const {
    commands::Session session(executable, inputs, 1);
    try {
      session.run();
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.fault(), Fault::input) << failure.what();
      return {{}, commands::unmet_requirement(graph, inputs).value_or(failure).what()};
    }
    return {session.result(0), ""};
  }
};

TensorData integers(std::vector<std::int64_t> numbers) {
  const auto count = static_cast<std::int64_t>(numbers.size());
  return own({ElementType::i64, {count}}, std::move(numbers));
}

void expect_answer(const Late& late, const std::string& name, const std::vector<std::string>& inputs) {
  commands::InputArrays arrays;
  for (const std::string& input : inputs) arrays.emplace_back(array_of(name + "." + input + ".npy"));
  const auto [got, error] = late.run(arrays);
  ASSERT_EQ(error, "");
  const TensorData want = array_of(name + ".y.npy");
  ASSERT_EQ(to_text(got.type), to_text(want.type));
  for (std::int64_t i = 0; i < want.type.elements(); ++i) EXPECT_EQ(load_as_double(got, i), load_as_double(want, i)) << i;
}

TEST(LateNumbers, AShapeMayLeaveAnExtentOpen) {
  const Late late("bind");
  expect_answer(late, "bind", {"x", "shape"});
  const TensorData x = array_of("bind.x.npy");
  EXPECT_EQ(late.run({x, integers({-1, 4})}).second, "");
  EXPECT_EQ(late.run({x, integers({3, -1})}).second, "");
  EXPECT_EQ(late.run({x, integers({-1, -1})}).second, "input shape holds [-1, -1], but the network was compiled for shape: [3, 4]");
  EXPECT_EQ(late.run({x, integers({4, 3})}).second, "input shape holds [4, 3], but the network was compiled for shape: [3, 4]");
  EXPECT_EQ(late.run({x, integers({0, 4})}).second, "input shape holds [0, 4], but the network was compiled for shape: [3, 4]");
}

TEST(LateNumbers, AxesOfEqualExtentsAreChosenFromAtRunTime) {
  const Late late("late_axes");
  expect_answer(late, "late_axes", {"x", "axes"});
  const TensorData x = array_of("late_axes.x.npy");
  const TensorData first = late.run({x, integers({0})}).first, second = late.run({x, integers({-2})}).first;
  bool differ = false;
  for (std::int64_t i = 0; i < 6; ++i) {
    double sum = 0;
    for (std::int64_t k = 0; k < 3; ++k) sum += load_as_double(x, k * 6 + i);
    EXPECT_EQ(load_as_double(first, i), sum);
    differ = differ || load_as_double(second, i) != sum;
  }
  EXPECT_TRUE(differ);
  EXPECT_EQ(late.run({x, integers({2})}).second, "input axes holds [2], but the network was compiled for axes: [0] or [1]");
  EXPECT_EQ(late.run({x, integers({-4})}).second, "input axes holds [-4], but the network was compiled for axes: [0] or [1]");
}

TEST(LateNumbers, AnExpandMayNameOnesWhereTheOperandHasTheExtent) {
  const Late late("late_expand");
  expect_answer(late, "late_expand", {"x", "shape"});
  const TensorData x = array_of("late_expand.x.npy");
  EXPECT_EQ(late.run({x, integers({3, 4})}).second, "");
  EXPECT_NE(late.run({x, integers({3, 1})}).second, "");
}

TEST(LateNumbers, ASliceReadsWhereItsNumbersSay) {
  const Late late("late_slice");
  expect_answer(late, "late_slice", {"x", "starts", "ends", "axes", "steps"});
  const TensorData x = array_of("late_slice.x.npy");
  const auto [got, error] = late.run({x, integers({1, 4}), integers({3, 100}), integers({0, 1}), integers({1, 1})});
  EXPECT_NE(error, "");  // two columns, not three
  EXPECT_NE(late.run({x, integers({0, 0}), integers({2, 3}), integers({0, 0}), integers({1, 1})}).second, "");
  EXPECT_NE(late.run({x, integers({0, 0}), integers({2, 3}), integers({0, 2}), integers({1, 1})}).second, "");
  EXPECT_NE(late.run({x, integers({0, 0}), integers({2, 3}), integers({0, 1}), integers({1, 0})}).second, "");
}

TEST(LateNumbers, APadFillsWhereItsNumbersSay) {
  const Late late("late_pad");
  expect_answer(late, "late_pad", {"x", "pads", "fill"});
  const TensorData x = array_of("late_pad.x.npy"), fill = array_of("late_pad.fill.npy");
  EXPECT_EQ(late.run({x, integers({0, 0, 1, 1}), fill}).second, "");
  EXPECT_EQ(late.run({x, integers({0, 0, 2, 1}), fill}).second,
            "input pads holds [0, 0, 2, 1], but the network was compiled for a padded tensor of shape [3, 4]");
}

TEST(LateNumbers, AShapeThatIsComputedOnIsSupposedAtTheInput) {
  const Late late("late_computed");
  expect_answer(late, "late_computed", {"x", "shape"});
  EXPECT_EQ(late.run({array_of("late_computed.x.npy"), integers({4, 3})}).second,
            "input shape holds [4, 3], but the network was compiled for shape: [3, 4]");
}

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(LateNumbers, HeaderAndManifestSayWhatIsChecked) {
  std::string folder = (std::filesystem::temp_directory_path() / "calotype-late-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  std::vector<std::string> words = {data_path("bind.onnx"), "-o", folder};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  commands::compile(arguments);
  const std::string check = "wants shape: [3, 4]; otherwise run returns CALOTYPE_SHAPE_MISMATCH";
  EXPECT_NE(text_of(folder + "/bind.h").find(" * - shape: " + check + "\n"), std::string::npos);
  EXPECT_NE(text_of(folder + "/bind.json").find("\"check\": \"" + check + "\""), std::string::npos);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace calotype::testing
