/// \file
/// Window arithmetic: padding forms, result extents, and the message when a kernel does not fit.
#include "layers/window.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/argument.h"

namespace calotype::layers {
namespace {

/// `span` without overflow for arguments that were not looked at yet.
std::int64_t checked_span(std::int64_t kernel, std::int64_t dilation) { return checked_add(checked_multiply(kernel - 1, dilation), 1); }

[[noreturn]] void fail_to_fit(const Call& call, const Window& window, const Extents& input) {
  const Value& x = call.operand(0);
  std::string padded;
  Extents cells = input;
  for (std::size_t d = 0; d < window.rank(); ++d) cells[d] = input[d] + window.begin[d] + window.end[d];
  if (cells != input) padded = fmt::format(" (padded to {})", times(cells));
  Extents spans;
  for (std::size_t d = 0; d < window.rank(); ++d) spans.push_back(window.span(d));
  const std::string dilated = spans == window.kernel ? "" : fmt::format(" (dilated to {})", times(spans));
  std::vector<std::string> notes = shape_notes(call);
  const bool is_padded = find(call.op().attributes, "padding") != nullptr;
  if (!is_padded) notes.push_back(fmt::format("padding=same here would keep it at {}", times(input)));
  call.fail("kernel", fmt::format("kernel {}{} does not fit {}'s {} output{}", times(window.kernel), dilated, x.name, times(input), padded),
            notes);
}

void pad_same(Window& window, const Extents& input, bool odd_cell_at_begin) {
  for (std::size_t d = 0; d < window.rank(); ++d) {
    const std::int64_t total = same_padding(input[d], window.span(d), window.stride[d]);
    const std::int64_t less = total / 2;
    window.begin[d] = odd_cell_at_begin ? total - less : less;
    window.end[d] = total - window.begin[d];
  }
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
  const auto dimensions = static_cast<std::size_t>(rank);

  Window window;
  window.kernel = kernel;
  window.stride = call.has_argument("stride") || default_stride.empty() ? call.extents("stride", rank) : default_stride;
  window.dilation = call.extents("dilation", rank);
  window.begin.assign(dimensions, 0);
  window.end.assign(dimensions, 0);
  window.overhang.assign(dimensions, 0);
  for (std::size_t d = 0; d < dimensions; ++d)
    checked_add(checked_span(kernel[d], window.dilation[d]), checked_add(input[d], window.stride[d]));

  const Padding padding = call.padding("padding", rank);
  if (padding.mode == Padding::Mode::explicit_cells) {
    window.begin = padding.begin;
    window.end = padding.end;
  } else if (padding.mode != Padding::Mode::valid) {
    pad_same(window, input, padding.mode == Padding::Mode::same_lower);
  }

  const bool ceil = argument_is_declared(call.layer(), "ceil") && call.boolean("ceil");
  for (std::size_t d = 0; d < dimensions; ++d) {
    const std::int64_t padded = checked_add(input[d], checked_add(window.begin[d], window.end[d]));
    const std::int64_t room = padded - window.span(d);
    if (room < 0) fail_to_fit(call, window, input);
    std::int64_t output = room / window.stride[d] + 1;
    // ONNX and PyTorch alike: one more window for the rest, unless it would begin beyond the operand and its padding at the beginning.
    if (ceil && room % window.stride[d] != 0 && output * window.stride[d] < input[d] + window.begin[d]) ++output;
    window.output.push_back(output);
    window.overhang[d] = std::max<std::int64_t>(0, (output - 1) * window.stride[d] + window.span(d) - padded);
  }
  return window;
}

std::vector<std::string> shape_notes(const Call& call) {
  const Graph& graph = call.graph();
  const Value& x = call.operand(0);
  const std::string shape = to_text(x.type.extents);
  if (x.origin != Value::Origin::op) return {fmt::format("{} is {}", x.name, shape)};

  // The nearest layer on the way to the operand that slides a window without padding has probably taken the cells that are missed.
  const Value* value = &x;
  for (int steps = 0; steps < 16 && value->origin == Value::Origin::op; ++steps) {
    const Op& op = graph.op(value->producer);
    const Attribute* padding = find(op.attributes, "padding");
    const auto* word = padding == nullptr ? nullptr : std::get_if<Word>(&padding->value);
    const Layer* layer = find_layer(op.kind);
    const bool slides = layer != nullptr && argument_is_declared(*layer, "padding") && argument_is_declared(*layer, "kernel");
    if (slides && (padding == nullptr || (word != nullptr && word->text == "valid"))) {
      const std::string line = op.location ? fmt::format(" (line {})", op.location.line) : std::string();
      return {fmt::format("{} is {} because {}{} has padding=valid", x.name, shape, op.name, line)};
    }
    if (op.operands.empty() || op.operands.front() == no_value) break;
    value = &graph.value(op.operands.front());
  }
  const Op& op = graph.op(x.producer);
  const std::string line = op.location ? fmt::format(" (line {})", op.location.line) : std::string();
  return {fmt::format("{} is {}, the result of {}{}", x.name, shape, op.kind, line)};
}

}  // namespace calotype::layers
