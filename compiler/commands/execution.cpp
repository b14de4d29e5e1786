/// \file
/// Compiles into a temporary folder, loads what lies there, and runs it.
#include "commands/execution.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "cache/temporary_folder.h"
#include "codegen/link.h"
#include "layers/layer.h"

namespace calotype::commands {
namespace {

namespace fs = std::filesystem;

/// The number or the numbers that an argument holds; none where it holds anything else.
std::vector<std::int64_t> numbers_of(const Attribute& argument) {
  if (const auto* number = std::get_if<std::int64_t>(&argument.value)) return {*number};
  const auto* list = std::get_if<Attribute::List>(&argument.value);
  std::vector<std::int64_t> numbers;
  for (const Attribute& item : list != nullptr ? *list : Attribute::List{}) {
    const auto* number = std::get_if<std::int64_t>(&item.value);
    if (number == nullptr) return {};
    numbers.push_back(*number);
  }
  return numbers;
}

void describe_anchor(StepRow& row, const Graph& graph, const Op& op) {
  row.output_shape = graph.value(op.results.front()).type.extents;
  for (const NamedAttribute& argument : op.attributes) {
    std::vector<std::int64_t> numbers = numbers_of(argument.value);
    if (!numbers.empty()) row.arguments[argument.name] = std::move(numbers);
  }
}

std::vector<StepRow> rows_of(const plan::Plan& plan) {
  std::vector<StepRow> rows;
  for (const plan::Step& step : plan.steps) {
    StepRow row;
    if (step.kind == plan::Step::Kind::zero_halo) {
      row.name = plan.buffers[static_cast<std::size_t>(step.index)].name;
      row.layers = "zero the halo";
      rows.push_back(std::move(row));
      continue;
    }
    const plan::Kernel& kernel = plan.kernels[static_cast<std::size_t>(step.index)];
    row.name = kernel.name;
    row.schedule = kernel.schedule;
    row.layers = kernel.ops.empty() ? "copy" : "";
    for (const OpId id : kernel.ops) {
      const Op& op = plan.graph.op(id);
      const layers::Layer& layer = *layers::find_layer(op.kind);
      row.layers += fmt::format("{}{}", row.layers.empty() ? "" : " + ", op.kind);
      if (layer.multiply_adds == nullptr) continue;
      row.multiply_adds += layer.multiply_adds(layers::Call(layer, plan.graph, op));
      describe_anchor(row, plan.graph, op);
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

Executable build(Graph graph, const BuildOptions& options, const Visibility& visibility) {
  Executable executable;
  for (std::size_t i = 0; i < graph.results.size(); ++i) executable.result_of.emplace(graph.results[i].value, i);
  for (const ValueId value : visibility.values) {
    const auto [at, is_new] = executable.result_of.emplace(value, graph.results.size());
    // The name is nobody's but must be one in C: it cannot be the value's own, since `a.b` and `a_b` would meet.
    if (is_new) graph.results.push_back({.name = fmt::format("calotype_value_{}", value), .value = value});
  }

  const plan::Target target = target_of(options);
  if (target.architecture != plan::host_target().architecture) {
    throw Failure(Fault::unsupported,
                  fmt::format("code for {} does not run on this machine: compile writes a library for one that does", target.text));
  }
  simplify(graph, !visibility.values.empty());
  plan::Plan plan = make_plan(std::move(graph), target, options);
  if (visibility.step_times) executable.steps = rows_of(plan);
  const codegen::Objects objects = make_objects(plan, target, options.jobs);
  const cache::TemporaryFolder folder;
  codegen::Library library;
  library.name = "calotype_loaded";
  library.original_name = plan.graph.name;
  library.directory = folder.path;
  library.target = target;
  library.step_times = visibility.step_times;
  codegen::link(plan, objects, library);
  executable.model = codegen::load(folder.path / "calotype_loaded.a", folder.path / "calotype_loaded.json");
  return executable;
}

void Session::Free::operator()(std::byte* bytes) const { std::free(bytes); }

Session::Memory Session::allocate(std::int64_t bytes) {
  constexpr std::size_t alignment = 64;
  const std::size_t rounded = (static_cast<std::size_t>(bytes) + alignment - 1) / alignment * alignment;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(alignment, std::max(rounded, alignment))));
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

Session::Session(const Executable& executable, const InputArrays& inputs, int threads) : model_(executable.model) {
  for (std::size_t i = 0; i < model_.inputs.size(); ++i) {
    const TensorData& array = *inputs[i];
    if (static_cast<std::int64_t>(array.bytes.size()) != model_.inputs[i].bytes) {
      throw Failure(Fault::bug,
                    fmt::format("input {} takes {} bytes, not {}", model_.inputs[i].name, model_.inputs[i].bytes, array.bytes.size()));
    }
    buffers_.push_back(allocate(model_.inputs[i].bytes));
    if (!array.bytes.empty()) std::memcpy(buffers_.back().get(), array.bytes.data(), array.bytes.size());
  }
  for (const codegen::Port& result : model_.results) buffers_.push_back(allocate(result.bytes));
  for (const Memory& buffer : buffers_) io_.push_back(buffer.get());
  if (!executable.steps.empty()) {
    step_times_.resize(executable.steps.size() + 1);
    io_.push_back(step_times_.data());
  }

  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = threads;
  const calotype_status status = model_.open(&state_, nullptr, &options);
  if (status == CALOTYPE_OK) return;
  const Fault fault = status == CALOTYPE_UNSUPPORTED_CPU ? Fault::unsupported : Fault::machine;
  throw Failure(fault, fmt::format("the compiled network cannot be opened: {}", model_.status_text(status)));
}

Session::~Session() {
  if (state_ != nullptr) model_.close(state_);
}

void Session::run() {
  const calotype_status status = model_.run(state_, io_.data());
  if (status == CALOTYPE_OK) return;
  const bool is_input = status == CALOTYPE_INDEX_OUT_OF_RANGE || status == CALOTYPE_SHAPE_MISMATCH;
  const Fault fault = is_input ? Fault::input : Fault::bug;
  throw Failure(fault, fmt::format("the run failed: {}", model_.status_text(status)));
}

TensorData Session::result(std::size_t index) const {
  const codegen::Port& port = model_.results[index];
  const std::byte* bytes = buffers_[model_.inputs.size() + index].get();
  return own({port.type.element, memory_extents(port.type, port.channels_last)}, std::vector<std::byte>(bytes, bytes + port.bytes));
}

}  // namespace calotype::commands
