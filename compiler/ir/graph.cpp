/// \file
/// Questions that every pass asks of a graph, and the verifier.
#include "ir/graph.h"

#include <fmt/format.h>

#include <unordered_set>

namespace calotype {

std::vector<std::vector<OpId>> consumers_of(const Graph& graph) {
  std::vector<std::vector<OpId>> consumers(graph.values.size());
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const ValueId operand : graph.ops[i].operands) {
      if (operand == no_value) continue;
      auto& list = consumers[static_cast<std::size_t>(operand)];
      if (list.empty() || list.back() != static_cast<OpId>(i)) list.push_back(static_cast<OpId>(i));
    }
  }
  return consumers;
}

void verify(const Graph& graph, const char* after) {
  const auto fail = [&](const std::string& what) { throw Failure(Fault::bug, fmt::format("after {}: {}", after, what)); };
  const auto in_range = [&](ValueId id) { return id >= 0 && static_cast<std::size_t>(id) < graph.values.size(); };

  std::vector<bool> known(graph.values.size(), false);
  for (std::size_t i = 0; i < graph.values.size(); ++i) known[i] = graph.values[i].origin != Value::Origin::op;
  std::unordered_set<std::string> names;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    const Op& op = graph.ops[i];
    for (const ValueId operand : op.operands) {
      if (operand == no_value) continue;
      if (!in_range(operand)) fail(fmt::format("{} reads value {}, which does not exist", op.name, operand));
      if (!known[static_cast<std::size_t>(operand)]) fail(fmt::format("{} reads {} before it is made", op.name, graph.value(operand).name));
    }
    for (const ValueId result : op.results) {
      if (!in_range(result)) fail(fmt::format("{} makes value {}, which does not exist", op.name, result));
      const Value& value = graph.value(result);
      // What a parameter or a constant makes is no longer of origin `op` once shapes are inferred.
      const bool is_source = value.origin == Value::Origin::weight || value.origin == Value::Origin::constant;
      if (value.producer != static_cast<OpId>(i) || (value.origin != Value::Origin::op && !is_source)) {
        fail(fmt::format("{} is not marked as made by {}", value.name, op.name));
      }
      if (!names.insert(value.name).second) fail(fmt::format("two values are named {}", value.name));
      known[static_cast<std::size_t>(result)] = true;
    }
  }
  for (const GraphResult& result : graph.results) {
    if (!in_range(result.value) || !known[static_cast<std::size_t>(result.value)])
      fail(fmt::format("result {} is never made", result.name));
  }
}

}  // namespace calotype
