/// \file
/// Wrong command lines: the exit status, and what would have been right.
#include <unistd.h>

#include "tool.h"

namespace calotype {
namespace {

struct Case {
  const char* name;
  std::string arguments;
  int status;
  std::string says;  ///< stands in standard error
};

void PrintTo(const Case& wrong, std::ostream* out) { *out << wrong.arguments; }

class CommandLine : public testing::TestWithParam<Case> {};

TEST_P(CommandLine, EndsWithItsStatusAndSaysWhy) {
  const Outcome outcome = calotype_tool(GetParam().arguments);
  EXPECT_EQ(outcome.status, GetParam().status) << outcome.errors;
  EXPECT_NE(outcome.errors.find(GetParam().says), std::string::npos) << outcome.errors;
  EXPECT_EQ(outcome.output, "");
}

const std::string lenet = sample("networks/lenet5.layers");

INSTANTIATE_TEST_SUITE_P(
    Wrong, CommandLine,
    testing::Values(
        Case{"no_verb", "", 2, "which verb?"}, Case{"verb", "sumary " + lenet, 2, "did you mean 'summary'?"},
        Case{"far_verb", "frobnicate", 2, "--help lists the verbs"}, Case{"option", "summary --jsn " + lenet, 2, "did you mean --json?"},
        Case{"option_of_compiler", "compile --weigths-from=random:1 " + lenet, 2, "did you mean --weights-from?"},
        Case{"no_model", "summary", 2, "MODEL"}, Case{"two_models", "summary " + lenet + " " + lenet, 2, "unexpected argument"},
        Case{"no_such_model", "summary nowhere.layers", 2, "nowhere.layers"}, Case{"no_such_symbol", "summary --set M=2 " + lenet, 2, "M"},
        Case{"setting", "summary --set N " + lenet, 2, "--set wants SYMBOL=NUMBER"},
        Case{"setting_twice", "summary --set N=1 --set N=2 " + lenet, 2, "twice"},
        Case{"number", "bench --threads many " + lenet, 2, "--threads"}, Case{"emit", "compile --emit everything " + lenet, 2, "--emit"},
        Case{"no_weights", "compile " + lenet, 2, "--weights-from random:1"},
        Case{"seed", "compile --weights-from random:x " + lenet, 2, "random:SEED"},
        Case{"no_weight_file", "compile --weights-from nowhere.safetensors " + lenet, 2, "nowhere.safetensors"},
        Case{"no_input", "run --weights-from random:1 " + lenet, 2, "image"},
        Case{"no_such_input", "run --weights-from random:1 --input imag=x.npy " + lenet, 2, "did you mean 'image'?"},
        Case{"dump_without_folder", "run --weights-from random:1 --dump all " + lenet, 2, "--output-dir"},
        Case{"expect", "check --expect nowhere --weights-from random:1 " + lenet, 2, "image"},
        Case{"device", "compile --device cuda --weights-from random:1 " + lenet, 3, "cuda"},
        Case{"target", "compile --target host,host --weights-from random:1 " + lenet, 2, "given twice"},
        Case{"machine", "compile --target wasm-32-wasmrt --weights-from random:1 " + lenet, 3, "target"},
        Case{"tune", "tune " + lenet, 3, "not"}, Case{"explain", "explain " + lenet, 3, "not"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(CommandLine, HelpAndVersionGoToStandardOutput) {
  EXPECT_EQ(calotype_tool("--help").status, 0);
  EXPECT_NE(calotype_tool("--help").output.find("compile"), std::string::npos);
  EXPECT_NE(calotype_tool("--version").output.find("calotype 0."), std::string::npos);
  for (const char* verb : {"summary", "compile", "run", "bench", "check"}) {
    const Outcome help = calotype_tool(std::string(verb) + " --help");
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.output.find("--set"), std::string::npos) << verb;
  }
}

TEST(CommandLine, EveryMistakeInADescriptionIsReported) {
  const std::string model =
      description(fresh_folder(),
                  "network n(x: f32[1, 3, 4, 4]) -> y {\n  a = conv(x, filters=2, kernel=5x5)\n  y = conv(x, filters=2, kernel=7x7)\n}\n");
  const Outcome outcome = calotype_tool("summary " + model);
  EXPECT_EQ(outcome.status, 1);
  EXPECT_NE(outcome.errors.find("model.layers:2:"), std::string::npos) << outcome.errors;
  EXPECT_NE(outcome.errors.find("model.layers:3:"), std::string::npos) << outcome.errors;
}

TEST(CommandLine, AFullDiskIsTheMachinesFault) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "this system has no /dev/full";
  const int status = std::system(("'" CALOTYPE_TOOL "' summary '" + lenet + "' >/dev/full 2>/dev/null").c_str());
  EXPECT_EQ(WEXITSTATUS(status), 4);
}

TEST(CommandLine, AFolderThatCannotBeMadeIsTheMachinesFault) {
  const std::filesystem::path folder = fresh_folder();
  std::ofstream(folder / "file") << "in the way";
  const Outcome outcome = calotype_tool("compile --weights-from random:1 -o '" + (folder / "file" / "out").string() + "' " + lenet);
  EXPECT_EQ(outcome.status, 4) << outcome.errors;
}

}  // namespace
}  // namespace calotype
