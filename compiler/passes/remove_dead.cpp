/// \file
/// What neither a result nor a check needs goes: ops that hand on their operand as it is (dropout, identity), ops that nobody reads, and the numbers of weights that
/// nothing reads any longer (folding leaves such behind).
#include <algorithm>

#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

/// Lets the readers of an identity between equal types read its operand.
void bypass_identities(Graph& graph) {
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    if (!layers::find_layer(op.kind)->traits.is_identity) continue;
    const ValueId from = op.results.front(), to = op.operands.front();
    if (graph.value(from).type == graph.value(to).type) replace_uses(graph, from, to);
  }
}

}  // namespace

void remove_dead(Graph& graph) {
  bypass_identities(graph);
  std::vector<bool> needed(graph.values.size(), false);
  for (const GraphResult& result : graph.results) needed[static_cast<std::size_t>(result.value)] = true;

  std::vector<Op> kept;
  for (auto op = graph.ops.rbegin(); op != graph.ops.rend(); ++op) {
    // Weights and constants are values of their own now: the ops that introduced them have nothing left to do.
    const auto is_computed = [&](ValueId id) { return graph.value(id).origin == Value::Origin::op; };
    const auto is_needed = [&](ValueId id) { return needed[static_cast<std::size_t>(id)]; };
    if (std::none_of(op->results.begin(), op->results.end(), is_computed)) continue;
    const bool is_check = layers::find_layer(op->kind)->traits.is_check;
    if (!is_check && std::none_of(op->results.begin(), op->results.end(), is_needed)) continue;
    for (const ValueId operand : op->operands) {
      if (operand != no_value) needed[static_cast<std::size_t>(operand)] = true;
    }
    kept.push_back(std::move(*op));
  }
  std::reverse(kept.begin(), kept.end());
  replace_ops(graph, std::move(kept));

  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (!needed[i]) graph.values[i].data.reset();
  }
}

}  // namespace calotype::passes
