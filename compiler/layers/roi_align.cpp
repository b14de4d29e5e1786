/// \file
/// roi_align: each region of interest as a small picture, averaged or maximised over bilinear samples in each of its cells. As ONNX's RoiAlign.
///
/// x [batch, channels, height, width]; rois [regions, 4] with corners x1, y1, x2, y2, times `scale` in cells of x; batch_indices [regions] says which
/// picture a region belongs to. A cell has `samples` x `samples` samples; with samples=0 as many as the
/// cells of x that it covers, at least in part, so that their number depends on the region. With half_pixel a corner lies in the middle of its cell, else regions are at least one cell large. Samples further outside than one cell are 0.
/// mode=max takes the largest of the weighted neighbours, as ONNX does, not of their sums.
#include <fmt/format.h>

#include <limits>

#include "layers/arithmetic.h"
#include "layers/indexing.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using arithmetic::like;
using Halide::Expr;
using Halide::select;

std::vector<TensorType> infer(const Call& call) {
  const TensorType &x = call.type(0), &rois = call.type(1), &batches = call.type(2);
  require_float(call);
  require_indices(call, 2);
  const std::int64_t height = call.integer("height"), width = call.integer("width");
  if (height < 1 || width < 1) call.fail("height", "roi_align wants a height and a width of at least 1");
  if (call.integer("samples") < 0) call.fail("samples", "'samples' must not be negative");
  if (x.rank() != 4 || rois.rank() != 2 || rois.extents[1] != 4 || rois.element != x.element ||
      batches.extents != std::vector{rois.extents[0]}) {
    call.fail(
        fmt::format("roi_align wants [batch, channels, height, width], rois [regions, 4] and batch_indices [regions], not {}, {} and {}",
                    to_text(x), to_text(rois), to_text(batches)));
  }
  const TensorType result = {x.element, {rois.extents[0], x.extents[1], height, width}};
  if (result.elements() > 0 && x.elements() == 0) call.fail(fmt::format("{} has no cells to sample", to_text(x.extents)));
  return {result};
}

/// One spatial dimension of a cell of a region.
struct Side {
  Expr begin;  ///< where the cell begins, in cells of x
  Expr step;  ///< from one sample to the next
  Expr samples;  ///< int: for the cell
  Expr first;  ///< int: samples before that one lie outside of x
  int visited;  ///< from `first` on; further ones lie outside of x, too
};

Side side_of(const Call& call, const Tensor& rois, const Expr& region, const Expr& cell, int coordinate, std::int64_t cells,
             std::int64_t extent) {
  const Expr one = arithmetic::widen(rois({region, coordinate})), two = arithmetic::widen(rois({region, coordinate + 2}));
  const bool half = call.boolean("half_pixel");
  const Expr scale = like(one, call.real("scale")), offset = like(one, half ? 0.5 : 0.0);
  const Expr start = arithmetic::subtract(arithmetic::multiply(one, scale), offset),
             end = arithmetic::subtract(arithmetic::multiply(two, scale), offset);
  Expr size = arithmetic::subtract(end, start);
  if (!half) size = arithmetic::maximum(size, like(size, 1));
  const Expr bin = arithmetic::divide(size, like(size, static_cast<double>(cells)));
  const Expr begin = start + Halide::cast(start.type(), cell) * bin;
  const int samples = narrow(call.integer("samples"));
  if (samples > 0) return {begin, bin / like(bin, samples), samples, 0, samples};

  // Steps are longer than a half where there are several, so that few of them meet x, however large the region is. One more on either side for what
  // rounding does.
  const Expr most = like(bin, 1 << 24), none = like(bin, 0);
  const Expr count = select(arithmetic::less(none, bin), Halide::min(Halide::ceil(bin), most), none);
  const Expr step = bin / Halide::max(count, like(bin, 1));
  const Expr skipped = Halide::floor((like(bin, -1) - begin) / step - like(bin, 1.5));
  const Expr first = select(arithmetic::less(none, skipped), Halide::min(skipped, count), none);
  return {begin, step, Halide::cast<int>(count), Halide::cast<int>(first), narrow(2 * (extent + 1) + 4)};
}

/// The two neighbours of a sample along one dimension and their weights; whether the sample counts.
struct Neighbours {
  Expr low, high, low_weight, high_weight, counts;
};

Neighbours neighbours_of(const Side& side, const Expr& visit, std::int64_t extent) {
  const auto real = [&](const Expr& e) { return Halide::cast(side.begin.type(), e); };
  const Expr at = side.begin + (real(side.first + visit) + like(side.begin, 0.5)) * side.step;
  const Expr last = like(at, static_cast<double>(extent - 1));
  const Expr inside = arithmetic::clip(at, like(at, 0), last);
  const Expr low = clamp(Halide::cast<int>(inside), 0, narrow(extent) - 1);
  const Expr fraction = inside - real(low);
  return {low, Halide::min(low + 1, narrow(extent) - 1), like(at, 1) - fraction, fraction,
          arithmetic::less_equal(like(at, -1), at) && arithmetic::less_equal(at, like(at, static_cast<double>(extent)))};
}

/// Are there samples outside of x that are not visited? Each is a 0.
Expr leaves_samples(const Side& side) { return side.first > 0 || side.samples > side.first + side.visited || side.samples == 0; }

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const std::vector<std::int64_t>& extents = x.type.extents;
  const std::int64_t height = call.integer("height"), width = call.integer("width");
  const std::vector<Halide::Var> at = index_variables(4);
  const auto down_of = [&](const Index& i) { return side_of(call, operands[1], i[0], i[2], 1, height, extents[2]); };
  const auto across_of = [&](const Index& i) { return side_of(call, operands[1], i[0], i[3], 0, width, extents[3]); };
  const Index here(at.begin(), at.end());
  const Side down = down_of(here), across = across_of(here);
  Halide::RDom r(0, across.visited, 0, down.visited, "sample");
  const bool is_adaptive = call.integer("samples") == 0;
  if (is_adaptive) {
    r.where(r.x < across.samples - across.first);
    r.where(r.y < down.samples - down.first);
  }
  const Neighbours y = neighbours_of(down, r.y, extents[2]), z = neighbours_of(across, r.x, extents[3]);
  const Expr batch = wrapped_index(operands[2]({at[0]}), extents[0]);
  const Expr counts = y.counts && z.counts;
  const auto corner = [&](const Expr& row, const Expr& column, const Expr& weight) {
    return arithmetic::widen(x({batch, at[1], row, column})) * Halide::cast(accumulator_type(x.type.element), weight);
  };
  const Expr corners[] = {corner(y.low, z.low, y.low_weight * z.low_weight), corner(y.low, z.high, y.low_weight * z.high_weight),
                          corner(y.high, z.low, y.high_weight * z.low_weight), corner(y.high, z.high, y.high_weight * z.high_weight)};
  const bool is_maximum = call.word("mode") == "max";
  const Halide::Type type = accumulator_type(x.type.element);
  const Expr zero = Halide::Internal::make_zero(type);
  Halide::Func total("roi_align_total");
  const auto arguments = storage_order(at);
  if (is_maximum) {
    const Expr least = Halide::Internal::make_const(type, -std::numeric_limits<double>::infinity());
    const Expr largest = arithmetic::maximum(arithmetic::maximum(corners[0], corners[1]), arithmetic::maximum(corners[2], corners[3]));
    total(arguments) = is_adaptive ? select(leaves_samples(down) || leaves_samples(across), zero, least) : least;
    total(arguments) = arithmetic::maximum(total(arguments), select(counts, largest, zero));
  } else {
    total(arguments) = zero;
    total(arguments) = total(arguments) + select(counts, corners[0] + corners[1] + corners[2] + corners[3], zero);
  }
  stages.accumulators.push_back(total);

  const Expr result = total(storage_order(index));
  if (is_maximum) return arithmetic::narrow(halide_type(x.type.element), result);
  const Expr samples = Halide::cast(type, down_of(index).samples) * Halide::cast(type, across_of(index).samples);
  return arithmetic::narrow(halide_type(x.type.element), result / Halide::max(samples, like(result, 1)));
}

std::vector<IndexRange> pictures(const Call& call) { return {{2, {0}, {call.type(0).extents[0] - 1}}}; }

/// Before opset 16 corners were where they are; since then they are in the middle of a cell by default.
void adapt(const OnnxNode& node, OnnxBuilder& builder) {
  Op op = builder.statement();
  const std::string mode = node.text("coordinate_transformation_mode", node.opset >= 16 ? "half_pixel" : "output_half_pixel");
  if (mode != "half_pixel" && mode != "output_half_pixel")
    builder.fail("coordinate_transformation_mode must be half_pixel or output_half_pixel");
  op.attributes.push_back(named("half_pixel", mode == "half_pixel"));
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm roi_align_onnx[] = {{
    .op_type = "RoiAlign",
    .attributes = {onnx::word("mode", "mode", "avg"), onnx::attribute("output_height", "height", "1"),
                   onnx::attribute("output_width", "width", "1"), onnx::attribute("sampling_ratio", "samples", "0"),
                   onnx::attribute("spatial_scale", "scale", "1"), onnx::adapted_attribute("coordinate_transformation_mode")},
    .adapt = adapt,
}};

}  // namespace

extern constinit const Layer roi_align = {
    .name = "roi_align",
    .operands = {{"x"}, {"rois"}, {"batch_indices"}},
    .arguments = {optional("height", ArgumentKind::integer, "1"), optional("width", ArgumentKind::integer, "1"),
                  optional("samples", ArgumentKind::integer, "0"), optional("scale", ArgumentKind::real, "1"),
                  optional("mode", ArgumentKind::word, "avg", "avg max"), optional("half_pixel", ArgumentKind::boolean, "true")},
    .infer = infer,
    .indices = pictures,
    .onnx = roi_align_onnx,
};
extern constinit const Definition roi_align_definition = {"roi_align", define};

}  // namespace calotype::layers
