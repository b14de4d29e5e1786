/// \file
/// Batch norm at inference is a scale and a shift for each channel. After a convolution or dense layer that nothing else reads, both move
/// into its weights and bias; elsewhere they become a multiplication and an addition with constants, which fuse like any other.
/// Computed in double, in a fixed order, so that the same description always gives the same bits.
#include <fmt/format.h>

#include <algorithm>

#include "layers/layer.h"
#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

using layers::Call;
using layers::ChannelAffine;
using layers::Layer;

/// The f32 tensor of the numbers, of that shape.
TensorData floats(const std::vector<double>& numbers, std::vector<std::int64_t> extents) {
  return own({ElementType::f32, std::move(extents)}, std::vector<float>(numbers.begin(), numbers.end()));
}

/// weight[o, ...] * scale[o], where o walks axis 0; both f32.
TensorData scale_rows(const TensorData& weight, const std::vector<double>& scale) {
  std::vector<float> numbers(static_cast<std::size_t>(weight.type.elements()));
  const std::size_t row = numbers.size() / std::max<std::size_t>(1, scale.size());
  for (std::size_t o = 0; o < scale.size(); ++o) {
    for (std::size_t i = o * row; i < (o + 1) * row; ++i) {
      numbers[i] = static_cast<float>(static_cast<double>(load<float>(weight, static_cast<std::int64_t>(i))) * scale[o]);
    }
  }
  return own(weight.type, std::move(numbers));
}

/// The position of an operand in the layer's list, or -1.
int position_of(const Layer& layer, std::string_view operand) {
  const auto operands = layers::operands_of(layer);
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].name == operand) return static_cast<int>(i);
  }
  return -1;
}

/// Is the op a scale and shift of f32 channels whose numbers are all known?
bool is_known_affine(const Graph& graph, const Op& op, const Layer& layer) {
  if (layer.channel_affine == nullptr || graph.value(op.results.front()).type.element != ElementType::f32) return false;
  return std::all_of(op.operands.begin() + 1, op.operands.end(),
                     [&](ValueId id) { return id == no_value || graph.value(id).data.has_value(); });
}

/// Does that op take a scale and shift of its channels into its weights, all of them known f32 numbers?
bool can_absorb(const Graph& graph, const Op& op, const Layer& layer) {
  if (!layer.traits.weight_rows_are_channels) return false;
  const Call call(layer, graph, op);
  if (!call.has("weight") || !call.operand("weight").data || call.operand("weight").type.element != ElementType::f32) return false;
  // A dense layer's rows walk the last axis, which is that of the channels only where there are no others.
  if (call.operand("weight").type.rank() != call.result().rank()) return false;
  return !call.has("bias") || call.operand("bias").data.has_value();
}

/// Rewrites weight and bias of `op`. New values take the place of the old ones, which other ops may share.
void absorb(Graph& graph, Op& op, const Layer& layer, const ChannelAffine& affine) {
  const auto weight_at = static_cast<std::size_t>(position_of(layer, "weight"));
  const auto bias_at = static_cast<std::size_t>(position_of(layer, "bias"));
  op.operands.resize(std::max({op.operands.size(), weight_at + 1, bias_at + 1}), no_value);

  std::vector<double> bias = affine.shift;
  if (op.operands[bias_at] != no_value) {
    const TensorData old = graph.value(op.operands[bias_at]).data->read();
    for (std::size_t i = 0; i < bias.size(); ++i) bias[i] += affine.scale[i] * load_as_double(old, static_cast<std::int64_t>(i));
  }
  const Value& weight = graph.value(op.operands[weight_at]);
  Numbers scaled(weight.type, [numbers = *weight.data, scale = affine.scale] { return scale_rows(numbers.read(), scale); });
  op.operands[weight_at] = add_constant(graph, weight.name, std::move(scaled));
  const auto filters = static_cast<std::int64_t>(bias.size());
  op.operands[bias_at] = add_constant(graph, fmt::format("{}.bias", op.name), floats(bias, {filters}));
  std::erase_if(op.attributes, [](const NamedAttribute& attribute) { return attribute.name == "bias" || attribute.name == "weight"; });
}

/// mul and add with constants in place of the batch norm.
void write_out(Graph& graph, const Op& norm, const ChannelAffine& affine, std::vector<Op>& ops) {
  const ValueId x = norm.operands.front();
  const ValueId y = norm.results.front();
  std::vector<std::int64_t> extents(static_cast<std::size_t>(std::max(1, graph.value(x).type.rank() - 1)), 1);
  extents[0] = static_cast<std::int64_t>(affine.scale.size());
  const ValueId scale = add_constant(graph, fmt::format("{}.scale", norm.name), floats(affine.scale, extents));
  const ValueId shift = add_constant(graph, fmt::format("{}.shift", norm.name), floats(affine.shift, extents));
  Value scaled = graph.value(y);
  scaled.name = unused_name(graph, fmt::format("{}.scaled", norm.name));
  const ValueId middle = add_value(graph, std::move(scaled));
  ops.push_back(
      {.name = norm.name, .kind = "mul", .operands = {x, scale}, .results = {middle}, .attributes = {}, .location = norm.location});
  ops.push_back(
      {.name = norm.name, .kind = "add", .operands = {middle, shift}, .results = {y}, .attributes = {}, .location = norm.location});
}

}  // namespace

void fold_batch_norm(Graph& graph) {
  const std::vector<std::vector<OpId>> consumers = consumers_of(graph);
  const std::vector<Op> old = graph.ops;
  std::vector<Op> ops;
  std::vector<int> place_of(old.size(), -1);  // where an old op stands in `ops`
  for (std::size_t i = 0; i < old.size(); ++i) {
    const Op& op = old[i];
    const Layer* layer = layers::find_layer(op.kind);
    if (!is_known_affine(graph, op, *layer)) {
      place_of[i] = static_cast<int>(ops.size());
      ops.push_back(op);
      continue;
    }
    const ChannelAffine affine = layer->channel_affine(Call(*layer, graph, op));
    const ValueId x = op.operands.front();
    const OpId producer = graph.value(x).producer;
    const int at = producer == no_op || graph.value(x).origin != Value::Origin::op ? -1 : place_of[static_cast<std::size_t>(producer)];
    const bool alone = consumers[static_cast<std::size_t>(x)].size() == 1 && !is_result(graph, x);
    if (at >= 0 && alone) {
      Op& anchor = ops[static_cast<std::size_t>(at)];
      const Layer* anchor_layer = layers::find_layer(anchor.kind);
      if (anchor_layer != nullptr && can_absorb(graph, anchor, *anchor_layer)) {
        absorb(graph, anchor, *anchor_layer, affine);
        anchor.results.front() = op.results.front();
        place_of[i] = at;  // a second batch norm may fold into the same layer
        continue;
      }
    }
    write_out(graph, op, affine, ops);
  }
  replace_ops(graph, std::move(ops));
}

}  // namespace calotype::passes
