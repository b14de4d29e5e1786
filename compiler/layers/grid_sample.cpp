/// \file
/// grid_sample: the operand at places that a grid names, one for each cell of the result; affine_grid: the grid of an affine map. As ONNX's GridSample
/// and AffineGrid, and PyTorch's.
///
///   grid_sample   x [batch, channels, spatial...], grid [batch, result's spatial..., rank]; the last dimension is a place in x, innermost
///                 coordinate first, from -1 to 1. With align_corners those are the centres of the outermost cells, else their outer edges.
///                 Outside, `padding` says what is read: zeros, border (the nearest cell), reflection (mirrored at -1 and 1).
///   affine_grid   theta [batch, rank, rank + 1] times the homogeneous coordinates of each cell of `size` ([batch, channels, spatial...])
#include <fmt/format.h>

#include <cmath>

#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using arithmetic::add;
using arithmetic::divide;
using arithmetic::like;
using arithmetic::multiply;
using arithmetic::subtract;
using Halide::Expr;
using Halide::select;

std::vector<TensorType> infer_sample(const Call& call) {
  const TensorType &x = call.type(0), &grid = call.type(1);
  require_float(call, 1);
  const int rank = spatial_rank(call, x);
  if (call.word("mode") != "nearest") require_float(call);
  if (rank > 3 || (rank == 3 && call.word("mode") == "cubic"))
    call.unsupported(fmt::format("mode={} in {} dimensions", call.word("mode"), rank));
  if (grid.rank() != x.rank() || grid.extents[0] != x.extents[0] || grid.extents.back() != rank) {
    call.fail(fmt::format("grid_sample: a grid {} does not fit {}: it must be [{}, {} extents, {}]", to_text(grid.extents),
                          to_text(x.extents), x.extents[0], rank, rank));
  }
  TensorType result = {x.element, {x.extents[0], x.extents[1]}};
  result.extents.insert(result.extents.end(), grid.extents.begin() + 1, grid.extents.end() - 1);
  if (result.elements() > 0 && x.elements() == 0) call.fail(fmt::format("{} has no cells to sample", to_text(x.extents)));
  return {result};
}

/// What a dimension is sampled with.
struct Axis {
  std::string padding;
  bool align_corners = false;
  int extent = 1;
};

/// Mirrored at the edges until it lies between them.
Expr reflected(const Axis& axis, const Expr& x) {
  const double low = axis.align_corners ? 0 : -0.5, high = axis.align_corners ? axis.extent - 1 : axis.extent - 0.5;
  const double range = high - low;
  if (range == 0) return like(x, 0);
  // The distance from `low`, folded at every multiple of the range.
  const Expr distance = arithmetic::absolute(subtract(x, like(x, low)));
  const Expr turns = Halide::floor(divide(distance, like(x, range)));
  const Expr rest = subtract(distance, multiply(turns, like(x, range)));
  const Expr is_odd = arithmetic::less(like(x, 0), subtract(turns, multiply(Halide::floor(multiply(turns, like(x, 0.5))), like(x, 2))));
  const Expr folded = select(is_odd, subtract(like(x, high), rest), add(like(x, low), rest));
  const Expr is_within = arithmetic::less_equal(like(x, low), x) && arithmetic::less_equal(x, like(x, high));
  return select(is_within, x, folded);
}

/// The coordinate in cells that the normalised one n means; kept where single cells can be told apart, so that it fits an int.
Expr denormalized(const Axis& axis, const Expr& n) {
  const Expr one = like(n, 1);
  const Expr x = axis.align_corners ? multiply(divide(add(n, one), like(n, 2)), like(n, axis.extent - 1))
                                    : divide(subtract(multiply(add(n, one), like(n, axis.extent)), one), like(n, 2));
  return select(arithmetic::is_nan(x), like(x, -1e6), arithmetic::clip(x, like(x, -8e6), like(x, 8e6)));
}

Expr padded(const Axis& axis, const std::string& mode, const Expr& x) {
  const double extent = axis.extent;
  // Cubic weights lean on the cells around the place itself: there only the cells are padded.
  if (axis.padding == "border" && mode != "cubic") return arithmetic::clip(x, like(x, 0), like(x, extent - 1));
  if (axis.padding == "reflection") return reflected(axis, x);
  return arithmetic::clip(x, like(x, -8), like(x, extent + 8));
}

/// A cell as the padding has it, and whether it counts at all.
struct Cell {
  Expr place, counts;
};

Cell cell_of(const Axis& axis, const Expr& cell) {
  const int last = axis.extent - 1;
  if (axis.padding == "zeros") return {clamp(cell, 0, last), cell >= 0 && cell <= last};
  if (axis.padding == "border") return {clamp(cell, 0, last), Halide::Internal::const_true()};
  const Expr mirrored = Halide::cast<int>(reflected(axis, Halide::cast<float>(cell)));
  return {clamp(mirrored, 0, last), Halide::Internal::const_true()};
}

/// Keys' cubic convolution with a = -0.75: weights of the cells at -1, 0, 1, 2 for a fraction t.
std::vector<Expr> cubic_weights(const Expr& t) {
  const float a = -0.75f;
  const Expr u = 1.0f - t;
  const auto far = [&](const Expr& d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
  const auto near = [&](const Expr& d) { return ((a + 2) * d - (a + 3)) * d * d + 1.0f; };
  return {far(t + 1.0f), near(t), near(u), far(u + 1.0f)};
}

/// Taps of one dimension.
struct Taps {
  std::vector<Cell> cells;
  std::vector<Expr> weights;
};

Taps taps_of(const Axis& axis, const std::string& mode, const Expr& n) {
  const Expr x = denormalized(axis, n);
  if (mode == "nearest") {
    // Rounded, half to even, and padded after that.
    const Expr rounded = padded(axis, mode, Halide::round(x));
    return {{cell_of(axis, Halide::cast<int>(rounded))}, {like(x, 1)}};
  }
  const Expr place = padded(axis, mode, x);
  const Expr floor = Halide::floor(place), t = subtract(place, floor), first = Halide::cast<int>(floor);
  if (mode == "linear") return {{cell_of(axis, first), cell_of(axis, first + 1)}, {subtract(like(t, 1), t), t}};
  return {{cell_of(axis, first - 1), cell_of(axis, first), cell_of(axis, first + 1), cell_of(axis, first + 2)}, cubic_weights(t)};
}

/// The weighted sum over the taps of dimension d and those after it.
Expr sampled(const Tensor& x, const std::vector<Taps>& taps, std::size_t d, Index read, const Expr& counts) {
  if (d == taps.size()) {
    const Expr element = arithmetic::widen(x(read));
    return Halide::Internal::is_const_one(counts) ? element : select(counts, element, like(element, 0));
  }
  Expr sum;
  for (std::size_t i = 0; i < taps[d].cells.size(); ++i) {
    Index there = read;
    there.push_back(taps[d].cells[i].place);
    const Expr part = sampled(x, taps, d + 1, there, counts && taps[d].cells[i].counts);
    if (taps[d].cells.size() == 1) return part;
    const Expr weighted = multiply(part, Halide::cast(part.type(), taps[d].weights[i]));
    sum = sum.defined() ? add(sum, weighted) : weighted;
  }
  return sum;
}

Expr define_sample(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Tensor &x = operands[0], &grid = operands[1];
  const std::size_t rank = x.type.extents.size() - 2;
  Index place = {index[0]};
  place.insert(place.end(), index.begin() + 2, index.end());
  place.emplace_back(0);
  std::vector<Taps> taps;
  for (std::size_t d = 0; d < rank; ++d) {
    const Axis axis = {call.word("padding"), call.boolean("align_corners"), narrow(x.type.extents[d + 2])};
    place.back() = static_cast<int>(rank - 1 - d);
    taps.push_back(taps_of(axis, call.word("mode"), arithmetic::widen(grid(place))));
  }
  return arithmetic::narrow(halide_type(x.type.element), sampled(x, taps, 0, {index[0], index[1]}, Halide::Internal::const_true()));
}

std::vector<TensorType> infer_grid(const Call& call) {
  const TensorType& theta = call.type(0);
  require_float(call);
  const std::vector<std::int64_t> size = call.integers("size");
  const auto rank = std::ssize(size) - 2;
  if (rank != 2 && rank != 3)
    call.fail("size", fmt::format("'size' must be [batch, channels, spatial...] with 2 or 3 spatial dimensions, not {}", to_text(size)));
  for (const std::int64_t extent : size) {
    if (extent < 1) call.fail("size", fmt::format("'size' {} has an extent below 1", to_text(size)));
  }
  if (theta.extents != std::vector<std::int64_t>{size[0], rank, rank + 1}) {
    call.fail(fmt::format("affine_grid: theta {} does not fit size {}: it must be [{}, {}, {}]", to_text(theta.extents), to_text(size),
                          size[0], rank, rank + 1));
  }
  TensorType result = {theta.element, {size[0]}};
  result.extents.insert(result.extents.end(), size.begin() + 2, size.end());
  result.extents.push_back(rank);
  return {result};
}

/// Each coordinate is a row of theta times (x, y, z, 1), innermost dimension first.
Expr define_grid(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Tensor& theta = operands[0];
  const std::vector<std::int64_t>& extents = call.result().extents;
  const std::size_t rank = extents.size() - 2;
  Expr sum = arithmetic::widen(theta({index[0], index.back(), static_cast<int>(rank)}));
  for (std::size_t d = 0; d < rank; ++d) {
    const std::size_t dimension = rank - d;  // of the result
    const double extent = static_cast<double>(narrow(extents[dimension]));
    const Expr i = Halide::cast(sum.type(), index[dimension]);
    Expr coordinate;
    if (!call.boolean("align_corners")) {
      coordinate = subtract(divide(add(multiply(i, like(i, 2)), like(i, 1)), like(i, extent)), like(i, 1));
    } else {
      coordinate = extent == 1 ? like(i, -1) : subtract(divide(multiply(i, like(i, 2)), like(i, extent - 1)), like(i, 1));
    }
    sum = add(sum, multiply(arithmetic::widen(theta({index[0], index.back(), static_cast<int>(d)})), coordinate));
  }
  return arithmetic::narrow(halide_type(theta.type.element), sum);
}

/// The grid's extents; the number of channels leaves no trace in it.
std::vector<Supposition> suppose_size(const OnnxNode&, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* grid = builder.declared(0);
  if (grid == nullptr || entries_of(builder, 1) != std::ssize(*grid)) return {};
  std::vector<std::int64_t> size = {grid->front(), 1};
  size.insert(size.end(), grid->begin() + 1, grid->end() - 1);
  Supposition supposition = suppose_equal(builder, 1, size);
  std::vector<bool> is_any(size.size(), false);
  is_any[1] = true;
  supposition.holds.front() = builder.emit("logical_or", {supposition.holds.front(), truths(builder, is_any)});
  return {std::move(supposition)};
}

constexpr OnnxForm sample_onnx[] = {{
    .op_type = "GridSample",
    .attributes = {onnx::word("mode", "mode", "linear", "bilinear=linear bicubic=cubic"), onnx::word("padding_mode", "padding", "zeros"),
                   onnx::flag("align_corners", "align_corners")},
}};
constexpr OnnxForm grid_onnx[] = {{
    .op_type = "AffineGrid",
    .inputs = {onnx::operand("theta"), onnx::argument("size")},
    .attributes = {onnx::flag("align_corners", "align_corners")},
    .suppose = suppose_size,
}};

}  // namespace

extern constinit const Layer grid_sample = {
    .name = "grid_sample",
    .operands = {{"x"}, {"grid"}},
    .arguments = {optional("mode", ArgumentKind::word, "linear", "nearest linear cubic"),
                  optional("padding", ArgumentKind::word, "zeros", "zeros border reflection"),
                  optional("align_corners", ArgumentKind::boolean, "false")},
    .infer = infer_sample,
    .onnx = sample_onnx,
};
extern constinit const Layer affine_grid = {
    .name = "affine_grid",
    .operands = {{"theta"}},
    .arguments = {required("size", ArgumentKind::integers), optional("align_corners", ArgumentKind::boolean, "false")},
    .infer = infer_grid,
    .onnx = grid_onnx,
};

extern constinit const Definition grid_sample_definition = {"grid_sample", define_sample};
extern constinit const Definition affine_grid_definition = {"affine_grid", define_grid};

}  // namespace calotype::layers
