/// \file
/// Types for every value, and the tensors that layers imply. From here on the graph is closed: each layer's weights are operands like any
/// other, named as the weight files name them.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "ir/inline_tensor.h"
#include "layers/layer.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

using layers::Call;
using layers::Layer;
using layers::WeightSpecification;

/// The declared type; every symbol is bound by now.
TensorType type_of(const Declaration& declaration) {
  TensorType type{declaration.element, {}};
  for (const Dimension& dimension : declaration.dimensions) {
    const auto* number = std::get_if<std::int64_t>(&dimension);
    type.extents.push_back(number != nullptr ? *number : evaluate(*std::get<ExpressionPointer>(dimension), {}));
  }
  type.bytes();  // throws if it exceeds 64 bits
  return type;
}

/// The names of weights so far: two tensors of one name would be one tensor of the files counted twice.
using WeightNames = std::map<std::string, SourceLocation>;

ValueId add_weight(Graph& graph, WeightNames& names, Value value) {
  const auto [found, is_new] = names.emplace(value.name, value.location);
  if (!is_new) {
    std::vector<std::string> notes;
    if (found->second) notes.push_back(fmt::format("the first stands in line {}", found->second.line));
    throw Failure(Fault::input, fmt::format("two tensors are named '{}'", value.name), value.location, std::move(notes));
  }
  return add_value(graph, std::move(value));
}

/// The tensor written as the argument of that name (`weight=[[...]]`), broadcast to the weight's shape; nothing if none is.
std::optional<TensorData> inline_weight(const Op& op, const WeightSpecification& weight) {
  const auto at = std::find_if(op.attributes.begin(), op.attributes.end(), [&](const NamedAttribute& a) { return a.name == weight.name; });
  // `bias=true` asks for a bias, it does not give one.
  if (at == op.attributes.end() || std::holds_alternative<bool>(at->value.value) || !is_tensor(at->value)) return std::nullopt;
  TensorData data = inline_tensor(at->value, weight.type.element);
  const std::vector<std::int64_t> written = data.type.extents;
  if (!broadcast_to(data, weight.type.extents)) {
    throw Failure(
        Fault::input,
        fmt::format("{}= is {}, which does not broadcast to {}'s {}", weight.name, to_text(written), op.name, to_text(weight.type.extents)),
        at->value.location ? at->value.location : at->location);
  }
  return data;
}

/// Position of the operand of that name in the layer's table.
std::size_t position_of(const Layer& layer, std::string_view operand) {
  const auto operands = layers::operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].name == operand) return i;
  }
  throw Failure(Fault::bug, fmt::format("layer {} has no operand named {}", layer.name, operand));
}

/// Gives the op the weights that it implies and checks those that are written as operands.
void complete_weights(Graph& graph, OpId id, const Layer& layer, WeightNames& names) {
  if (layer.weights == nullptr) return;
  const std::vector<WeightSpecification> weights = layer.weights(Call(layer, graph, graph.op(id)));
  const auto operands = layers::operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const Op& op = graph.op(id);
    if (operands[i].kind != layers::Operand::Kind::weight || i >= op.operands.size() || op.operands[i] == no_value) continue;
    const bool wanted =
        std::any_of(weights.begin(), weights.end(), [&](const WeightSpecification& w) { return w.name == operands[i].name; });
    if (!wanted) Call(layer, graph, op).fail(operands[i].name, fmt::format("{} takes no {} here", op.name, operands[i].name));
  }
  for (const WeightSpecification& weight : weights) {
    Op& op = graph.op(id);
    const std::size_t position = position_of(layer, weight.name);
    std::optional<TensorData> data = inline_weight(op, weight);
    if (position < op.operands.size() && op.operands[position] != no_value) {
      Value& operand = graph.value(op.operands[position]);
      if (data)
        Call(layer, graph, op)
            .fail(weight.name, fmt::format("{} is given twice: as operand {} and as argument", weight.name, operand.name));
      if (operand.type != weight.type) {
        Call(layer, graph, op)
            .fail(fmt::format("{} is {}, but {}'s {} must be {}", operand.name, to_text(operand.type), op.name, weight.name,
                              to_text(weight.type)));
      }
      if (operand.origin == Value::Origin::weight && !weight.trainable) operand.trainable = false;
      continue;
    }
    Value value;
    value.name = fmt::format("{}.{}", op.name, weight.name);
    value.origin = Value::Origin::weight;
    value.type = weight.type;
    value.typed = true;
    value.implicit = true;
    value.trainable = weight.trainable;
    value.data = std::move(data);
    value.location = op.location;
    const ValueId added = add_weight(graph, names, std::move(value));
    std::vector<ValueId>& list = graph.op(id).operands;
    list.resize(std::max(list.size(), position + 1), no_value);
    list[position] = added;
  }
}

/// What a source makes is no result of a computation: a tensor of the weight files, or numbers that stand in the description.
void mark_source(Graph& graph, const Op& op, const Layer& layer, WeightNames& names) {
  for (const ValueId result : op.results) {
    Value& value = graph.value(result);
    const NamedAttribute* numbers = nullptr;
    for (const layers::Argument& argument : layers::arguments_of(layer)) {
      if (argument.kind != layers::ArgumentKind::tensor) continue;
      for (const NamedAttribute& attribute : op.attributes) {
        if (attribute.name == argument.name) numbers = &attribute;
      }
    }
    if (numbers == nullptr) {
      value.origin = Value::Origin::weight;
      names.emplace(value.name, op.location);
      continue;
    }
    value.origin = Value::Origin::constant;
    TensorData data = inline_tensor(numbers->value, value.type.element);
    if (!broadcast_to(data, value.type.extents)) throw Failure(Fault::bug, "a constant's type is not that of its numbers", op.location);
    value.data = std::move(data);
  }
}

void infer_op(Graph& graph, OpId id, WeightNames& names) {
  const Layer* layer = layers::find_layer(graph.op(id).kind);
  if (layer == nullptr) throw Failure(Fault::bug, fmt::format("no layer is named {}", graph.op(id).kind), graph.op(id).location);
  complete_weights(graph, id, *layer, names);
  const Op& op = graph.op(id);
  std::vector<TensorType> types = layer->infer(Call(*layer, graph, op));
  if (types.size() != op.results.size()) {
    const std::string message = fmt::format("{} has {} results, but {} are named", op.kind, types.size(), op.results.size());
    throw Failure(Fault::input, message, op.location);
  }
  for (std::size_t i = 0; i < types.size(); ++i) {
    types[i].bytes();  // throws if it exceeds 64 bits
    Value& value = graph.value(op.results[i]);
    value.type = std::move(types[i]);
    value.typed = true;
  }
  if (layer->traits.is_source) mark_source(graph, op, *layer, names);
}

void check_result(const Graph& graph, const GraphResult& result) {
  const Value& value = graph.value(result.value);
  if (!result.declaration.stated || !value.typed) return;
  const TensorType declared = type_of(result.declaration);
  if (declared == value.type) return;
  throw Failure(Fault::input, fmt::format("result {} is declared as {}, but it is {}", result.name, to_text(declared), to_text(value.type)),
                result.location);
}

}  // namespace

void infer_op(Graph& graph, OpId id) {
  WeightNames names;
  infer_op(graph, id, names);
}

void infer_shapes(Graph& graph) {
  for (const GraphInput& input : graph.inputs) {
    Value& value = graph.value(input.value);
    value.type = type_of(input.declaration);
    value.typed = true;
  }

  std::vector<Diagnostic> diagnostics;
  const auto collect = [&](const Failure& failure, const SourceLocation& where, const std::string& layer) {
    for (Diagnostic diagnostic : failure.diagnostics()) {
      if (!diagnostic.where) diagnostic.where = where;
      if (diagnostic.layer.empty()) diagnostic.layer = layer;
      diagnostics.push_back(std::move(diagnostic));
    }
  };
  WeightNames names;
  for (OpId id = 0; static_cast<std::size_t>(id) < graph.ops.size(); ++id) {
    const auto& operands = graph.op(id).operands;
    const bool known = std::all_of(operands.begin(), operands.end(), [&](ValueId v) { return v == no_value || graph.value(v).typed; });
    if (!known) continue;
    try {
      infer_op(graph, id, names);
    } catch (const Failure& failure) {
      collect(failure, graph.op(id).location, graph.op(id).name);
    }
  }
  for (const GraphResult& result : graph.results) {
    try {
      check_result(graph, result);
    } catch (const Failure& failure) {
      collect(failure, result.location, result.name);
    }
  }
  if (!diagnostics.empty()) throw Failure(std::move(diagnostics));
}

}  // namespace calotype::passes
