/// \file
/// One supposition is compiled as it is. Several that give the declared shapes are all computed, and the run chooses the one that holds.
#include "frontend/onnx/suppose.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "layers/layer.h"
#include "layers/suppositions.h"

namespace calotype::frontend::onnx {
namespace {

using layers::OnnxBuilder;
using layers::OnnxNode;
using layers::Supposition;

/// More are not computed side by side.
constexpr std::size_t variant_limit = 16;

/// A supposition and the outputs that the node has under it.
struct Variant {
  Supposition supposition;
  std::vector<ValueId> outputs;
};

bool has_declared_shapes(const OnnxBuilder& builder, const std::vector<ValueId>& outputs) {
  bool any = false;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<std::int64_t>* declared = builder.declared(i);
    if (declared == nullptr || outputs[i] == no_value) continue;
    if (builder.extents(outputs[i]) != *declared) return false;
    any = true;
  }
  return any;
}

/// Does the condition fail by numbers that are known?
bool is_false(const OnnxBuilder& builder, ValueId condition) {
  const std::optional<TensorData> data = builder.known(condition);
  for (std::int64_t i = 0; data && i < data->type.elements(); ++i) {
    if (load<std::uint8_t>(*data, i) == 0) return true;
  }
  return false;
}

std::vector<Variant> variants_of(const OnnxNode& node, const std::vector<ValueId>& inputs, OnnxBuilder& builder, const Build& build) {
  std::vector<Variant> variants;
  for (Supposition& supposition : layers::find_onnx_form(node.op_type, node.opset).form->suppose(node, builder)) {
    const auto& holds = supposition.holds;
    if (std::any_of(holds.begin(), holds.end(), [&](ValueId condition) { return is_false(builder, condition); })) continue;
    std::vector<ValueId> supposed = inputs;
    for (const auto& [i, data] : supposition.inputs) supposed[i] = builder.constant(data);
    try {
      std::vector<ValueId> outputs = build(node, std::move(supposed));
      if (has_declared_shapes(builder, outputs)) variants.push_back({std::move(supposition), std::move(outputs)});
    } catch (const Failure&) {
      // Not what the input can hold.
    }
  }
  return variants;
}

/// "shape: [2, 3]"; several variants are told by "or".
std::string wanted(const OnnxNode& node, const std::vector<Variant>& variants) {
  std::string text;
  for (const auto& [i, first] : variants.front().supposition.inputs) {
    std::vector<std::string> choices;
    for (const Variant& variant : variants) {
      const TensorData& data = variant.supposition.inputs.at(i);
      std::vector<double> numbers;
      for (std::int64_t n = 0; n < data.type.elements(); ++n) numbers.push_back(load_as_double(data, n));
      choices.push_back(data.type.extents.empty() ? fmt::format("{}", numbers.front()) : fmt::format("[{}]", fmt::join(numbers, ", ")));
    }
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", node.inputs[i], fmt::join(choices, " or "));
  }
  return text;
}

/// All conditions of a supposition as one number.
ValueId conjunction(OnnxBuilder& builder, const std::vector<ValueId>& conditions) {
  ValueId all = no_value;
  for (ValueId condition : conditions) {
    if (!builder.extents(condition).empty()) condition = builder.emit("reduce_min", {condition}, {layers::named("keep_dims", false)});
    all = all == no_value ? condition : builder.emit("logical_and", {all, condition});
  }
  return all;
}

/// The value itself, or where it is only another shape of one, that one.
ValueId origin_of(const OnnxBuilder& builder, ValueId value) {
  const Value& at = builder.graph().value(value);
  if (at.producer == no_op) return value;
  const Op& op = builder.graph().op(at.producer);
  return layers::find_layer(op.kind)->traits.is_identity ? op.operands.front() : value;
}

bool are_same(const OnnxBuilder& builder, const std::vector<Variant>& variants, std::size_t output) {
  return std::all_of(variants.begin(), variants.end(), [&](const Variant& variant) {
    return origin_of(builder, variant.outputs[output]) == origin_of(builder, variants.front().outputs[output]);
  });
}

}  // namespace

std::vector<ValueId> suppose(const OnnxNode& node, const std::vector<ValueId>& inputs, OnnxBuilder& builder, const Build& build) {
  if (layers::find_onnx_form(node.op_type, node.opset).form->suppose == nullptr) return {};
  const std::vector<Variant> variants = variants_of(node, inputs, builder, build);
  if (variants.empty() || variants.size() > variant_limit) return {};
  const std::string says = wanted(node, variants);
  if (variants.size() == 1) {
    for (const ValueId condition : variants.front().supposition.holds) {
      if (!builder.is_known(condition)) layers::require(builder, condition, says);
    }
    return variants.front().outputs;
  }

  std::vector<ValueId> holds;
  for (const Variant& variant : variants) holds.push_back(conjunction(builder, variant.supposition.holds));
  ValueId any = holds.front();
  for (std::size_t i = 1; i < holds.size(); ++i) any = builder.emit("logical_or", {any, holds[i]});
  layers::require(builder, any, says);
  std::vector<ValueId> outputs = variants.back().outputs;
  for (std::size_t output = 0; output < outputs.size(); ++output) {
    if (outputs[output] == no_value || are_same(builder, variants, output)) continue;
    for (std::size_t i = variants.size() - 1; i-- > 0;) {
      outputs[output] = builder.emit("where", {holds[i], variants[i].outputs[output], outputs[output]});
    }
  }
  return outputs;
}

}  // namespace calotype::frontend::onnx
