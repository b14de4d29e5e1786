/// \file
/// Adds a copy wherever a kernel wants a value in a layout in which nobody writes it, and lists the steps in running order. A buffer with a
/// halo gets the halo zeroed right after it was written: the arena's memory was somebody else's before.
#include <fmt/format.h>

#include <algorithm>

#include "passes/passes.h"

namespace calotype::passes {
namespace {

using plan::Buffer;
using plan::BufferId;
using plan::Kernel;
using plan::Place;
using plan::Plan;
using plan::Step;

struct Scheduler {
  Plan& plan;
  std::vector<bool> ready;  ///< per buffer: holds its value at this point of the run
  std::vector<Kernel> kernels;  ///< in running order
};

void emit(Scheduler& scheduler, Kernel kernel) {
  const BufferId output = kernel.output;
  scheduler.plan.steps.push_back({Step::Kind::kernel, static_cast<int>(scheduler.kernels.size())});
  scheduler.kernels.push_back(std::move(kernel));
  scheduler.ready[static_cast<std::size_t>(output)] = true;
  if (scheduler.plan.buffer(output).layout.has_halo()) scheduler.plan.steps.push_back({Step::Kind::zero_halo, output});
}

/// A buffer that holds the value already; one of the same memory if there is one.
BufferId source_for(const Scheduler& scheduler, const Buffer& wanted) {
  BufferId found = plan::no_buffer;
  for (std::size_t i = 0; i < scheduler.plan.buffers.size(); ++i) {
    const Buffer& candidate = scheduler.plan.buffers[i];
    if (!scheduler.ready[i] || candidate.value != wanted.value || !candidate.packed_extents.empty()) continue;
    if (found == plan::no_buffer || plan::same_memory(wanted.type, candidate.layout, wanted.layout)) found = static_cast<BufferId>(i);
  }
  if (found == plan::no_buffer) throw Failure(Fault::bug, fmt::format("nothing makes the value {}", wanted.name));
  return found;
}

void provide(Scheduler& scheduler, BufferId id) {
  if (scheduler.ready[static_cast<std::size_t>(id)]) return;
  Buffer& wanted = scheduler.plan.buffer(id);
  const BufferId source = source_for(scheduler, wanted);
  const Buffer& origin = scheduler.plan.buffer(source);
  const bool may_share = wanted.place.kind == Place::Kind::arena && wanted.alias_of == plan::no_buffer;
  if (may_share && plan::same_memory(wanted.type, origin.layout, wanted.layout)) {
    wanted.alias_of = source;
    scheduler.ready[static_cast<std::size_t>(id)] = true;
    return;
  }
  Kernel copy;
  copy.name = fmt::format("{} to {}", wanted.name, plan::to_text(wanted.layout));
  copy.input_values = {wanted.value};
  copy.output_value = wanted.value;
  copy.inputs = {source};
  copy.output = id;
  copy.schedule = "permute";
  emit(scheduler, std::move(copy));
}

}  // namespace

void insert_reorders(Plan& plan) {
  Scheduler scheduler{plan, std::vector<bool>(plan.buffers.size(), false), {}};
  for (const BufferId input : plan.inputs) scheduler.ready[static_cast<std::size_t>(input)] = true;
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    if (plan.buffers[i].place.kind == Place::Kind::weights) scheduler.ready[i] = true;
  }
  for (Kernel& kernel : plan.kernels) {
    for (const BufferId input : kernel.inputs) provide(scheduler, input);
    if (kernel.is_alias) {
      scheduler.ready[static_cast<std::size_t>(kernel.output)] = true;
    } else {
      emit(scheduler, std::move(kernel));
    }
  }
  for (const BufferId result : plan.results) {
    // A constant can be a result too; its numbers are a weight then, beside any packed copy that a kernel has of them.
    const ValueId value = plan.buffer(result).value;
    const bool known = plan.graph.value(value).data.has_value();
    const auto holds = [&](const Buffer& b) {
      return b.value == value && b.place.kind == Place::Kind::weights && b.packed_extents.empty();
    };
    if (known && std::none_of(plan.buffers.begin(), plan.buffers.end(), holds)) {
      Buffer constant = plan.buffer(result);
      constant.layout = {};
      constant.place = {Place::Kind::weights, 0, 0};
      plan.buffers.push_back(std::move(constant));
      scheduler.ready.push_back(true);
    }
    provide(scheduler, result);
  }
  plan.kernels = std::move(scheduler.kernels);
}

}  // namespace calotype::passes
