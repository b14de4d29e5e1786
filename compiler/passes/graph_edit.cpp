/// \file
/// Small edits that passes share.
#include "passes/graph_edit.h"

#include <fmt/format.h>

#include <algorithm>

namespace calotype::passes {

void replace_ops(Graph& graph, std::vector<Op> ops) {
  graph.ops = std::move(ops);
  for (Value& value : graph.values) value.producer = no_op;
  for (std::size_t i = 0; i < graph.ops.size(); ++i) {
    for (const ValueId result : graph.ops[i].results) graph.value(result).producer = static_cast<OpId>(i);
  }
}

void replace_uses(Graph& graph, ValueId from, ValueId to) {
  for (Op& op : graph.ops) std::replace(op.operands.begin(), op.operands.end(), from, to);
  for (GraphResult& result : graph.results) {
    if (result.value == from) result.value = to;
  }
}

ValueId add_constant(Graph& graph, std::string name, Numbers numbers) {
  Value value;
  value.name = std::move(name);
  value.origin = Value::Origin::constant;
  value.type = numbers.type();
  value.typed = true;
  value.data = std::move(numbers);
  return add_value(graph, std::move(value));
}

bool is_result(const Graph& graph, ValueId value) {
  return std::any_of(graph.results.begin(), graph.results.end(), [&](const GraphResult& result) { return result.value == value; });
}

std::string unused_name(const Graph& graph, const std::string& name) {
  const auto taken = [&](const std::string& candidate) {
    return std::any_of(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == candidate; });
  };
  std::string candidate = name;
  for (int i = 2; taken(candidate); ++i) candidate = fmt::format("{}{}", name, i);
  return candidate;
}

}  // namespace calotype::passes
