/// \file
/// slice and pad where the numbers that place the result arrive at run time, and the result's shape is known all the same.
///
///   slice_places   i64 [3, rank]: where a slice of a tensor of `extents` begins in each dimension, its step, and how many elements it has, by ONNX's
///                  rules from begin and end, with axes and steps if they are given. Numbers of elements are -1 where the operands make no sense.
///   slice_at       the elements at such places; the result has the shape `shape`
///   pad_places     i64 [2, rank]: how many cells stand before a tensor of `extents` in each dimension, and the padded extent, by amounts
///                  [begin..., end...], of all dimensions or of axes; -1 where the operands make no sense for `mode`
///   pad_at         the tensor padded so, with the shape `shape`
#include <fmt/format.h>

#include <algorithm>

#include "layers/arithmetic.h"
#include "layers/indexing.h"
#include "layers/reduction.h"

namespace calotype::layers {
namespace {

using Halide::Expr;
using Halide::select;

Expr wide(std::int64_t number) { return Halide::Internal::make_const(Halide::Int(64), number); }

/// One of the numbers, by an index into them.
Expr pick(const Extents& numbers, const Expr& index) {
  Expr picked = wide(numbers.back());
  for (std::size_t i = numbers.size() - 1; i-- > 0;) picked = select(index == static_cast<int>(i), wide(numbers[i]), picked);
  return picked;
}

/// Entry i of a list of integers.
Expr entry(const Tensor& list, std::int64_t i) { return arithmetic::convert(Halide::Int(64), list({narrow(i)})); }

/// Lists of integers, all with as many entries as the first; the extents are those of a shape.
std::int64_t check_lists(const Call& call, std::int64_t entries_for_each) {
  const Extents extents = call.integers("extents");
  const bool is_shape = !extents.empty() && std::all_of(extents.begin(), extents.end(), [](std::int64_t extent) { return extent >= 0; });
  if (!is_shape) call.fail("extents", fmt::format("{} must be the extents of a tensor of rank 1 or more", to_text(extents)));
  std::int64_t entries = -1;
  for (int i = 0; i < call.operand_count(); ++i) {
    if (!call.has(i)) continue;
    require_indices(call, i);
    if (call.type(i).rank() != 1) call.fail(fmt::format("{} wants lists of integers, not {}", call.layer().name, to_text(call.type(i))));
    const std::int64_t count = call.type(i).extents[0];
    if (entries < 0) entries = count / entries_for_each;
    const bool is_amount = i == 0 && entries_for_each == 2;
    if (count != (is_amount ? 2 * entries : entries) || entries > 64) {
      call.fail(fmt::format("{}: {} numbers do not fit {} axes", call.layer().name, count, entries));
    }
  }
  return entries;
}

/// Which axis entry i is for, from 0; what is no axis stays as it is.
Expr axis_at(const Tensor& axes, std::int64_t i, std::int64_t rank) {
  if (!axes) return wide(i);
  const Expr axis = entry(axes, i);
  return select(axis < 0, axis + wide(rank), axis);
}

/// Is every entry an axis, and none twice?
Expr are_axes(const Tensor& axes, std::int64_t entries, std::int64_t rank) {
  if (!axes) return Halide::Internal::make_bool(entries <= rank);
  Expr holds = Halide::Internal::const_true();
  for (std::int64_t i = 0; i < entries; ++i) {
    const Expr axis = axis_at(axes, i, rank);
    holds = holds && axis >= wide(0) && axis < wide(rank);
    for (std::int64_t j = 0; j < i; ++j) holds = holds && axis != axis_at(axes, j, rank);
  }
  return holds;
}

std::vector<TensorType> infer_slice_places(const Call& call) {
  check_lists(call, 1);
  return {{ElementType::i64, {3, std::ssize(call.integers("extents"))}}};
}

Expr define_slice_places(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Extents extents = call.integers("extents");
  const std::int64_t rank = std::ssize(extents), entries = call.type(0).extents[0];
  const Tensor axes = operands.size() > 2 ? operands[2] : Tensor(), steps = operands.size() > 3 ? operands[3] : Tensor();
  const Expr dimension = Halide::cast<std::int64_t>(index[1]), extent = pick(extents, index[1]);
  Expr first = wide(0), last = extent, step = wide(1), is_sound = are_axes(axes, entries, rank);
  for (std::int64_t i = 0; i < entries; ++i) {
    const Expr is_mine = axis_at(axes, i, rank) == dimension;
    first = select(is_mine, entry(operands[0], i), first);
    last = select(is_mine, entry(operands[1], i), last);
    if (!steps) continue;
    step = select(is_mine, entry(steps, i), step);
    is_sound = is_sound && entry(steps, i) != wide(0);
  }
  const Expr least = select(step > 0, wide(0), wide(-1)), most = select(step > 0, extent, extent - 1);
  const auto place = [&](const Expr& at) { return Halide::clamp(select(at < 0, Halide::max(at, -extent - 1) + extent, at), least, most); };
  // Backwards from before the first element begins at the first, as ONNX has it; Python has nothing then.
  const Expr begin = Halide::max(place(first), wide(0)), end = place(last), distance = select(step > 0, end - begin, begin - end);
  // Not by the step's absolute value: the least integer has none.
  const Expr strides = arithmetic::divide(distance - 1, step);
  const Expr count = select(distance <= 0 || extent == wide(0), wide(0), 1 + select(step > 0, strides, -strides));
  return select(index[0] == 0, begin, index[0] == 1, step, select(is_sound, count, wide(-1)));
}

/// The declared shape, of the operand's rank; the places are [rows, rank].
std::vector<TensorType> infer_placed(const Call& call, std::int64_t rows) {
  const TensorType& x = call.type(0);
  const Extents shape = call.integers("shape");
  const bool is_shape = std::all_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent >= 0; });
  if (!is_shape || std::ssize(shape) != x.rank())
    call.fail("shape", fmt::format("{} is no shape for {}", to_text(shape), to_text(x.extents)));
  if (call.type(1) != TensorType{ElementType::i64, {rows, x.rank()}}) {
    call.fail(fmt::format("{} wants places i64[{}, {}], not {}", call.layer().name, rows, x.rank(), to_text(call.type(1))));
  }
  return {{x.element, shape}};
}

std::vector<TensorType> infer_slice_at(const Call& call) {
  const TensorType result = infer_placed(call, 3).front();
  for (const std::int64_t extent : call.type(0).extents) require_cells(call, extent, result);
  return {result};
}

Expr define_slice_at(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  Index read;
  for (std::size_t d = 0; d < index.size(); ++d) {
    const std::int64_t extent = call.type(0).extents[d];
    const auto at = [&](int row) { return operands[1]({row, static_cast<int>(d)}); };
    const auto small = [&](const Expr& x) { return Halide::cast<int>(Halide::clamp(x, wide(-extent), wide(extent))); };
    read.push_back(Halide::clamp(small(at(0)) + index[d] * small(at(1)), 0, narrow(std::max<std::int64_t>(extent - 1, 0))));
  }
  return operands[0](read);
}

std::vector<TensorType> infer_pad_places(const Call& call) {
  check_lists(call, 2);
  return {{ElementType::i64, {2, std::ssize(call.integers("extents"))}}};
}

Expr define_pad_places(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Extents extents = call.integers("extents");
  const std::int64_t rank = std::ssize(extents), entries = call.type(0).extents[0] / 2;
  const Tensor axes = operands.size() > 1 ? operands[1] : Tensor();
  const std::string mode = call.word("mode");
  const Expr dimension = Halide::cast<std::int64_t>(index[1]), extent = pick(extents, index[1]);
  Expr before = wide(0), after = wide(0);
  for (std::int64_t i = 0; i < entries; ++i) {
    const Expr is_mine = axis_at(axes, i, rank) == dimension;
    before = select(is_mine, entry(operands[0], i), before);
    after = select(is_mine, entry(operands[0], entries + i), after);
  }
  // A mirror and a copy of the other side show each cell once. Amounts beyond 31 bits are none that a result could have.
  const Expr far = wide(std::int64_t{1} << 31U);
  Expr reach = far;
  if (mode == "reflect") reach = Halide::max(extent - 1, wide(0));
  if (mode == "edge") reach = select(extent > 0, far, wide(0));
  if (mode == "wrap")
    reach = extent + Halide::min(Halide::max(before, -extent), wide(0)) + Halide::min(Halide::max(after, -extent), wide(0));
  const Expr is_sound = are_axes(axes, entries, rank) && before <= reach && after <= reach && before >= -extent && after >= -extent &&
                        before + after >= -extent;
  return select(index[0] == 0, Halide::clamp(before, -far, far), select(is_sound, before + extent + after, wide(-1)));
}

std::vector<TensorType> infer_pad_at(const Call& call) {
  const TensorType result = infer_placed(call, 2).front();
  if (call.has(2) && (call.type(2).element != result.element || call.type(2).elements() != 1)) {
    call.fail(fmt::format("pad_at: fill must be one number of {}", name_of(result.element)));
  }
  return {result};
}

Expr define_pad_at(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Tensor& x = operands[0];
  const std::string mode = call.word("mode");
  const Expr value = call.has(2) ? operands[2](Index(operands[2].type.extents.size(), Expr(0)))
                                 : arithmetic::convert(halide_type(x.type.element), Expr(call.real("value")));
  if (x.type.elements() == 0) return value;
  Index read;
  Expr is_inside = Halide::Internal::const_true();
  for (std::size_t d = 0; d < index.size(); ++d) {
    const int extent = narrow(x.type.extents[d]);
    const Expr limit = wide(std::int64_t{1} << 30U);
    const Expr begin = Halide::cast<int>(Halide::clamp(operands[1]({0, static_cast<int>(d)}), -limit, limit));
    const Expr at = index[d] - begin;
    is_inside = is_inside && at >= 0 && at < extent;
    Expr from = at;
    if (mode == "reflect") from = select(at < 0, -at, at >= extent, 2 * (extent - 1) - at, at);
    if (mode == "wrap") {
      // The other side of what is left, where cells are cut off there.
      const Expr after = narrow(call.result().extents[d]) - extent - begin;
      const Expr first = Halide::max(-begin, 0), end = extent - Halide::max(-after, 0);
      from = select(at < first, at + (end - first), at >= end, at - (end - first), at);
    }
    read.push_back(Halide::clamp(from, 0, extent - 1));
  }
  return mode == "constant" ? select(is_inside, x(read), value) : x(read);
}

constexpr Argument extents_argument = required("extents", ArgumentKind::integers),
                   shape_argument = required("shape", ArgumentKind::integers);
constexpr Argument mode_argument = optional("mode", ArgumentKind::word, "constant", "constant reflect edge wrap");

}  // namespace

extern constinit const Layer pad_at = {
    .name = "pad_at",
    .operands = {{"x"}, {"places"}, {"fill", Operand::Kind::optional}},
    .arguments = {shape_argument, mode_argument, optional("value", ArgumentKind::real, "0")},
    .infer = infer_pad_at,
};
extern constinit const Layer pad_places = {
    .name = "pad_places",
    .operands = {{"amount"}, {"axes", Operand::Kind::optional}},
    .arguments = {extents_argument, mode_argument},
    .infer = infer_pad_places,
};
extern constinit const Layer slice_at = {
    .name = "slice_at",
    .operands = {{"x"}, {"places"}},
    .arguments = {shape_argument},
    .infer = infer_slice_at,
};
extern constinit const Layer slice_places = {
    .name = "slice_places",
    .operands = {{"begin"}, {"end"}, {"axes", Operand::Kind::optional}, {"step", Operand::Kind::optional}},
    .arguments = {extents_argument},
    .infer = infer_slice_places,
};

extern constinit const Definition pad_at_definition = {"pad_at", define_pad_at};
extern constinit const Definition pad_places_definition = {"pad_places", define_pad_places};
extern constinit const Definition slice_at_definition = {"slice_at", define_slice_at};
extern constinit const Definition slice_places_definition = {"slice_places", define_slice_places};

}  // namespace calotype::layers
