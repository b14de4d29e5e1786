/// \file
/// Code for 64-bit ARM, compiled here and run under an emulator: every schedule template gives the numbers that the same network gives on this
/// machine, which other tests hold against plain loops.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "command.h"

namespace calotype::codegen {
namespace {

constexpr const char* network = R"(network mixed(image: f32[1, 3, 34, 34]) -> scores, mask, code {
  stem    = conv(image, filters=20, kernel=3x3, stride=2, padding=same, activation=relu)
  wide    = conv(filters=32, kernel=3x3, padding=same, activation=silu)
  spread  = depthwise(kernel=5x5, padding=same, activation=hard_swish)
  narrow  = conv(filters=32, kernel=1x1)
  joined  = add(narrow, wide)
  half    = max_pool(kernel=2x2)
  grouped = conv(filters=24, kernel=3x3, padding=same, groups=4, activation=leaky_relu)
  wider   = conv_transpose(filters=16, kernel=2x2, stride=2)
  mask    = conv(filters=1, kernel=1x1, activation=sigmoid)
  pooled  = global_average_pool(grouped)
  flat    = flatten()
  scores  = dense(units=10, activation=tanh)
  code    = softmax(scores)
}
)";

constexpr const char* program = R"(
#include <math.h>
#include <stdio.h>
#include "mixed.h"

static float image[MIXED_IMAGE_COUNT], scores[MIXED_SCORES_COUNT], mask[MIXED_MASK_COUNT], code[MIXED_CODE_COUNT];

static void print(const float *numbers, int count) {
  for (int i = 0; i < count; ++i) printf("%.9g\n", numbers[i]);
}

int main(void) {
  for (int i = 0; i < MIXED_IMAGE_COUNT; ++i) image[i] = (float)(i * 37 % 101) / 101 - 0.5f;
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = 2;
  mixed *state = NULL;
  if (mixed_open(&state, NULL, &options) != CALOTYPE_OK) return 1;
  const mixed_io io = {.image = image, .scores = scores, .mask = mask, .code = code};
  if (mixed_run(state, &io) != CALOTYPE_OK) return 2;
  mixed_close(state);
  print(scores, MIXED_SCORES_COUNT);
  print(mask, MIXED_MASK_COUNT);
  print(code, MIXED_CODE_COUNT);
  return 0;
}
)";

/// What the program prints when it is compiled for that target.
std::vector<double> answer(const TestFolder& folder, const std::string& target, const std::string& compiler, const std::string& emulator) {
  const std::string out = folder / target;
  const CommandResult compiled = run_command(fmt::format("'{}' compile '{}' --weights-from random:1 --target {} -o '{}'", CALOTYPE_TOOL,
                                                         (folder / "mixed.layers").string(), target, out));
  EXPECT_EQ(compiled.status, 0) << compiled.output;
  const CommandResult linked = run_command(fmt::format("{} -std=c11 -static -I'{}' '{}' '{}/mixed.a' -o '{}/app' -lpthread -lm", compiler,
                                                       out, (folder / "app.c").string(), out, out));
  EXPECT_EQ(linked.status, 0) << linked.output;
  const CommandResult ran = run_command(fmt::format("{} '{}/app'", emulator, out));
  EXPECT_EQ(ran.status, 0) << ran.output;
  std::istringstream numbers(ran.output);
  std::vector<double> list;
  for (double number = 0; numbers >> number;) list.push_back(number);
  return list;
}

TEST(ArmTarget, GivesTheNumbersOfThisMachine) {
  const TestFolder folder;
  write_text(folder / "mixed.layers", network);
  write_text(folder / "app.c", program);
  const std::vector<double> expected = answer(folder, "x86-64-linux-avx2", CALOTYPE_C_COMPILER, "");
  ASSERT_EQ(expected.size(), 10u + 16 * 16 + 10);
  for (const char* target : {"arm-64-linux", "arm-64-linux-arm_dot_prod"}) {
    SCOPED_TRACE(target);
    const std::vector<double> actual = answer(folder, target, "aarch64-linux-gnu-gcc", "qemu-aarch64");
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(actual[i], expected[i], 1e-5) << "number " << i;
  }
}

TEST(ArmTarget, RunsOnNoOtherMachineAndMixesWithNoOther) {
  const TestFolder folder;
  write_text(folder / "mixed.layers", network);
  const auto tool = [&](const std::string& arguments) {
    return run_command(fmt::format("'{}' {} '{}' --weights-from random:1 {}", CALOTYPE_TOOL, arguments.substr(0, arguments.find(' ')),
                                   (folder / "mixed.layers").string(), arguments.substr(arguments.find(' '))));
  };
  const CommandResult benched = tool("bench --target arm-64-linux");
  EXPECT_EQ(benched.status, 3);
  EXPECT_NE(benched.output.find("does not run on this machine"), std::string::npos) << benched.output;
  const CommandResult both = tool("compile --target x86-64-linux-avx2,arm-64-linux -o " + (folder / "both").string());
  EXPECT_EQ(both.status, 2);
  EXPECT_NE(both.output.find("one library is for one architecture"), std::string::npos) << both.output;
}

}  // namespace
}  // namespace calotype::codegen
