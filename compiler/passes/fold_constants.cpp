/// \file
/// Computes at compile time what depends on known numbers only. Results become constants; the ops that made them go.
#include <algorithm>

#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {

void fold_constants(Graph& graph, Evaluate evaluate) {
  const auto is_known = [&](ValueId id) { return id == no_value || graph.value(id).data.has_value(); };
  std::vector<bool> folded(graph.ops.size(), false);
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    if (op.operands.empty() || !std::all_of(op.operands.begin(), op.operands.end(), is_known)) continue;
    // A result of the network is a buffer that the program fills.
    if (std::any_of(op.results.begin(), op.results.end(), [&](ValueId id) { return is_result(graph, id); })) continue;
    std::optional<std::vector<TensorData>> numbers = evaluate(graph, static_cast<OpId>(i));
    if (!numbers) continue;
    for (std::size_t r = 0; r < op.results.size(); ++r) {
      Value& value = graph.value(op.results[r]);
      value.origin = Value::Origin::constant;
      value.data = std::move((*numbers)[r]);
    }
    folded[i] = true;
  }
  if (std::find(folded.begin(), folded.end(), true) == folded.end()) return;
  std::vector<Op> kept;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    if (!folded[i]) kept.push_back(std::move(graph.ops[i]));
  }
  replace_ops(graph, std::move(kept));
}

}  // namespace calotype::passes
