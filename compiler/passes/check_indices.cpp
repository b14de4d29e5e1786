/// \file
/// Indices that arrive as numbers are clamped by the layers that use them. Whether any was out of range is found by an op of its own before the
/// layer, so that picking stays a plain load.
#include <fmt/format.h>

#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

using layers::Call;
using layers::IndexRange;

/// Throws Failure(input) for an index outside of its range.
void check_known(const Call& call, const IndexRange& range) {
  const Value& value = call.operand(range.operand);
  const TensorData data = value.data->read();
  for (std::int64_t i = 0; i < data.type.elements(); ++i) {
    const std::size_t place = static_cast<std::size_t>(i) % range.least.size();
    const double index = load_as_double(data, i);
    if (index >= static_cast<double>(range.least[place]) && index <= static_cast<double>(range.most[place])) continue;
    call.fail(fmt::format("{}: index {} of {} is out of range: it must be between {} and {}", call.op().kind, index, value.name,
                          range.least[place], range.most[place]));
  }
}

Op check_of(Graph& graph, const Op& op, const IndexRange& range) {
  const ValueId operand = op.operands[static_cast<std::size_t>(range.operand)];
  Value held;
  held.name = unused_name(graph, fmt::format("{}.indices", op.name));
  held.type = {ElementType::boolean, {}};
  held.typed = true;
  Op check;
  check.name = held.name;
  check.kind = "require_between";
  check.operands = {operand};
  check.attributes = {layers::named("least", range.least), layers::named("most", range.most)};
  check.location = op.location;
  check.results = {add_value(graph, std::move(held))};
  return check;
}

}  // namespace

void check_indices(Graph& graph) {
  std::vector<Op> ops;
  for (const Op& op : graph.ops) {
    const layers::Layer& layer = *layers::find_layer(op.kind);
    const Call call(layer, graph, op);
    const bool has_indices = layer.indices != nullptr && call.result().elements() > 0;
    const std::vector<IndexRange> ranges = has_indices ? layer.indices(call) : std::vector<IndexRange>();
    for (const IndexRange& range : ranges) {
      const Value& value = call.operand(range.operand);
      if (value.type.elements() == 0) continue;
      if (value.data) {
        check_known(call, range);
      } else {
        ops.push_back(check_of(graph, op, range));
      }
    }
    ops.push_back(op);
  }
  if (ops.size() != graph.ops.size()) replace_ops(graph, std::move(ops));
}

}  // namespace calotype::passes
