/// \file
/// The checks are layers of the plan's graph that say themselves what they want.
#include "codegen/run_checks.h"

#include <algorithm>
#include <set>

#include "layers/layer.h"

namespace calotype::codegen {
namespace {

std::vector<std::string> inputs_behind(const Graph& graph, ValueId value) {
  std::set<ValueId> seen;
  std::vector<ValueId> open = {value};
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == no_value || !seen.insert(id).second) continue;
    const OpId producer = graph.value(id).producer;
    if (producer != no_op) open.insert(open.end(), graph.op(producer).operands.begin(), graph.op(producer).operands.end());
  }
  std::vector<std::string> names;
  for (const GraphInput& input : graph.inputs) {
    if (seen.contains(input.value)) names.push_back(graph.value(input.value).name);
  }
  return names;
}

}  // namespace

std::vector<RunCheck> run_checks(const plan::Plan& plan) {
  std::vector<RunCheck> checks;
  for (const plan::Kernel& kernel : plan.kernels) {
    for (const OpId id : kernel.ops) {
      const Op& op = plan.graph.op(id);
      const layers::Layer* layer = layers::find_layer(op.kind);
      if (layer == nullptr || !layer->traits.is_check) continue;  // plans written by hand hold ops that are no layers
      RunCheck check = {inputs_behind(plan.graph, op.operands.front()), layer->explain(layers::Call(*layer, plan.graph, op))};
      const bool is_said =
          std::any_of(checks.begin(), checks.end(), [&](const RunCheck& c) { return c.inputs == check.inputs && c.text == check.text; });
      if (!is_said) checks.push_back(std::move(check));
    }
  }
  return checks;
}

}  // namespace calotype::codegen
