/// \file
/// The whole way: LeNet-5's description to a library in a C program, against plain loops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "codegen/generate.h"
#include "codegen/link.h"
#include "codegen/load.h"
#include "command.h"
#include "commands/pipeline.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype::codegen {
namespace {

/// Numbers that depend on the name, small enough that tanh does not saturate.
std::vector<float> weight_named(const std::string& name, std::size_t count, double scale) {
  std::uint32_t state = 17;
  for (const char c : name) state = state * 31 + static_cast<unsigned char>(c);
  std::vector<float> numbers(count);
  for (float& number : numbers) {
    state = state * 1664525u + 1013904223u;
    number = static_cast<float>((static_cast<double>(state >> 8) / (1 << 24) - 0.5) * scale);
  }
  return numbers;
}

double scale_of(const std::string& name) { return name.ends_with(".bias") ? 0.5 : name.starts_with("conv1") ? 0.6 : 0.3; }

/// What the passes are given: every weight of the graph by name.
WeightStore weights_of(const Graph& graph) {
  WeightStore store;
  for (const Value& value : graph.values) {
    if (value.origin != Value::Origin::weight) continue;
    const auto count = static_cast<std::size_t>(value.type.elements());
    store.tensors[value.name] = {own(value.type, weight_named(value.name, count, scale_of(value.name))), "test"};
  }
  return store;
}

void compile(const std::filesystem::path& folder, const std::string& name, int batch, const plan::Target& target = plan::host_target()) {
  commands::ModelOptions model;
  model.path = CALOTYPE_SOURCE_DIR "/samples/networks/lenet5.layers";
  model.settings = {"N=" + std::to_string(batch)};
  Graph graph = commands::typed_graph(frontend::read(model.path), model);
  passes::attach_weights(graph, weights_of(graph));
  commands::simplify(graph);
  plan::Plan plan = commands::make_plan(std::move(graph), target, commands::BuildOptions{});
  const Objects objects = generate(plan, target, cache::Cache{});  // no cache: what is tested is what was just compiled
  link(plan, objects, {name, name, folder, target, WeightStorage::embedded});
}

/// Three-dimensional data, channels x height x width, in double.
struct Map {
  int channels, height, width;
  std::vector<double> cells;

  Map(int c, int h, int w) : channels(c), height(h), width(w), cells(static_cast<std::size_t>(c) * h * w) {}
  double& at(int c, int y, int x) { return cells[(static_cast<std::size_t>(c) * height + y) * width + x]; }
  double padded(int c, int y, int x) { return y < 0 || x < 0 || y >= height || x >= width ? 0 : at(c, y, x); }
};

Map conv_tanh(Map in, const std::string& name, int filters, int pad) {
  const auto count = static_cast<std::size_t>(filters) * in.channels * 25;
  const std::vector<float> weight = weight_named(name + ".weight", count, scale_of(name + ".weight"));
  const std::vector<float> bias = weight_named(name + ".bias", static_cast<std::size_t>(filters), scale_of(name + ".bias"));
  Map out(filters, in.height + 2 * pad - 4, in.width + 2 * pad - 4);
  for (int o = 0; o < filters; ++o) {
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x) {
        double sum = bias[static_cast<std::size_t>(o)];
        for (int i = 0; i < in.channels; ++i) {
          for (int ky = 0; ky < 5; ++ky) {
            for (int kx = 0; kx < 5; ++kx) {
              const auto at = static_cast<std::size_t>(((o * in.channels + i) * 5 + ky) * 5 + kx);
              sum += static_cast<double>(weight[at]) * in.padded(i, y + ky - pad, x + kx - pad);
            }
          }
        }
        out.at(o, y, x) = std::tanh(sum);
      }
    }
  }
  return out;
}

Map average(Map in) {
  Map out(in.channels, in.height / 2, in.width / 2);
  for (int c = 0; c < out.channels; ++c) {
    for (int y = 0; y < out.height; ++y) {
      for (int x = 0; x < out.width; ++x) {
        out.at(c, y, x) =
            (in.at(c, 2 * y, 2 * x) + in.at(c, 2 * y, 2 * x + 1) + in.at(c, 2 * y + 1, 2 * x) + in.at(c, 2 * y + 1, 2 * x + 1)) / 4;
      }
    }
  }
  return out;
}

std::vector<double> dense(const std::vector<double>& in, const std::string& name, int units) {
  const std::vector<float> weight = weight_named(name + ".weight", in.size() * static_cast<std::size_t>(units), scale_of(name + ".weight"));
  const std::vector<float> bias = weight_named(name + ".bias", static_cast<std::size_t>(units), scale_of(name + ".bias"));
  std::vector<double> out(static_cast<std::size_t>(units));
  for (std::size_t o = 0; o < out.size(); ++o) {
    out[o] = bias[o];
    for (std::size_t i = 0; i < in.size(); ++i) out[o] += static_cast<double>(weight[o * in.size() + i]) * in[i];
  }
  return out;
}

/// LeNet-5 by plain loops in double.
std::vector<double> reference(const std::vector<float>& image) {
  Map map(1, 28, 28);
  map.cells.assign(image.begin(), image.end());
  map = average(conv_tanh(std::move(map), "conv1", 6, 2));
  map = average(conv_tanh(std::move(map), "conv2", 16, 0));
  map = conv_tanh(std::move(map), "conv3", 120, 0);
  std::vector<double> values = dense(map.cells, "fc1", 84);
  for (double& value : values) value = std::tanh(value);
  values = dense(values, "fc2", 10);
  double sum = 0;
  for (double& value : values) sum += value = std::exp(value);
  for (double& value : values) value /= sum;
  return values;
}

class Lenet5Test : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder;
    compile(folder_->path(), "lenet5", 1);
    compile(folder_->path(), "lenet5_many", 3);
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::string path(const std::string& name) { return (*folder_ / name).string(); }

  static TestFolder* folder_;
};

TestFolder* Lenet5Test::folder_ = nullptr;

std::vector<float> test_image() {
  std::vector<float> image(28 * 28);
  for (std::size_t i = 0; i < image.size(); ++i) image[i] = static_cast<float>(i * 31 % 17) / 17.0f;
  return image;
}

TEST_F(Lenet5Test, OneNetworkAtTwoBatchSizesInOneProgram) {
  const std::vector<double> expected = reference(test_image());
  for (const char* mode : {"-fPIE -pie -Wl,--gc-sections -fuse-ld=bfd", "-no-pie -fuse-ld=lld"}) {
    const CommandResult built = run_command(std::string(CALOTYPE_C_COMPILER) + " -std=c99 -Wall -Wextra -pedantic -Werror " + mode + " -I" +
                                            path("") + " " + CALOTYPE_TEST_DATA "/programs/batches.c -o " + path("batches") + " " +
                                            path("lenet5.a") + " " + path("lenet5_many.a") + " -lpthread -lm");
    ASSERT_EQ(built.status, 0) << built.output;
    const CommandResult result = run_command(path("batches"));
    ASSERT_EQ(result.status, 0) << result.output;
    std::istringstream lines(result.output);
    for (const double score : expected) {
      double printed = -1;
      lines >> printed;
      EXPECT_NEAR(printed, score, 1e-5);
    }
  }
  double least = 1, most = 0;
  for (const double score : expected) least = std::min(least, score), most = std::max(most, score);
  EXPECT_GT(most - least, 0.05) << "the weights are too dull to find mistakes";
}

TEST_F(Lenet5Test, LoadedInProcessAtAnyThreadCount) {
  const LoadedModel model = load(path("lenet5.a"), path("lenet5.json"));
  const std::vector<float> image = test_image();
  const std::vector<double> expected = reference(image);
  std::vector<float> first;
  for (const int threads : {1, 2, 4}) {
    calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
    options.threads = threads;
    void* state = nullptr;
    ASSERT_EQ(model.open(&state, nullptr, &options), CALOTYPE_OK);
    std::vector<float> scores(10);
    const void* io[] = {image.data(), scores.data()};
    ASSERT_EQ(model.run(state, io), CALOTYPE_OK);
    model.close(state);
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5);
    if (first.empty()) first = scores;
    EXPECT_EQ(first, scores) << threads << " threads";
  }
}

/// The scores that the model in that folder gives.
std::vector<float> scores_of(const LoadedModel& model, const float* image, float* scores) {
  void* state = nullptr;
  EXPECT_EQ(model.open(&state, nullptr, nullptr), CALOTYPE_OK);
  const void* io[] = {image, scores};
  EXPECT_EQ(model.run(state, io), CALOTYPE_OK);
  model.close(state);
  return {scores, scores + 10};
}

TEST_F(Lenet5Test, EveryInstructionSetGivesTheAnswer) {
  const std::vector<float> image = test_image();
  const std::vector<double> expected = reference(image);
  for (const char* text : {"x86-64-linux", "x86-64-linux-sse41", "x86-64-linux-avx", "x86-64-linux-avx2", "x86-64-linux-avx512_skylake"}) {
    const plan::Target target = plan::parse_target(text), host = plan::host_target();
    if (!std::all_of(target.features.begin(), target.features.end(), [&](const std::string& feature) { return host.has(feature); }))
      continue;
    const TestFolder folder;
    compile(folder.path(), "lenet5", 1, target);
    std::vector<float> scores(10);
    scores_of(load(folder / "lenet5.a", folder / "lenet5.json"), image.data(), scores.data());
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(scores[i], expected[i], 1e-5) << text;
  }
}

TEST_F(Lenet5Test, CallersBuffersNeedNoAlignment) {
  const LoadedModel model = load(path("lenet5.a"), path("lenet5.json"));
  const std::vector<float> image = test_image();
  std::vector<float> aligned(10);
  scores_of(model, image.data(), aligned.data());
  for (std::size_t shift = 1; shift < 4; ++shift) {
    std::vector<float> shifted(shift, 0), scores(shift + 10 + 1, 123);
    shifted.insert(shifted.end(), image.begin(), image.end());
    EXPECT_EQ(scores_of(model, shifted.data() + shift, scores.data() + shift), aligned) << shift;
    EXPECT_EQ(scores[shift - 1], 123);
    EXPECT_EQ(scores.back(), 123);
  }
}

TEST_F(Lenet5Test, RunAllocatesNothing) {
  write_text(
      path("model.h"),
      "#include \"lenet5.h\"\n#define MODEL lenet5\n#define MODEL_IO lenet5_io\n#define MODEL_OPEN lenet5_open\n#define MODEL_RUN "
      "lenet5_run\n"
      "#define MODEL_CLOSE lenet5_close\n#define MODEL_INPUT_COUNT LENET5_IMAGE_COUNT\n#define MODEL_OUTPUT_BYTES LENET5_SCORES_BYTES\n");
  const CommandResult built =
      run_command(std::string(CALOTYPE_C_COMPILER) + " -std=gnu11 -Wall -Werror " CALOTYPE_TEST_DATA "/programs/allocations.c -o " +
                  path("allocations") + " -I" + path("") + " " + path("lenet5.a") + " -lpthread -lm");
  ASSERT_EQ(built.status, 0) << built.output;
  const CommandResult result = run_command(path("allocations"));
  EXPECT_EQ(result.status, 0) << result.output;
}

TEST_F(Lenet5Test, SymbolsAreThoseOfTheLists) {
  EXPECT_THAT(symbols_of(path("lenet5.a"), "TDRBWVCui"),
              testing::ElementsAre("calotype_pool_create_v1", "calotype_pool_destroy_v1", "calotype_pool_run_v1", "lenet5_close",
                                   "lenet5_open", "lenet5_run", "lenet5_status_text", "lenet5_weights"));
  EXPECT_THAT(symbols_left_open(path("lenet5.a")), testing::IsSubsetOf(symbol_list(CALOTYPE_TEST_DATA "/undefined_symbols.txt")));
}

TEST_F(Lenet5Test, CompilingAgainGivesTheSameBytes) {
  const TestFolder again;
  compile(again.path(), "lenet5", 1);
  for (const char* name : {"lenet5.a", "lenet5.h", "lenet5.json"}) EXPECT_EQ(read_text(again / name), read_text(path(name))) << name;
}

}  // namespace
}  // namespace calotype::codegen
