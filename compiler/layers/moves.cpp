/// \file
/// Layers that only move numbers: transpose, slice, concat, split. Any element type.
///
///   transpose   result dimension i is the operand's dimension order[i]; without `order` the dimensions are reversed
///   slice       from `begin` up to and without `end` in steps of `step`, along `axes` (by default the first ones); negative numbers count from the
///               end, what lies outside is cut, as in Python
///   concat      the operands one after the other along `axis`
///   split       the parts of the operand along `axis`: `parts` of them of equal extent (the last may be shorter), or their extents as a list
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ir/checked.h"
#include "layers/definition.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

std::vector<std::size_t> transpose_order(const Call& call) {
  const int rank = call.type(0).rank();
  std::vector<std::size_t> order(static_cast<std::size_t>(rank));
  if (!call.has_argument("order")) {
    std::iota(order.rbegin(), order.rend(), 0);
    return order;
  }
  const std::vector<int> axes = call.axes("order", rank);
  if (static_cast<int>(axes.size()) != rank) {
    call.fail("order", fmt::format("'order' must name all {} dimensions of {}", rank, to_text(call.type(0).extents)));
  }
  std::transform(axes.begin(), axes.end(), order.begin(), [](int axis) { return static_cast<std::size_t>(axis); });
  return order;
}

std::vector<TensorType> infer_transpose(const Call& call) {
  TensorType result = {call.type(0).element, {}};
  for (const std::size_t dimension : transpose_order(call)) result.extents.push_back(call.type(0).extents[dimension]);
  return {result};
}

Halide::Expr define_transpose(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const std::vector<std::size_t> order = transpose_order(call);
  Index read(index.size());
  for (std::size_t i = 0; i < order.size(); ++i) read[order[i]] = index[i];
  return operands[0](read);
}

/// What one dimension of a slice reads: begin, begin + step, ... `count` times.
struct Range {
  std::int64_t begin = 0, step = 1, count = 0;
};

/// Python's rules for x[begin:end:step] with an extent.
Range clipped(std::int64_t begin, std::int64_t end, std::int64_t step, std::int64_t extent) {
  const std::int64_t least = step > 0 ? 0 : -1, most = step > 0 ? extent : extent - 1;
  const auto place = [&](std::int64_t at) { return std::clamp(at < 0 ? std::max(at, -extent - 1) + extent : at, least, most); };
  begin = place(begin);
  end = place(end);
  const std::int64_t distance = step > 0 ? end - begin : begin - end;
  // Not step's absolute value: the least integer has none.
  const std::int64_t strides = distance <= 0 ? 0 : 1 + (step > 0 ? (distance - 1) / step : -((distance - 1) / step));
  return {begin, step, strides};
}

std::vector<Range> slice_ranges(const Call& call) {
  const std::vector<std::int64_t>& extents = call.type(0).extents;
  const std::vector<std::int64_t> begin = call.integers("begin"), end = call.integers("end");
  std::vector<std::int64_t> step = call.integers("step");
  if (step.size() == 1) step.resize(begin.size(), step[0]);
  std::vector<int> axes(begin.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (call.has_argument("axes")) axes = call.axes("axes", call.type(0).rank());
  if (begin.size() != end.size() || begin.size() != step.size() || begin.size() != axes.size()) {
    call.fail("begin", fmt::format("'begin', 'end', 'step' and 'axes' must have one number for each axis, not {}, {}, {} and {}",
                                   begin.size(), end.size(), step.size(), axes.size()));
  }
  if (axes.size() > extents.size())
    call.fail("begin", fmt::format("{} numbers, but {} has {} dimensions", axes.size(), to_text(extents), extents.size()));

  std::vector<Range> ranges;
  for (const std::int64_t extent : extents) ranges.push_back({0, 1, extent});
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (step[i] == 0) call.fail("step", "a step of 0 never arrives");
    const auto axis = static_cast<std::size_t>(axes[i]);
    ranges[axis] = clipped(begin[i], end[i], step[i], extents[axis]);
  }
  return ranges;
}

std::vector<TensorType> infer_slice(const Call& call) {
  TensorType result = {call.type(0).element, {}};
  for (const Range& range : slice_ranges(call)) result.extents.push_back(range.count);
  return {result};
}

Halide::Expr define_slice(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const std::vector<Range> ranges = slice_ranges(call);
  Index read;
  for (std::size_t i = 0; i < index.size(); ++i) {
    // With at most one element the step does not matter, and may be beyond 31 bits.
    const Halide::Expr offset = ranges[i].count > 1 ? index[i] * narrow(ranges[i].step) : index[i];
    read.push_back(ranges[i].begin == 0 ? offset : offset + narrow(ranges[i].begin));
  }
  return operands[0](read);
}

std::vector<TensorType> infer_concat(const Call& call) {
  TensorType result = call.type(0);
  const auto axis = static_cast<std::size_t>(call.axis("axis", result.rank()));
  for (int i = 1; i < call.operand_count(); ++i) {
    TensorType other = call.type(i);
    if (other.rank() == result.rank()) {
      const std::int64_t sum = checked_add(result.extents[axis], other.extents[axis]);
      other.extents[axis] = result.extents[axis];
      if (other == result) {
        result.extents[axis] = sum;
        continue;
      }
    }
    call.fail(fmt::format("concat cannot join {} {} to {} {} along axis {}", call.operand(i).name, to_text(call.type(i)),
                          call.operand(0).name, to_text(call.type(0)), axis),
              std::vector<std::string>{"types, ranks and all other extents must be equal"});
  }
  return {result};
}

/// Each operand is read inside its own extent everywhere, and selected where it belongs.
Halide::Expr define_concat(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank()));
  std::int64_t end = call.result().extents[axis];
  Halide::Expr element;
  for (auto operand = operands.rbegin(); operand != operands.rend(); ++operand) {
    const std::int64_t extent = operand->type.extents[axis], begin = end - extent;
    end = begin;
    if (extent == 0) continue;
    Index read = index;
    if (extent != call.result().extents[axis])
      read[axis] = clamp(begin == 0 ? index[axis] : index[axis] - narrow(begin), 0, narrow(extent - 1));
    const Halide::Expr mine = (*operand)(read);
    element = element.defined() ? Halide::select(index[axis] < narrow(begin + extent), mine, element) : mine;
  }
  return element.defined() ? element : Halide::Internal::make_zero(halide_type(call.result().element));
}

/// Extents of the results.
Extents split_parts(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank()));
  const std::int64_t extent = call.type(0).extents[axis];
  const Extents parts = call.has_argument("parts") ? call.integers("parts") : Extents{call.result_count()};
  if (parts.size() > 1) {
    std::int64_t sum = 0;
    for (const std::int64_t part : parts) sum = checked_add(sum, part);
    const bool has_negative = std::any_of(parts.begin(), parts.end(), [](std::int64_t part) { return part < 0; });
    if (has_negative || sum != extent) call.fail("parts", fmt::format("parts {} do not add up to the extent {}", to_text(parts), extent));
    return parts;
  }
  const std::int64_t count = parts.front();
  if (count < 1) call.fail("parts", fmt::format("cannot split into {} parts", count));
  if (count > extent) call.fail("parts", fmt::format("cannot split an extent of {} into {} parts", extent, count));
  const std::int64_t most = (extent - 1) / count + 1;
  Extents equal;
  for (std::int64_t begin = 0; std::ssize(equal) < count; begin += most) equal.push_back(std::clamp<std::int64_t>(extent - begin, 0, most));
  return equal;
}

std::vector<TensorType> infer_split(const Call& call) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank()));
  std::vector<TensorType> results;
  for (const std::int64_t part : split_parts(call)) {
    results.push_back(call.type(0));
    results.back().extents[axis] = part;
  }
  if (std::ssize(results) != call.result_count()) {
    call.fail("parts", fmt::format("split into {} parts, but the statement names {} results", results.size(), call.result_count()));
  }
  return results;
}

Halide::Expr define_split(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int result) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank()));
  const Extents parts = split_parts(call);
  const std::int64_t begin = std::accumulate(parts.begin(), parts.begin() + result, std::int64_t{0});
  Index read = index;
  if (begin != 0) read[axis] = index[axis] + narrow(begin);
  return operands[0](read);
}

constexpr OnnxForm concat_onnx[] = {{.op_type = "Concat", .attributes = {onnx::attribute("axis", "axis")}}};
constexpr OnnxForm transpose_onnx[] = {{.op_type = "Transpose", .attributes = {onnx::attribute("perm", "order")}}};
std::vector<std::int64_t> integers_of(const Op& op, std::string_view name) {
  std::vector<std::int64_t> numbers;
  const Attribute* attribute = find(op.attributes, name);
  if (attribute == nullptr) return numbers;
  if (const auto* one = std::get_if<std::int64_t>(&attribute->value)) return {*one};
  for (const Attribute& item : std::get<Attribute::List>(attribute->value)) numbers.push_back(std::get<std::int64_t>(item.value));
  return numbers;
}

/// Backwards from before the first element begins at the first in ONNX; Python, and we, have nothing then.
Op from_inside(Op op, const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> begin = integers_of(op, "begin"), axes = integers_of(op, "axes");
  const std::vector<std::int64_t> step = integers_of(op, "step");
  for (std::size_t i = 0; i < begin.size() && i < step.size(); ++i) {
    std::int64_t axis = i < axes.size() ? axes[i] : static_cast<std::int64_t>(i);
    if (axis < 0) axis += std::ssize(extents);
    if (axis < 0 || axis >= std::ssize(extents) || step[i] >= 0) continue;
    const std::int64_t extent = extents[static_cast<std::size_t>(axis)];
    if (extent > 0 && begin[i] < -extent) begin[i] = 0;
  }
  for (NamedAttribute& attribute : op.attributes) {
    if (attribute.name == "begin") attribute = named("begin", begin);
  }
  return op;
}

/// Where its numbers arrive at run time but the result's shape is declared, places are computed, checked, and read.
void adapt_slice(const OnnxNode&, OnnxBuilder& builder) {
  std::size_t late = 0;
  for (std::size_t i = 1; i < builder.input_count() && late == 0; ++i) late = builder.has(i) && !builder.is_known(builder.input(i)) ? i : 0;
  const std::vector<std::int64_t>* declared = builder.declared(0);
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  if (late == 0 || declared == nullptr || declared->size() != extents.size() || extents.empty()) {
    if (late != 0) builder.require_known(late);
    return builder.bind(0, builder.emit(from_inside(builder.statement(), extents)));
  }
  const std::vector<std::int64_t> shape = *declared;
  std::vector<ValueId> operands = {builder.input(1), builder.input(2), builder.input_or_none(3), builder.input_or_none(4)};
  while (operands.back() == no_value) operands.pop_back();
  const ValueId places = builder.emit("slice_places", operands, {named("extents", extents)});
  require_row(builder, places, 2, shape, "a slice");
  builder.bind(0, builder.emit("slice_at", {x, places}, {named("shape", shape)}));
}

constexpr OnnxForm slice_onnx[] = {
    {.op_type = "Slice",
     .until = 9,
     .attributes = {onnx::attribute("starts", "begin"), onnx::attribute("ends", "end"), onnx::attribute("axes", "axes")}},
    {.op_type = "Slice",
     .since = 10,
     .inputs = {onnx::operand("x"), onnx::argument("begin"), onnx::argument("end"), onnx::argument("axes"), onnx::argument("step")},
     .adapt = adapt_slice,
     .takes_late = true},
};

/// The extents of the parts, or equal parts for as many outputs as the node has.
void adapt_split(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> parts = builder.has(1) ? builder.integers(1) : node.integers("split");
  const auto results = static_cast<std::int64_t>(node.outputs.size());
  if (results == 1) return builder.bind(0, x);
  Op op;
  op.kind = "split";
  op.operands = {x};
  op.attributes = {named("axis", node.integer("axis", 0))};
  op.attributes.push_back(parts.empty() ? named("parts", results) : named("parts", parts));
  const std::vector<ValueId> values = builder.emit_all(std::move(op), static_cast<int>(results));
  for (std::size_t i = 0; i < values.size(); ++i) builder.bind(i, values[i]);
}

std::vector<Supposition> suppose_parts(const OnnxNode& node, OnnxBuilder& builder) {
  std::vector<std::int64_t> parts;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const std::optional<std::int64_t> part = declared_extent(builder, i, node.integer("axis", 0));
    if (!part) return {};
    parts.push_back(*part);
  }
  if (entries_of(builder, 1) != std::ssize(parts)) return {};
  return {suppose_equal(builder, 1, parts)};
}

constexpr OnnxForm split_onnx[] = {{
    .op_type = "Split",
    .attributes = {onnx::adapted_attribute("axis"), onnx::adapted_attribute("split"), onnx::ignored("num_outputs")},
    .adapt = adapt_split,
    .suppose = suppose_parts,
}};

}  // namespace

extern constinit const Layer concat = {
    .name = "concat",
    .operands = {{"a", Operand::Kind::variadic}},
    .arguments = {optional("axis", ArgumentKind::integer, "1")},
    .traits = {.joins_operands = true},
    .infer = infer_concat,
    .onnx = concat_onnx,
};
extern constinit const Layer slice = {
    .name = "slice",
    .operands = {{"x"}},
    .arguments = {required("begin", ArgumentKind::integers), required("end", ArgumentKind::integers),
                  optional("step", ArgumentKind::integers, "1"), optional("axes", ArgumentKind::integers)},
    .infer = infer_slice,
    .onnx = slice_onnx,
};
extern constinit const Layer split = {
    .name = "split",
    .operands = {{"x"}},
    .arguments = {optional("axis", ArgumentKind::integer, "1"), optional("parts", ArgumentKind::integers)},
    .results = 0,
    .infer = infer_split,
    .onnx = split_onnx,
};
extern constinit const Layer transpose = {
    .name = "transpose",
    .operands = {{"x"}},
    .arguments = {optional("order", ArgumentKind::integers)},
    .infer = infer_transpose,
    .onnx = transpose_onnx,
};

extern constinit const Definition concat_definition = {"concat", define_concat};
extern constinit const Definition slice_definition = {"slice", define_slice};
extern constinit const Definition split_definition = {"split", define_split};
extern constinit const Definition transpose_definition = {"transpose", define_transpose};

}  // namespace calotype::layers
