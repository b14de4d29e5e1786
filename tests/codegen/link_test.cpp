/// \file
/// Linking and loading, with kernels that are C.
#include "codegen/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "codegen/load.h"
#include "command.h"
#include "ir/failure.h"
#include "toy_model.h"

namespace calotype::codegen {
namespace {

const Objects& objects() {
  static const Objects made = toy_objects();
  return made;
}

std::vector<float> run(const LoadedModel& model, const calotype_options& options, const std::vector<float>& x) {
  void* state = nullptr;
  EXPECT_EQ(model.open(&state, nullptr, &options), CALOTYPE_OK);
  std::vector<float> y(x.size(), -1000);
  const void* io[] = {x.data(), y.data()};
  EXPECT_EQ(model.run(state, io), CALOTYPE_OK);
  std::vector<float> again(x.size(), -1000);
  const void* second[] = {x.data(), again.data()};
  EXPECT_EQ(model.run(state, second), CALOTYPE_OK);
  EXPECT_EQ(y, again);
  model.close(state);
  return y;
}

TEST(Link, LoadedModelComputes) {
  const TestFolder folder;
  link(toy_plan(), objects(), toy_library(folder.path()));
  const LoadedModel model = load(folder / "toy.a", folder / "toy.json");
  ASSERT_EQ(model.inputs.size(), 1u);
  ASSERT_EQ(model.results.size(), 1u);
  EXPECT_EQ(model.inputs[0].name, "x");
  EXPECT_EQ(model.results[0].type, (TensorType{ElementType::f32, {1, 3, 4, 5}}));
  EXPECT_EQ(model.results[0].bytes, 240);
  for (const int threads : {1, 2, 4}) {
    calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
    options.threads = threads;
    EXPECT_EQ(run(model, options, toy_input()), toy_answer(toy_input())) << threads;
  }
}

TEST(Link, HaloIsZeroedEveryTime) {
  const TestFolder folder;
  link(toy_plan(), objects(), toy_library(folder.path()));
  const LoadedModel model = load(folder / "toy.a", folder / "toy.json");
  void* memory = std::aligned_alloc(64, static_cast<std::size_t>((model.state_bytes(1) + 63) / 64 * 64));
  void* state = nullptr;
  ASSERT_EQ(model.open(&state, memory, nullptr), CALOTYPE_OK);
  // The arena of the run time begins after the fixed part: dirty all of it, as other values of a real model would.
  std::memset(static_cast<char*>(memory) + CALOTYPE_STATE_FIXED_BYTES, 0x41, static_cast<std::size_t>(toy_plan().arena_bytes));
  const std::vector<float> x = toy_input();
  std::vector<float> y(x.size());
  const void* io[] = {x.data(), y.data()};
  EXPECT_EQ(model.run(state, io), CALOTYPE_OK);
  EXPECT_EQ(y, toy_answer(x));
  model.close(state);
  std::free(memory);
}

TEST(Link, OutputIsTheSameEveryTime) {
  const TestFolder first, second;
  link(toy_plan(), objects(), toy_library(first.path()));
  link(toy_plan(), objects(), toy_library(second.path()));
  for (const char* name : {"toy.a", "toy.h", "toy.json", "toy.pc", "toyConfig.cmake"}) {
    EXPECT_FALSE(read_text(first / name).empty()) << name;
    EXPECT_EQ(read_text(first / name), read_text(second / name)) << name;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(first.path()), {}), 5);
}

TEST(Link, ExternalWeightsAreGivenAtOpen) {
  const TestFolder folder;
  Library library = toy_library(folder.path());
  library.weight_storage = WeightStorage::external;
  link(toy_plan(), objects(), library);
  const LoadedModel model = load(folder / "toy.a", folder / "toy.json");
  void* state = nullptr;
  EXPECT_EQ(model.open(&state, nullptr, nullptr), CALOTYPE_WEIGHTS_MISSING);

  const std::string file = read_text(folder / "toy.weights");
  void* weights = std::aligned_alloc(64, file.size());
  std::memcpy(weights, file.data(), file.size());
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.weights = weights;
  options.weights_bytes = file.size();
  EXPECT_EQ(run(model, options, toy_input()), toy_answer(toy_input()));
  static_cast<unsigned char*>(weights)[20] ^= 1;  // the hash in the header
  EXPECT_EQ(model.open(&state, nullptr, &options), CALOTYPE_WEIGHTS_MISMATCH);
  std::free(weights);
}

TEST(Link, CodeForAnotherCpuIsRefusedByOpen) {
  const plan::Target host = plan::host_target();
  if (host.has("avx512_sapphirerapids")) GTEST_SKIP() << "this CPU has all the instructions there are";
  const TestFolder folder;
  Library library = toy_library(folder.path());
  library.target = plan::parse_target("x86-64-linux-avx512_sapphirerapids");
  link(toy_plan(), objects(), library);
  const LoadedModel model = load(folder / "toy.a", folder / "toy.json");
  void* state = nullptr;
  EXPECT_EQ(model.open(&state, nullptr, nullptr), CALOTYPE_UNSUPPORTED_CPU);
}

TEST(Link, CodeForThisCpuIsTakenByOpen) {
  const TestFolder folder;
  Library library = toy_library(folder.path());
  library.target = plan::host_target();
  link(toy_plan(), objects(), library);
  EXPECT_EQ(run(load(folder / "toy.a", folder / "toy.json"), CALOTYPE_OPTIONS_DEFAULT, toy_input()), toy_answer(toy_input()));
}

/// The toy model with the kernels of one of these two variants; the second gives three times the answer, which tells them apart.
std::vector<float> answer_with(const std::string& best, const std::string& other, std::vector<std::string>* targets = nullptr) {
  const TestFolder folder;
  const Objects tripled = toy_objects("tripled_", 3);
  const plan::Plan plain = toy_plan();
  plan::Plan triple = plain;
  triple.arena_bytes += 4096;
  for (plan::Kernel& kernel : triple.kernels) kernel.symbol = "tripled_" + kernel.symbol;
  const Library library = toy_library(folder.path());
  link({{&plain, &objects(), plan::parse_target(other)}, {&triple, &tripled, plan::parse_target(best)}}, library);
  const auto manifest = nlohmann::json::parse(read_text(folder / "toy.json"));
  EXPECT_EQ(manifest["weights"]["bytes"], 64) << "one blob for both";
  if (targets != nullptr) {
    for (const auto& target : manifest["targets"]) targets->push_back(target["target"]);
  }
  return run(load(folder / "toy.a", folder / "toy.json"), CALOTYPE_OPTIONS_DEFAULT, toy_input());
}

TEST(Link, OpenTakesTheBestVariantThatTheCpuCanRun) {
  std::vector<float> tripled = toy_answer(toy_input());
  for (float& number : tripled) number *= 3;
  const plan::Target host = plan::host_target();
  if (host.has("sse41")) {
    std::vector<std::string> targets;
    EXPECT_EQ(answer_with("x86-64-linux-sse41", "x86-64-linux", &targets), tripled);
    EXPECT_EQ(targets, std::vector<std::string>({"x86-64-linux-sse41", "x86-64-linux"}));
  }
  if (!host.has("avx512_sapphirerapids")) {
    EXPECT_EQ(answer_with("x86-64-linux-avx512_sapphirerapids", "x86-64-linux"), toy_answer(toy_input()));
  }
  EXPECT_THROW(answer_with("x86-64-linux-avx2", "x86-64-linux-avx2-fma"), Failure) << "the same target twice";
}

TEST(Link, ManifestDescribesTheModel) {
  const TestFolder folder;
  link(toy_plan(), objects(), toy_library(folder.path()));
  const auto manifest = nlohmann::json::parse(read_text(folder / "toy.json"));
  EXPECT_EQ(manifest["name"], "toy");
  EXPECT_EQ(manifest["inputs"][0]["shape"], std::vector<int>({1, 3, 4, 5}));
  EXPECT_EQ(manifest["weights"]["bytes"], 192);
  EXPECT_EQ(manifest["targets"][0]["kernels"].size(), 2u);
  EXPECT_EQ(manifest["targets"][0]["kernels"][1]["layers"][0]["kind"], "window");
  EXPECT_EQ(manifest["targets"][0]["target"], "x86-64-linux");
}

TEST(Link, AFailureLeavesTheOldFiles) {
  const TestFolder folder;
  link(toy_plan(), objects(), toy_library(folder.path()));
  const std::string before = read_text(folder / "toy.a");
  plan::Plan broken = toy_plan();
  broken.kernels[0].symbol = "halide_no_such_thing";
  try {
    link(broken, objects(), toy_library(folder.path()));
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::bug);
    EXPECT_THAT(failure.what(), testing::HasSubstr("halide_no_such_thing"));
  }
  EXPECT_EQ(read_text(folder / "toy.a"), before);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 5);
}

TEST(Link, NamesThatMeetInCAreRefused) {
  const TestFolder folder;
  plan::Plan plan = toy_plan();
  plan.graph.results[0].name = "X";  // the macros of x and X would be one
  EXPECT_THROW(link(plan, objects(), toy_library(folder.path())), Failure);
}

TEST(Load, SaysWhatIsWrong) {
  const TestFolder folder;
  EXPECT_THROW(load(folder / "no.a", folder / "no.json"), Failure);
  write_text(folder / "bad.json", "{\"format\": 1");
  EXPECT_THROW(load(folder / "bad.a", folder / "bad.json"), Failure);
  link(toy_plan(), objects(), toy_library(folder.path()));
  write_text(folder / "toy.a", "no archive");
  EXPECT_THROW(load(folder / "toy.a", folder / "toy.json"), Failure);
}

}  // namespace
}  // namespace calotype::codegen
