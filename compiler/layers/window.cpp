/// \file
/// Window arithmetic: padding forms, result extents, and the message when a kernel does not fit.
#include "layers/window.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "ir/checked.h"
#include "layers/argument.h"

namespace calotype::layers {
namespace {

[[noreturn]] void fail_to_fit(const Call& call, const Window& window, const Extents& input) {
  const Value& x = call.operand(0);
  Extents padded = input;
  Extents spans;
  for (std::size_t d = 0; d < window.rank(); ++d) {
    padded[d] += window.begin[d] + window.end[d];
    spans.push_back(window.span(d));
  }
  std::string kernel = times(window.kernel);
  if (spans != window.kernel) kernel += fmt::format(" (dilated to {})", times(spans));
  std::string operand = x.origin == Value::Origin::op ? fmt::format("{}'s {} output", x.name, times(input))
                                                      : fmt::format("the {} of {}", times(input), x.name);
  if (padded != input) operand += fmt::format(" (padded to {})", times(padded));
  std::vector<std::string> notes = shape_notes(call);
  if (!call.is_written("padding")) notes.push_back(fmt::format("padding=same in {} would keep its output from shrinking", call.op().name));
  call.fail("kernel", fmt::format("kernel {} does not fit {}", kernel, operand), std::move(notes));
}

/// Kernel, stride and dilation of the call; no padding yet.
Window read_window(const Call& call, const Extents& kernel, const Extents& default_stride) {
  const int rank = static_cast<int>(kernel.size());
  Window window;
  window.kernel = kernel;
  window.stride = call.has_argument("stride") || default_stride.empty() ? call.extents("stride", rank) : default_stride;
  window.dilation = call.extents("dilation", rank);
  window.begin.assign(kernel.size(), 0);
  window.end = window.overhang = window.begin;
  return window;
}

void pad(Window& window, const Extents& input, const Padding& padding) {
  if (padding.mode == Padding::Mode::explicit_cells) {
    window.begin = padding.begin;
    window.end = padding.end;
  } else if (padding.mode != Padding::Mode::valid) {
    for (std::size_t d = 0; d < window.rank(); ++d) {
      const std::int64_t total = same_padding(input[d], window.span(d), window.stride[d]);
      window.begin[d] = padding.mode == Padding::Mode::same ? total / 2 : total - total / 2;
      window.end[d] = total - window.begin[d];
    }
  }
}

bool has_ceil(const Call& call) { return argument_is_declared(call.layer(), "ceil") && call.boolean("ceil"); }

/// How many windows fit one dimension; 0 if none does.
std::int64_t windows_along(const Window& window, std::size_t d, std::int64_t input, bool ceil) {
  const std::int64_t room = input + window.begin[d] + window.end[d] - window.span(d);
  if (room < 0) return 0;
  const std::int64_t fit = room / window.stride[d] + 1;
  // ONNX and PyTorch alike: one more window for the rest, unless it would begin beyond the operand and its padding at the beginning.
  const bool rest = ceil && room % window.stride[d] != 0 && fit * window.stride[d] < input + window.begin[d];
  return rest ? fit + 1 : fit;
}

}  // namespace

int spatial_rank(const Call& call, const TensorType& type, int least) {
  const int rank = type.rank() - 2;
  if (rank < least) {
    std::vector<std::string> notes = shape_notes(call);
    if (type.rank() > 0) notes.push_back("unsqueeze() and reshape() add dimensions");
    call.fail(fmt::format("{} wants batch, channels and {} spatial dimension{}, not {}", call.layer().name,
                          least == 1 ? "at least one" : "the", least == 1 ? "" : "s", to_text(type.extents)),
              notes);
  }
  return rank;
}

Extents spatial_extents(const TensorType& type) { return {type.extents.begin() + 2, type.extents.end()}; }

std::int64_t same_padding(std::int64_t input, std::int64_t span, std::int64_t stride) {
  const std::int64_t output = (input + stride - 1) / stride;
  return std::max<std::int64_t>(0, (output - 1) * stride + span - input);
}

std::string times(const Extents& extents) { return fmt::format("{}", fmt::join(extents, "x")); }

Window window_of(const Call& call, const Extents& kernel, const Extents& default_stride) {
  const TensorType& x = call.type(0);
  const int rank = spatial_rank(call, x);
  const Extents input = spatial_extents(x);
  Window window = read_window(call, kernel, default_stride);
  for (std::size_t d = 0; d < window.rank(); ++d) {
    const std::int64_t span = checked_add(checked_multiply(kernel[d] - 1, window.dilation[d]), 1);
    checked_add(span, checked_add(input[d], window.stride[d]));
  }
  pad(window, input, call.padding("padding", rank));
  const bool ceil = has_ceil(call);
  for (std::size_t d = 0; d < window.rank(); ++d) {
    const std::int64_t padded = checked_add(input[d], checked_add(window.begin[d], window.end[d]));
    if (window.span(d) > padded) fail_to_fit(call, window, input);
    window.output.push_back(windows_along(window, d, input[d], ceil));
    window.overhang[d] = std::max<std::int64_t>(0, (window.output[d] - 1) * window.stride[d] + window.span(d) - padded);
  }
  return window;
}

namespace {

/// The op's layer if it slides a window over its operand, else null.
const Layer* sliding_layer(const Op& op) {
  const Layer* layer = find_layer(op.kind);
  const bool slides = layer != nullptr && argument_is_declared(*layer, "kernel") && argument_is_declared(*layer, "padding") &&
                      !argument_is_declared(*layer, "output_padding");
  return slides ? layer : nullptr;
}

/// Spatial extents after the op, were its operand's extents `input`; with `same`, as if padding=same stood there. Nothing if that is not known.
std::optional<Extents> extents_after(const Graph& graph, const Op& op, const Extents& input, bool same) {
  if (op.operands.empty() || op.operands.front() == no_value || op.results.size() != 1) return std::nullopt;
  const TensorType& before = graph.value(op.operands.front()).type;
  const TensorType& after = graph.value(op.results.front()).type;
  if (before.rank() != after.rank() || after.rank() != static_cast<int>(input.size()) + 2) return std::nullopt;
  const Layer* layer = sliding_layer(op);
  if (layer == nullptr) return spatial_extents(before) == spatial_extents(after) ? std::optional(input) : std::nullopt;
  if (find(op.attributes, "kernel") == nullptr) return std::nullopt;
  const Call call(*layer, graph, op);
  const Extents kernel = call.extents("kernel", static_cast<int>(input.size()));
  Window window = read_window(call, kernel, kernel);
  Padding padding = call.padding("padding", static_cast<int>(input.size()));
  if (same) padding.mode = Padding::Mode::same;
  pad(window, input, padding);
  const bool ceil = has_ceil(call);
  Extents output;
  for (std::size_t d = 0; d < input.size(); ++d) output.push_back(windows_along(window, d, input[d], ceil));
  return output;
}

std::string with_line(const Op& op) { return op.location ? fmt::format("{} (line {})", op.name, op.location.line) : op.name; }

}  // namespace

std::vector<std::string> shape_notes(const Call& call) {
  const Graph& graph = call.graph();
  const Value& x = call.operand(0);
  const std::string shape = to_text(x.type.extents);
  if (x.origin != Value::Origin::op) return {fmt::format("{} is {}", x.name, shape)};

  // The nearest layer on the way to the operand that slides a window without padding has probably taken the cells that are missed.
  std::vector<const Op*> way;
  for (const Value* value = &x; value->origin == Value::Origin::op && way.size() < 16;) {
    const Op& op = graph.op(value->producer);
    way.push_back(&op);
    if (op.operands.empty() || op.operands.front() == no_value) break;
    value = &graph.value(op.operands.front());
    const Layer* layer = sliding_layer(op);
    if (layer == nullptr || value->type.rank() < 3) continue;
    const int rank = value->type.rank() - 2;
    if (find(op.attributes, "kernel") == nullptr) break;
    const Call before(*layer, graph, op);
    const Extents kernel = before.extents("kernel", rank);
    const Window window = read_window(before, kernel, kernel);
    // A pool that halves a picture takes no cells for its window's sake.
    bool overlaps = false;
    for (std::size_t d = 0; d < window.rank(); ++d) overlaps = overlaps || window.span(d) > window.stride[d];
    if (!overlaps || before.padding("padding", rank).mode != Padding::Mode::valid) continue;

    std::string note = fmt::format("{} is {} because {} has padding=valid", x.name, shape, with_line(op));
    std::optional<Extents> extents = spatial_extents(value->type);
    for (auto step = way.rbegin(); step != way.rend() && extents; ++step) extents = extents_after(graph, **step, *extents, *step == &op);
    if (extents && x.type.rank() > 2 && *extents != spatial_extents(x.type))
      note += fmt::format("; padding=same would make it {}", times(*extents));
    return {note};
  }
  const Op& op = graph.op(x.producer);
  const std::string line = op.location ? fmt::format(" (line {})", op.location.line) : std::string();
  return {fmt::format("{} is {}, the result of {}{}", x.name, shape, op.kind, line)};
}

}  // namespace calotype::layers
