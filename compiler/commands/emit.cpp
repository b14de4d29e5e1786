/// \file
/// The stages as text, for people and for tests that look at them.
#include "commands/emit.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "codegen/kernel.h"
#include "codegen/kernel_key.h"
#include "passes/passes.h"

namespace calotype::commands {
namespace {

using plan::Buffer;
using plan::BufferId;
using plan::Kernel;
using plan::Place;

std::string place_text(const Place& place) {
  switch (place.kind) {
    case Place::Kind::none: return "nowhere";
    case Place::Kind::input: return fmt::format("input {}", place.index);
    case Place::Kind::result: return fmt::format("result {}", place.index);
    case Place::Kind::arena: return fmt::format("arena {}", place.offset);
    case Place::Kind::weights: return fmt::format("weights {}", place.offset);
  }
  return {};
}

std::string names_of(const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<std::string> names;
  for (const ValueId value : values) names.push_back(value == no_value ? "_" : graph.value(value).name);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string layers_of(const plan::Plan& plan, const Kernel& kernel) {
  std::vector<std::string> texts;
  for (const OpId op : kernel.ops) texts.push_back(fmt::format("{} {}", plan.graph.op(op).kind, plan.graph.op(op).name));
  return texts.empty() ? "copy" : fmt::format("{}", fmt::join(texts, " + "));
}

}  // namespace

std::string shapes_text(const Graph& graph) {
  std::string text;
  for (const GraphInput& input : graph.inputs) {
    text += fmt::format("{}: {} (input)\n", graph.value(input.value).name, to_text(graph.value(input.value).type));
  }
  for (const Op& op : graph.ops) {
    for (const ValueId operand : op.operands) {
      if (operand != no_value && graph.value(operand).implicit) {
        text += fmt::format("{}: {} (weight)\n", graph.value(operand).name, to_text(graph.value(operand).type));
      }
    }
    for (const ValueId result : op.results) {
      text += fmt::format("{}: {} = {}({})\n", graph.value(result).name, to_text(graph.value(result).type), op.kind,
                          names_of(graph, op.operands));
    }
  }
  return text;
}

std::string fused_text(const plan::Plan& plan) {
  std::string text;
  for (const Kernel& kernel : plan.kernels) {
    text += fmt::format("{}: {}\n  reads {}\n", kernel.name, layers_of(plan, kernel), names_of(plan.graph, kernel.input_values));
  }
  return text;
}

std::string plan_text(const plan::Plan& plan) {
  std::string text = fmt::format("arena {} bytes ({} in use at once), weights {} bytes\n\nbuffers\n", plan.arena_bytes,
                                 passes::least_arena(plan), plan.weight_bytes);
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    text +=
        fmt::format("  {:4} {}: {} {}, {}", i, buffer.name, to_text(buffer.type), plan::to_text(buffer.layout), place_text(buffer.place));
    if (buffer.alias_of != plan::no_buffer) text += fmt::format(", shares the bytes of {}", buffer.alias_of);
    if (!buffer.packing.empty()) text += fmt::format(", packed as {}", buffer.packing);
    text += "\n";
  }
  text += "\nsteps\n";
  for (const plan::Step& step : plan.steps) {
    if (step.kind == plan::Step::Kind::zero_halo) {
      text += fmt::format("  zero the halo of {}\n", step.index);
      continue;
    }
    const Kernel& kernel = plan.kernels[static_cast<std::size_t>(step.index)];
    std::vector<std::string> parameters;
    for (const auto& [name, number] : kernel.parameters) parameters.push_back(fmt::format("{}={}", name, number));
    text += fmt::format("  {}: {} by {}({}) [{}] -> {}\n", kernel.name, layers_of(plan, kernel), kernel.schedule,
                        fmt::join(parameters, ", "), fmt::join(kernel.inputs, ", "), kernel.output);
  }
  return text;
}

std::string code_text(const plan::Plan& plan, const plan::Target& target, const std::string& form) {
  std::string text;
  std::set<std::string> seen;
  for (const Kernel& kernel : plan.kernels) {
    if (!seen.insert(codegen::kernel_key(plan, kernel, target)).second) continue;
    const std::string symbol = fmt::format("kernel_{}", seen.size());
    text += fmt::format("---- {}: {}\n{}\n", kernel.name, layers_of(plan, kernel),
                        codegen::describe_kernel(plan, kernel, target, symbol, form));
  }
  return text;
}

std::string objects_text(const codegen::Objects& objects) {
  std::string text;
  for (const codegen::KernelObject& object : objects.distinct) {
    text += fmt::format("{} {} bytes, {} bytes of scratch\n", object.symbol, object.object.size(), object.scratch_bytes);
  }
  return text;
}

}  // namespace calotype::commands
