/// \file
/// pad: cells added around the operand, filled with a value, or with what a mirror at the edge (reflect), the edge itself (edge) or the other side
/// (wrap) shows. `amount` is a number (every spatial dimension, both sides), one number for each spatial dimension, or [begin..., end...] for the
/// spatial dimensions or for all. A negative amount cuts cells off. The value may also be an operand, `fill`, of one number.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "ir/checked.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"

namespace calotype::layers {
namespace {

/// For every dimension, batch and channels included.
struct Amount {
  Extents begin, end;
};

Amount amount_of(const Call& call) {
  const std::size_t rank = call.type(0).extents.size(), spatial = rank > 2 ? rank - 2 : 0;
  Extents written = call.integers("amount");
  if (written.size() == 1 && spatial > 0) written.assign(2 * spatial, written[0]);
  if (written.size() == spatial && spatial > 0)
    written.insert(written.end(), written.begin(), written.begin() + static_cast<std::ptrdiff_t>(spatial));
  const std::size_t covered = written.size() / 2;
  if (written.size() % 2 != 0 || (covered != spatial && covered != rank)) {
    call.fail("amount",
              fmt::format("'amount' has {} numbers; {} has {} spatial dimensions and {} in all, and [begin..., end...] two for each",
                          written.size(), to_text(call.type(0).extents), spatial, rank));
  }
  Amount amount = {Extents(rank, 0), Extents(rank, 0)};
  for (std::size_t i = 0; i < covered; ++i) {
    amount.begin[rank - covered + i] = written[i];
    amount.end[rank - covered + i] = written[covered + i];
  }
  return amount;
}

std::vector<TensorType> infer(const Call& call) {
  const Amount amount = amount_of(call);
  const std::string mode = call.word("mode");
  TensorType result = call.type(0);
  if (call.has(1) && (mode != "constant" || call.type(1).element != result.element || call.type(1).elements() != 1)) {
    call.fail(fmt::format("pad: fill must be one number of {}, with mode=constant", name_of(result.element)));
  }
  for (std::size_t i = 0; i < result.extents.size(); ++i) {
    const std::int64_t extent = result.extents[i], most = std::max(amount.begin[i], amount.end[i]);
    // A mirror and a copy of the other side show each cell once.
    const std::int64_t left = extent + std::min<std::int64_t>(amount.begin[i], 0) + std::min<std::int64_t>(amount.end[i], 0);
    const std::int64_t reach = mode == "reflect" ? extent - 1 : mode == "wrap" ? left : extent > 0 ? most : 0;
    if (mode != "constant" && most > 0 && most > reach) {
      call.fail("amount", fmt::format("mode={} can pad dimension {} of {} by at most {}, not {}", mode, i, to_text(call.type(0).extents),
                                      reach, most));
    }
    result.extents[i] = checked_add(checked_add(extent, amount.begin[i]), amount.end[i]);
    if (result.extents[i] < 0)
      call.fail("amount", fmt::format("'amount' cuts off more than dimension {} of {} has", i, to_text(call.type(0).extents)));
  }
  return {result};
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Amount amount = amount_of(call);
  const std::string mode = call.word("mode");
  const Tensor& x = operands[0];
  const Halide::Expr value = call.has(1) ? operands[1](Index(operands[1].type.extents.size(), Halide::Expr(0)))
                                         : arithmetic::convert(halide_type(x.type.element), Halide::Expr(call.real("value")));
  if (x.type.elements() == 0) return value;

  Index read = index;
  Halide::Expr is_inside = Halide::Internal::const_true();
  for (std::size_t i = 0; i < index.size(); ++i) {
    const int extent = narrow(x.type.extents[i]);
    if (amount.begin[i] != 0) read[i] = index[i] - narrow(amount.begin[i]);
    if (amount.begin[i] <= 0 && amount.end[i] <= 0) continue;
    const Halide::Expr at = read[i];
    if (mode == "constant") is_inside = is_inside && at >= 0 && at < extent;
    if (mode == "reflect") read[i] = Halide::select(at < 0, -at, at >= extent, 2 * (extent - 1) - at, at);
    if (mode == "wrap") {
      // The other side of what is left, where cells are cut off there.
      const int first = narrow(std::max<std::int64_t>(-amount.begin[i], 0)),
                end = extent - narrow(std::max<std::int64_t>(-amount.end[i], 0));
      read[i] = Halide::select(at < first, at + (end - first), at >= end, at - (end - first), at);
    }
    read[i] = clamp(read[i], 0, extent - 1);
  }
  return Halide::Internal::is_const_one(is_inside) ? x(read) : Halide::select(is_inside, x(read), value);
}

/// Amounts that arrive at run time, where the result's shape is declared: places are computed, checked, and read.
bool adapt_late_pad(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  const bool is_late = !builder.is_known(builder.input(1)) || (builder.has(3) && !builder.is_known(builder.input(3)));
  const std::vector<std::int64_t>* declared = builder.declared(0);
  if (!is_late || declared == nullptr || declared->size() != extents.size() || extents.empty()) return false;
  const std::vector<std::int64_t> shape = *declared;
  const NamedAttribute mode = named_word("mode", node.text("mode", "constant"));
  std::vector<ValueId> operands = {builder.input(1)};
  if (builder.has(3)) operands.push_back(builder.input(3));
  const ValueId places = builder.emit("pad_places", operands, {named("extents", extents), mode});
  require_row(builder, places, 1, shape, "a padded tensor");
  operands = {x, places};
  if (builder.has(2) && node.text("mode", "constant") == "constant") operands.push_back(builder.input(2));
  builder.bind(0, builder.emit("pad_at", operands, {named("shape", shape), mode}));
  return true;
}

/// pads are of every dimension, or of `axes`.
void adapt_pad(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::size_t rank = builder.extents(x).size();
  const bool has_inputs = node.opset >= 11;
  if (has_inputs && adapt_late_pad(node, builder)) return;
  std::vector<std::int64_t> pads = has_inputs ? builder.integers(1) : node.integers("pads");
  if (builder.has(3)) {
    const std::vector<std::int64_t> axes = builder.integers(3);
    if (pads.size() != 2 * axes.size()) builder.fail(fmt::format("{} pads do not fit {} axes", pads.size(), axes.size()));
    std::vector<std::int64_t> all(2 * rank, 0);
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const std::int64_t axis = axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(rank) : axes[i];
      if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) builder.fail(fmt::format("axis {} is none of rank {}", axes[i], rank));
      all[static_cast<std::size_t>(axis)] = pads[i];
      all[rank + static_cast<std::size_t>(axis)] = pads[axes.size() + i];
    }
    pads = std::move(all);
  }
  if (pads.size() != 2 * rank) builder.fail(fmt::format("pads must hold {} numbers, not {}", 2 * rank, pads.size()));
  const std::string mode = node.text("mode", "constant");
  double value = node.real("value", 0);
  std::vector<ValueId> operands = {x};
  if (has_inputs && builder.has(2) && mode == "constant") {
    if (builder.type(builder.input(2)).elements() != 1) builder.fail("constant_value must be one number");
    const bool is_late = !builder.is_known(builder.input(2));
    value = is_late ? 0 : builder.reals(2).front();
    // Integers that a double cannot hold stay as they are.
    if (is_late || std::abs(value) > 9e15) operands.push_back(builder.input(2));
  }
  // Without batch and channels where those are not padded.
  const bool is_spatial = rank > 2 && pads[0] == 0 && pads[1] == 0 && pads[rank] == 0 && pads[rank + 1] == 0;
  if (is_spatial) {
    pads.erase(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.begin() + static_cast<std::ptrdiff_t>(rank) + 2);
    pads.erase(pads.begin(), pads.begin() + 2);
  }
  if (rank == 0) return builder.bind(0, x);
  Attributes attributes = {named("amount", pads), named_word("mode", mode)};
  if (mode == "constant" && operands.size() == 1) attributes.push_back(named("value", value));
  builder.bind(0, builder.emit("pad", operands, std::move(attributes)));
}

/// Half of what is too little is added before, half of what is too much cut off; an odd cell is added or cut at the end.
void adapt_center(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t>& extents = builder.extents(x);
  const std::vector<std::int64_t> shape = builder.integers(1);
  std::vector<std::int64_t> axes = node.integers("axes");
  for (std::size_t i = 0; node.find("axes") == nullptr && i < extents.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  if (shape.size() != axes.size()) builder.fail(fmt::format("{} extents do not fit {} axes", shape.size(), axes.size()));
  const std::size_t rank = extents.size();
  std::vector<std::int64_t> amount(2 * rank, 0);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(rank) : axes[i]);
    if (axis >= rank || shape[i] < 0) builder.fail(fmt::format("axis {} of {} cannot become {}", axes[i], to_text(extents), shape[i]));
    const std::int64_t missing = shape[i] - extents[axis];
    amount[axis] = missing / 2;
    amount[rank + axis] = missing - missing / 2;
  }
  if (std::all_of(amount.begin(), amount.end(), [](std::int64_t cells) { return cells == 0; })) return builder.bind(0, x);
  builder.bind(0, builder.emit("pad", {x}, {named("amount", amount)}));
}

/// The declared extents of the axes.
std::vector<Supposition> suppose_center(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> axes = node.integers("axes");
  if (axes.empty()) return suppose_shape<1>(node, builder);
  std::vector<std::int64_t> shape;
  for (const std::int64_t axis : axes) {
    const std::optional<std::int64_t> extent = declared_extent(builder, 0, axis);
    if (!extent) return {};
    shape.push_back(*extent);
  }
  if (entries_of(builder, 1) != std::ssize(shape)) return {};
  return {suppose_equal(builder, 1, shape)};
}

constexpr OnnxForm pad_onnx[] = {
    {.op_type = "Pad",
     .attributes = {onnx::adapted_attribute("mode"), onnx::adapted_attribute("pads"), onnx::adapted_attribute("value")},
     .adapt = adapt_pad,
     .takes_late = true},
    {.op_type = "CenterCropPad", .attributes = {onnx::adapted_attribute("axes")}, .adapt = adapt_center, .suppose = suppose_center},
};

}  // namespace

extern constinit const Layer pad = {
    .name = "pad",
    .operands = {{"x"}, {"fill", Operand::Kind::optional}},
    .arguments = {required("amount", ArgumentKind::integers),
                  optional("mode", ArgumentKind::word, "constant", "constant reflect edge wrap"),
                  optional("value", ArgumentKind::real, "0")},
    .infer = infer,
    .onnx = pad_onnx,
};
extern constinit const Definition pad_definition = {"pad", define};

}  // namespace calotype::layers
