/// \file
/// roi_align: each region of interest as a small picture, averaged or maximised over bilinear samples in each of its cells. As ONNX's RoiAlign.
///
/// x [batch, channels, height, width]; rois [regions, 4] with corners x1, y1, x2, y2, times `scale` in cells of x; batch_indices [regions] says which
/// picture a region belongs to. A cell has `samples` x `samples` samples, or with samples=0 as many as it covers cells of x. With half_pixel a corner
/// lies in the middle of its cell, else regions are at least one cell large. Samples further outside than one cell are 0.
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

/// One spatial dimension of a region.
struct Side {
  Expr start, bin;  ///< where it begins, the size of a cell, in cells of x
  Expr samples;  ///< for a cell
};

Side side_of(const Call& call, const Tensor& rois, const Expr& region, int first, std::int64_t cells) {
  const Expr one = arithmetic::widen(rois({region, first})), two = arithmetic::widen(rois({region, first + 2}));
  const bool half = call.boolean("half_pixel");
  const Expr scale = like(one, call.real("scale")), offset = like(one, half ? 0.5 : 0.0);
  const Expr start = arithmetic::subtract(arithmetic::multiply(one, scale), offset),
             end = arithmetic::subtract(arithmetic::multiply(two, scale), offset);
  Expr size = arithmetic::subtract(end, start);
  if (!half) size = arithmetic::maximum(size, like(size, 1));
  const Expr bin = arithmetic::divide(size, like(size, static_cast<double>(cells)));
  const std::int64_t samples = call.integer("samples");
  // A cell larger than any picture would be sampled for ever.
  const Expr covered = arithmetic::convert(Halide::Int(32), arithmetic::clip(Halide::ceil(bin), like(bin, 0), like(bin, 4096)));
  return {start, bin, samples > 0 ? Expr(narrow(samples)) : covered};
}

/// The two neighbours of a sample along one dimension and their weights; whether the sample counts.
struct Neighbours {
  Expr low, high, low_weight, high_weight, counts;
};

Neighbours neighbours_of(const Side& side, const Expr& cell, const Expr& sample, std::int64_t extent) {
  const auto real = [&](const Expr& e) { return Halide::cast(side.start.type(), e); };
  const Expr step = (real(sample) + like(side.start, 0.5)) * side.bin / real(Halide::max(side.samples, 1));
  const Expr at = side.start + real(cell) * side.bin + step;
  const Expr last = like(at, static_cast<double>(extent - 1));
  const Expr inside = arithmetic::clip(at, like(at, 0), last);
  const Expr low = clamp(Halide::cast<int>(inside), 0, narrow(extent) - 1);
  const Expr fraction = inside - real(low);
  return {low, Halide::min(low + 1, narrow(extent) - 1), like(at, 1) - fraction, fraction,
          arithmetic::less_equal(like(at, -1), at) && arithmetic::less_equal(at, like(at, static_cast<double>(extent)))};
}

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const std::vector<std::int64_t>& extents = x.type.extents;
  const std::int64_t height = call.integer("height"), width = call.integer("width"), samples = call.integer("samples");
  const std::vector<Halide::Var> at = index_variables(4);
  const auto down_of = [&](const Expr& region) { return side_of(call, operands[1], region, 1, height); };
  const auto across_of = [&](const Expr& region) { return side_of(call, operands[1], region, 0, width); };

  Expr most_down = narrow(samples), most_across = narrow(samples);
  if (samples == 0) {
    // The largest number of samples that any region wants.
    Halide::Func most("roi_align_most");
    const Halide::Var side("side");
    const Halide::RDom all(0, narrow(call.type(1).extents[0]), "region");
    most(side) = 0;
    most(side) = Halide::max(most(side), select(side == 0, down_of(all).samples, across_of(all).samples));
    stages.shared.push_back(most);
    most_down = most(0);
    most_across = most(1);
  }
  Halide::RDom r(0, most_across, 0, most_down, "sample");
  const Side down = down_of(at[0]), across = across_of(at[0]);
  const Neighbours y = neighbours_of(down, at[2], r.y, extents[2]), z = neighbours_of(across, at[3], r.x, extents[3]);
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
  const Expr is_sample = r.x < across.samples && r.y < down.samples;
  Halide::Func total("roi_align_total");
  const auto arguments = storage_order(at);
  if (is_maximum) {
    const double least = -std::numeric_limits<double>::infinity();
    const Expr largest = arithmetic::maximum(arithmetic::maximum(corners[0], corners[1]), arithmetic::maximum(corners[2], corners[3]));
    total(arguments) = Halide::Internal::make_const(type, least);
    total(arguments) = select(is_sample, arithmetic::maximum(total(arguments), select(counts, largest, zero)), total(arguments));
  } else {
    total(arguments) = zero;
    total(arguments) = total(arguments) + select(is_sample && counts, corners[0] + corners[1] + corners[2] + corners[3], zero);
  }
  stages.accumulators.push_back(total);

  const Expr count = down_of(index[0]).samples * across_of(index[0]).samples;
  const Expr result = total(storage_order(index));
  const Expr value = is_maximum ? select(count > 0, result, zero) : result / Halide::cast(type, Halide::max(count, 1));
  return arithmetic::narrow(halide_type(x.type.element), value);
}

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
    .onnx = roi_align_onnx,
};
extern constinit const Definition roi_align_definition = {"roi_align", define};

}  // namespace calotype::layers
