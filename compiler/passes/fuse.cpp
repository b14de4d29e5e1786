/// \file
/// Cuts the graph into kernels. A kernel starts at an anchor and grows along its result for as long as exactly one op reads it, that op is
/// elementwise and its result has the anchor's shape. Such a chain has no other way out, so growing it can never close a cycle; the kernel
/// runs where its last op stood.
#include <algorithm>

#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

using layers::Traits;

struct Fusion {
  const Graph& graph;
  std::vector<std::vector<OpId>> consumers;
  std::vector<bool> taken;  ///< per op
};

const Traits& traits_of(const Graph& graph, OpId op) { return layers::find_layer(graph.op(op).kind)->traits; }

/// The op that may join a kernel whose last result is `value`, or no_op.
OpId next_of(const Fusion& fusion, ValueId value) {
  const auto& readers = fusion.consumers[static_cast<std::size_t>(value)];
  if (readers.size() != 1 || is_result(fusion.graph, value)) return no_op;
  const OpId reader = readers.front();
  const Op& op = fusion.graph.op(reader);
  if (fusion.taken[static_cast<std::size_t>(reader)] || !traits_of(fusion.graph, reader).is_elementwise || op.results.size() != 1)
    return no_op;
  const TensorType& before = fusion.graph.value(value).type;
  const TensorType& after = fusion.graph.value(op.results.front()).type;
  return before.extents == after.extents ? reader : no_op;
}

void add_inputs(plan::Kernel& kernel, const Op& op, ValueId inside) {
  for (const ValueId operand : op.operands) {
    if (operand == no_value || operand == inside) continue;
    auto& list = kernel.input_values;
    if (std::find(list.begin(), list.end(), operand) == list.end()) list.push_back(operand);
  }
}

plan::Kernel grow(Fusion& fusion, OpId anchor, int result) {
  plan::Kernel kernel;
  kernel.ops = {anchor};
  kernel.result = result;
  const Op& first = fusion.graph.op(anchor);
  kernel.output_value = first.results[static_cast<std::size_t>(result)];
  add_inputs(kernel, first, no_value);
  const Traits& traits = traits_of(fusion.graph, anchor);
  const bool open = (traits.takes_epilogue || traits.is_elementwise) && first.results.size() == 1;
  while (open) {
    const OpId next = next_of(fusion, kernel.output_value);
    if (next == no_op) break;
    fusion.taken[static_cast<std::size_t>(next)] = true;
    const Op& op = fusion.graph.op(next);
    add_inputs(kernel, op, kernel.output_value);
    kernel.ops.push_back(next);
    kernel.output_value = op.results.front();
  }
  kernel.name = fusion.graph.value(kernel.output_value).name;
  return kernel;
}

/// The caller's buffers, as the description declares them.
void add_interface(plan::Plan& plan) {
  const auto layout_of = [](const Declaration& declaration) {
    plan::Layout layout;
    if (declaration.channels_last) layout.family = plan::Layout::Family::channels_last;
    return layout;
  };
  const auto add = [&](const std::string& name, ValueId value, const Declaration& declaration, plan::Place place) {
    plan::Buffer buffer;
    buffer.name = name;
    buffer.value = value;
    buffer.type = plan.graph.value(value).type;
    buffer.layout = layout_of(declaration);
    buffer.place = place;
    plan.buffers.push_back(std::move(buffer));
    return static_cast<plan::BufferId>(plan.buffers.size()) - 1;
  };
  using Kind = plan::Place::Kind;
  for (const GraphInput& input : plan.graph.inputs) {
    const plan::Place place{Kind::input, static_cast<int>(plan.inputs.size()), 0};
    plan.inputs.push_back(add(plan.graph.value(input.value).name, input.value, input.declaration, place));
  }
  for (const GraphResult& result : plan.graph.results) {
    const plan::Place place{Kind::result, static_cast<int>(plan.results.size()), 0};
    plan.results.push_back(add(result.name, result.value, result.declaration, place));
  }
}

}  // namespace

plan::Plan fuse(Graph graph) {
  plan::Plan plan;
  plan.graph = std::move(graph);
  Fusion fusion{plan.graph, consumers_of(plan.graph), std::vector<bool>(plan.graph.ops.size(), false)};
  for (std::size_t i = 0; i < plan.graph.ops.size(); ++i) {
    const auto op = static_cast<OpId>(i);
    if (fusion.taken[i] || traits_of(plan.graph, op).is_source) continue;
    fusion.taken[i] = true;
    const int results = static_cast<int>(plan.graph.op(op).results.size());
    for (int result = 0; result < results; ++result) {
      const ValueId value = plan.graph.op(op).results[static_cast<std::size_t>(result)];
      const bool is_wanted =
          !fusion.consumers[static_cast<std::size_t>(value)].empty() || is_result(plan.graph, value) || traits_of(plan.graph, op).is_check;
      if (is_wanted) plan.kernels.push_back(grow(fusion, op, result));  // a part of a split may be of no use
    }
  }
  std::stable_sort(plan.kernels.begin(), plan.kernels.end(), [](const auto& a, const auto& b) { return a.ops.back() < b.ops.back(); });
  add_interface(plan);
  return plan;
}

}  // namespace calotype::passes
