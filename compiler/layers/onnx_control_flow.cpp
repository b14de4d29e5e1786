/// \file
/// If, Loop and Scan. A compiled network has no branches: the branch of an If that is taken stands in its place, a Loop is written out turn by turn.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "layers/layer.h"
#include "layers/onnx_subgraph.h"

namespace calotype::layers {
namespace {

/// More turns are not written out.
constexpr std::int64_t turn_limit = 1024;

/// The one element of a truth value. Throws where it is not known.
bool truth(const OnnxBuilder& builder, ValueId value, std::string_view what) {
  const std::optional<TensorData> data = builder.known(value);
  if (!data) builder.unsupported(fmt::format("{} must be known at compile time, but {}", what, builder.explain(value)));
  if (data->type.element != ElementType::boolean || data->type.elements() != 1)
    builder.fail(fmt::format("{} must be one bool, not {}", what, to_text(data->type)));
  return load<std::uint8_t>(*data, 0) != 0;
}

std::int64_t number_of_turns(const OnnxBuilder& builder) {
  const std::vector<std::int64_t> numbers = builder.integers(0);
  if (numbers.size() != 1) builder.fail(fmt::format("the number of turns must be one number, not {}", numbers.size()));
  return numbers.front();
}

/// The parts that a body's output has in all turns, side by side along an axis of their own.
ValueId stacked(OnnxBuilder& builder, const std::vector<ValueId>& parts, std::int64_t axis, std::string_view what) {
  if (parts.empty()) builder.unsupported(fmt::format("{} of no turns is not supported: it has no shape", what));
  std::vector<ValueId> slices;
  for (const ValueId part : parts) slices.push_back(builder.emit("unsqueeze", {part}, {named("axes", std::vector<std::int64_t>{axis})}));
  return slices.size() == 1 ? slices[0] : builder.emit("concat", slices, {named("axis", axis)});
}

std::vector<ValueId> turn(OnnxBuilder& builder, const OnnxSubgraph& body, const std::vector<ValueId>& inputs, std::int64_t number) {
  std::vector<ValueId> outputs = builder.inline_body(body, inputs, fmt::format("{}", number));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == no_value) builder.fail(fmt::format("no node of the body makes its output {}", body.outputs[i]));
  }
  return outputs;
}

/// The parts of one output in all turns.
using Parts = std::vector<std::vector<ValueId>>;

/// Adds the outputs from `first` on to the parts of each.
void collect(Parts& parts, const std::vector<ValueId>& outputs, std::size_t first) {
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i].push_back(outputs[first + i]);
}

}  // namespace

const OnnxSubgraph& subgraph_of(const OnnxNode& node, std::string_view attribute) {
  const OnnxAttribute* found = node.find(attribute);
  const auto* body = found == nullptr ? nullptr : std::get_if<std::shared_ptr<const OnnxSubgraph>>(&found->value);
  if (body == nullptr) throw Failure(Fault::input, fmt::format("attribute {} must be a graph", attribute));
  return **body;
}

void adapt_if(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId condition = builder.input(0);
  const bool taken = truth(builder, condition, fmt::format("the condition {}", node.inputs[0]));
  const OnnxSubgraph& body = subgraph_of(node, taken ? "then_branch" : "else_branch");
  if (body.outputs.size() != node.outputs.size())
    builder.fail(fmt::format("its branch has {} outputs, the node {}", body.outputs.size(), node.outputs.size()));
  const std::vector<ValueId> outputs = turn(builder, body, {}, taken ? 1 : 0);
  for (std::size_t i = 0; i < outputs.size(); ++i) builder.bind(i, outputs[i]);
}

void adapt_loop(const OnnxNode& node, OnnxBuilder& builder) {
  const OnnxSubgraph& body = subgraph_of(node, "body");
  const std::size_t carried = builder.input_count() < 2 ? 0 : builder.input_count() - 2;
  if (body.inputs.size() != carried + 2 || body.outputs.size() < carried + 1 || node.outputs.size() > body.outputs.size() - 1)
    builder.fail("its body has not the inputs and outputs of the node");
  const std::int64_t most = builder.has(0) ? number_of_turns(builder) : std::numeric_limits<std::int64_t>::max();
  bool goes_on = !builder.has(1) || truth(builder, builder.input(1), fmt::format("the condition {}", node.inputs[1]));

  ValueId condition = builder.constant(own({ElementType::boolean, {}}, std::vector<std::uint8_t>{1}));
  std::vector<ValueId> state;
  for (std::size_t i = 0; i < carried; ++i) state.push_back(builder.input(i + 2));
  Parts parts(body.outputs.size() - 1 - carried);
  for (std::int64_t i = 0; i < most && goes_on; ++i) {
    if (i == turn_limit) builder.unsupported(fmt::format("it takes more than {} turns; a loop is written out turn by turn", turn_limit));
    std::vector<ValueId> inputs = {builder.constant(own({ElementType::i64, {}}, std::vector<std::int64_t>{i})), condition};
    inputs.insert(inputs.end(), state.begin(), state.end());
    const std::vector<ValueId> outputs = turn(builder, body, inputs, i);
    goes_on = truth(builder, outputs[0], fmt::format("the condition {} of its body", body.outputs[0]));
    state.assign(outputs.begin() + 1, outputs.begin() + 1 + static_cast<std::ptrdiff_t>(carried));
    collect(parts, outputs, carried + 1);
  }
  for (std::size_t i = 0; i < carried; ++i) builder.bind(i, state[i]);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (node.has_output(carried + i))
      builder.bind(carried + i, stacked(builder, parts[i], 0, fmt::format("output {}", node.outputs[carried + i])));
  }
}

void adapt_scan(const OnnxNode& node, OnnxBuilder& builder) {
  const OnnxSubgraph& body = subgraph_of(node, "body");
  const auto scanned = static_cast<std::size_t>(std::max<std::int64_t>(node.integer("num_scan_inputs", 0), 0));
  if (scanned < 1 || scanned > builder.input_count() || body.inputs.size() != builder.input_count())
    builder.fail("its body has not the inputs of the node");
  const std::size_t carried = builder.input_count() - scanned;
  if (body.outputs.size() < carried || node.outputs.size() > body.outputs.size()) builder.fail("its body has not the outputs of the node");
  const auto entry = [&](std::string_view name, std::size_t i) {
    const std::vector<std::int64_t> list = node.integers(name);
    return i < list.size() ? list[i] : 0;
  };
  std::int64_t turns = -1;
  std::vector<std::int64_t> axes;
  for (std::size_t i = 0; i < scanned; ++i) {
    const std::vector<std::int64_t> extents = builder.extents(builder.input(carried + i));
    const std::int64_t given = entry("scan_input_axes", i), axis = given < 0 ? given + std::ssize(extents) : given;
    if (axis < 0 || axis >= std::ssize(extents))
      builder.fail(fmt::format("scan_input_axes has {}, which is no axis of {}", given, node.inputs[carried + i]));
    const std::int64_t length = extents[static_cast<std::size_t>(axis)];
    if (turns >= 0 && length != turns) builder.fail(fmt::format("its inputs have {} and {} parts", turns, length));
    turns = length;
    axes.push_back(axis);
  }
  if (turns > turn_limit) builder.unsupported(fmt::format("it takes more than {} turns; a scan is written out turn by turn", turn_limit));

  std::vector<ValueId> state;
  for (std::size_t i = 0; i < carried; ++i) state.push_back(builder.input(i));
  Parts parts(body.outputs.size() - carried);
  for (std::int64_t i = 0; i < turns; ++i) {
    std::vector<ValueId> inputs = state;
    for (std::size_t k = 0; k < scanned; ++k) {
      const std::int64_t at = entry("scan_input_directions", k) == 0 ? i : turns - 1 - i;
      const ValueId place = builder.constant(own({ElementType::i64, {}}, std::vector<std::int64_t>{at}));
      inputs.push_back(builder.emit("gather", {builder.input(carried + k), place}, {named("axis", axes[k])}));
    }
    const std::vector<ValueId> outputs = turn(builder, body, inputs, i);
    state.assign(outputs.begin(), outputs.begin() + static_cast<std::ptrdiff_t>(carried));
    collect(parts, outputs, carried);
  }
  for (std::size_t i = 0; i < carried; ++i) builder.bind(i, state[i]);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!node.has_output(carried + i)) continue;
    if (entry("scan_output_directions", i) != 0) std::reverse(parts[i].begin(), parts[i].end());
    builder.bind(carried + i,
                 stacked(builder, parts[i], entry("scan_output_axes", i), fmt::format("output {}", node.outputs[carried + i])));
  }
}

}  // namespace calotype::layers
