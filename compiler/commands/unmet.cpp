/// \file
/// The compiled program tells a status alone. What a check saw is computed here once more, by interpreting what leads from the inputs to it.
#include "commands/unmet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "codegen/interpret.h"
#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::commands {
namespace {

using layers::Call;
using layers::Layer;

/// Larger inputs than that are no lists that decide shapes, nor indices that one would want to see.
constexpr std::int64_t element_limit = 1 << 20;

/// The operands that checks look at.
std::vector<ValueId> checked_values(const Graph& graph) {
  std::vector<ValueId> values;
  for (const Op& op : graph.ops) {
    const Layer& layer = *layers::find_layer(op.kind);
    if (layer.traits.is_check) values.push_back(op.operands.front());
    if (layer.indices == nullptr) continue;
    for (const layers::IndexRange& range : layer.indices(Call(layer, graph, op))) {
      values.push_back(op.operands[static_cast<std::size_t>(range.operand)]);
    }
  }
  return values;
}

/// What the values are computed from, themselves included.
std::set<ValueId> ancestors(const Graph& graph, std::vector<ValueId> open) {
  std::set<ValueId> seen;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    if (id == no_value || !seen.insert(id).second) continue;
    const OpId producer = graph.value(id).producer;
    if (producer != no_op) open.insert(open.end(), graph.op(producer).operands.begin(), graph.op(producer).operands.end());
  }
  return seen;
}

/// The checks, layers that pick by indices, and what leads to them, with the inputs' numbers.
Graph with_numbers(Graph graph, const InputArrays& inputs) {
  const std::set<ValueId> needed = ancestors(graph, checked_values(graph));
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    Value& value = graph.value(graph.inputs[i].value);
    if (!inputs[i] || !needed.contains(graph.inputs[i].value) || graph.inputs[i].declaration.channels_last ||
        value.type.elements() > element_limit)
      continue;
    value.origin = Value::Origin::constant;
    value.data = *inputs[i];
  }
  graph.results.clear();
  std::vector<Op> kept;
  for (const Op& op : graph.ops) {
    const Layer& layer = *layers::find_layer(op.kind);
    const bool leads = std::any_of(op.results.begin(), op.results.end(), [&](ValueId id) { return needed.contains(id); });
    if (leads || layer.traits.is_check || layer.indices != nullptr) kept.push_back(op);
  }
  passes::replace_ops(graph, std::move(kept));
  return graph;
}

bool has_false(const TensorData& data) {
  for (std::int64_t i = 0; i < data.type.elements(); ++i) {
    if (load<std::uint8_t>(data, i) == 0) return true;
  }
  return false;
}

std::string numbers_text(const TensorData& data) {
  constexpr std::int64_t most = 16;
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < std::min(most, data.type.elements()); ++i) numbers.push_back(load_as_double(data, i));
  return fmt::format("[{}{}]", fmt::join(numbers, ", "), data.type.elements() > most ? ", ..." : "");
}

/// "input shape holds [2, 5], but the network was compiled for shape: [2, 4]"
Failure failure_of(const Graph& graph, const InputArrays& inputs, const Op& check) {
  std::vector<std::string> held, notes;
  const std::set<ValueId> sources = ancestors(graph, {check.operands.front()});
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (!sources.contains(graph.inputs[i].value)) continue;
    const std::string& name = graph.value(graph.inputs[i].value).name;
    held.push_back(fmt::format("input {} holds {}", name, numbers_text(*inputs[i])));
    notes.push_back(fmt::format("--bind {}=FILE.npy compiles an ONNX file for other numbers", name));
  }
  const NamedAttribute* says = nullptr;
  for (const NamedAttribute& attribute : check.attributes) {
    if (attribute.name == "says") says = &attribute;
  }
  const std::string wanted = says == nullptr ? "something else" : std::get<std::string>(says->value.value);
  return Failure(Fault::input, fmt::format("{}, but the network was compiled for {}", fmt::join(held, ", "), wanted), {}, std::move(notes));
}

}  // namespace

std::optional<Failure> unmet_requirement(const Graph& graph, const InputArrays& inputs) {
  Graph known = with_numbers(graph, inputs);
  try {
    passes::fold_constants(known, codegen::evaluate);
    passes::check_indices(known);
  } catch (const Failure& failure) {
    return failure;  // of an index
  }
  for (const Op& op : known.ops) {
    if (!layers::find_layer(op.kind)->traits.is_check) continue;
    const std::optional<Numbers>& data = known.value(op.operands.front()).data;
    if (data && data->type().element == ElementType::boolean && has_false(data->read())) return failure_of(graph, inputs, op);
  }
  return std::nullopt;
}

}  // namespace calotype::commands
