/// \file
/// What LLVM makes of the main templates, for machines of several kinds: the accumulators of the innermost loop stay in registers. A template whose
/// register tile is too large for a target still computes the right numbers, at half the speed; only the assembly tells.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "codegen/kernel.h"
#include "commands/pipeline.h"
#include "compiled_model.h"

namespace calotype::testing {
namespace {

/// One loop without loops inside: how often it multiplies and adds vectors, and how often it goes to the stack for one.
struct InnerLoop {
  int multiply_adds = 0;
  int stack_accesses = 0;
};

bool contains(const std::string& line, std::string_view text) { return line.find(text) != std::string::npos; }

bool multiplies(const std::string& line) {
  return contains(line, "vfmadd") || contains(line, "vfnmadd") || contains(line, "fmla") || contains(line, "mulps\t");
}

/// %rbp is any register where no function makes it its frame's.
bool moves_between_stack_and_vector(const std::string& line, bool rbp_is_frame) {
  const bool vector =
      contains(line, "%xmm") || contains(line, "%ymm") || contains(line, "%zmm") || contains(line, "\tq") || contains(line, " q");
  return vector &&
         (contains(line, "(%rsp") || (rbp_is_frame && contains(line, "(%rbp")) || contains(line, "[sp") || contains(line, "[x29"));
}

/// The label that a jump of this line names, or nothing.
std::string jump_of(const std::string& line) {
  std::istringstream words(line);
  std::string operation, word, last;
  words >> operation;
  const bool jumps = operation.starts_with("j") || operation.starts_with("b.") || operation == "b" || operation.starts_with("cb") ||
                     operation.starts_with("tb");
  while (words >> word) last = word;
  return jumps ? last : "";
}

/// The innermost loop that multiplies most.
InnerLoop busiest_loop(const std::string& assembly) {
  std::vector<std::string> lines;
  std::map<std::string, std::size_t> labels;
  std::istringstream stream(assembly);
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with(".L") && contains(line, ":")) labels[line.substr(0, line.find(':'))] = lines.size();
    lines.push_back(line);
  }
  const bool rbp_is_frame = contains(assembly, "%rsp, %rbp");
  InnerLoop best;
  std::size_t innermost_begin = 0;  // a loop that began before the last one seen to end holds that one
  for (std::size_t end = 0; end < lines.size(); ++end) {
    const auto begin = labels.find(jump_of(lines[end]));
    if (begin == labels.end() || begin->second > end || begin->second < innermost_begin) continue;
    innermost_begin = end;
    InnerLoop loop;
    for (std::size_t i = begin->second; i < end; ++i) {
      loop.multiply_adds += multiplies(lines[i]) ? 1 : 0;
      loop.stack_accesses += moves_between_stack_and_vector(lines[i], rbp_is_frame) ? 1 : 0;
    }
    if (loop.multiply_adds > best.multiply_adds) best = loop;
  }
  return best;
}

struct Case {
  const char* network;
  const char* schedule;
};

constexpr Case cases[] = {
    {"network test(x: f32[1, 64, 14, 14]) -> y { y = conv(x, filters=64, kernel=1) }", "direct_conv"},
    {"network test(x: f32[1, 64, 28, 28]) -> y { y = conv(x, filters=64, kernel=3, stride=2, padding=1) }", "direct_conv"},
    {"network test(x: f32[1, 64, 28, 28]) -> y { y = conv(x, filters=64, kernel=3, padding=1, groups=64) }", "depthwise"},
    {"network test(x: f32[1, 64, 28, 28]) -> y { y = conv(x, filters=64, kernel=3, padding=1, groups=2) }", "grouped_conv"},
    {"network test(x: f32[1, 512]) -> y { y = dense(x, units=256) }", "dense"},
    {"network test(a: f32[64, 64], b: f32[64, 64]) -> y { y = matmul(a, b) }", "matmul"},
};

struct Machine {
  const char* target;
  double accesses_for_each_multiply_add;  ///< with 16 registers LLVM keeps some broadcast operands on the stack
};

class Assembly : public ::testing::TestWithParam<Machine> {};

TEST_P(Assembly, TheInnermostLoopLeavesTheStackAlone) {
  const plan::Target target = plan::parse_target(GetParam().target);
  for (const Case& example : cases) {
    SCOPED_TRACE(example.network);
    Graph graph = graph_of(example.network);
    commands::simplify(graph);
    const plan::Plan plan = commands::make_plan(std::move(graph), target, {});
    bool found = false;
    for (const plan::Kernel& kernel : plan.kernels) {
      if (kernel.schedule != example.schedule) continue;
      found = true;
      const InnerLoop loop = busiest_loop(codegen::describe_kernel(plan, kernel, target, "kernel", "asm"));
      EXPECT_GE(loop.multiply_adds, 4) << example.schedule;
      EXPECT_LE(loop.stack_accesses, GetParam().accesses_for_each_multiply_add * loop.multiply_adds)
          << example.schedule << " keeps accumulators in memory: " << loop.stack_accesses << " accesses for " << loop.multiply_adds;
    }
    EXPECT_TRUE(found) << "no kernel of that network is scheduled as " << example.schedule;
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, Assembly,
                         ::testing::Values(Machine{"x86-64-linux-avx2", 0.25}, Machine{"x86-64-linux-avx512_skylake", 0.0},
                                           Machine{"arm-64-linux", 0.0}),
                         [](const auto& info) { return "target" + std::to_string(info.index); });

}  // namespace
}  // namespace calotype::testing
