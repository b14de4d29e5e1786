/// \file
/// resize: the spatial dimensions to another size, by the nearest cell or by linear interpolation between neighbours.
///
/// `size` gives the extents; `scale` gives factors, and extents floor(extent * factor). Where the result's cell i lies in the operand, x, is said by
/// `coordinate_transformation_mode` with ONNX's names and formulas (opset 19), in f32 as ONNX Runtime computes them; s is the factor:
///
///   half_pixel             (i + 0.5) / s - 0.5, PyTorch's align_corners=False (the default)
///   pytorch_half_pixel     the same, but 0 where the result has one cell
///   half_pixel_symmetric   the same, around the centre where extent * factor is no whole number
///   asymmetric             i / s, PyTorch's mode="nearest" together with nearest_mode=floor
///   align_corners          i (extent - 1) / (result's extent - 1)
#include <fmt/format.h>

#include <cmath>

#include "layers/elementwise.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

using arithmetic::add;
using arithmetic::divide;
using arithmetic::less;
using arithmetic::multiply;
using arithmetic::subtract;
using Halide::Expr;
using Halide::select;

/// One spatial dimension.
struct Resizing {
  std::int64_t from = 1, to = 1;
  float scale = 1;
};

std::vector<Resizing> resizings(const Call& call) {
  const Extents from = spatial_extents(call.type(0));
  const int rank = spatial_rank(call, call.type(0));
  const bool has_size = call.has_argument("size");
  if (has_size == call.has_argument("scale")) call.fail("resize wants either size or scale: size=64x64, scale=2");
  std::vector<Resizing> list;
  if (has_size) {
    const Extents size = call.extents("size", rank);
    for (std::size_t i = 0; i < from.size(); ++i)
      list.push_back({from[i], size[i], static_cast<float>(size[i]) / static_cast<float>(from[i])});
  } else {
    std::vector<double> scale = call.reals("scale");
    if (scale.size() == 1) scale.resize(from.size(), scale[0]);
    if (scale.size() != from.size()) {
      call.fail("scale", fmt::format("'scale' has {} numbers, but the operand has {} spatial dimensions", scale.size(), from.size()));
    }
    for (std::size_t i = 0; i < from.size(); ++i) {
      const double to = std::floor(static_cast<double>(from[i]) * scale[i]);
      if (!(scale[i] > 0) || !(to >= 1) || to > 1e9) {
        call.fail("scale", fmt::format("scale {} makes no extent of {}", scale[i], from[i]));
      }
      list.push_back({from[i], static_cast<std::int64_t>(to), static_cast<float>(scale[i])});
    }
  }
  for (const Resizing& one : list) {
    if (one.from < 1) call.fail(fmt::format("{} has no cells to resize", to_text(call.type(0).extents)));
  }
  return list;
}

std::vector<TensorType> infer(const Call& call) {
  if (call.word("mode") == "linear") require_float(call);
  TensorType result = call.type(0);
  const std::vector<Resizing> list = resizings(call);
  for (std::size_t i = 0; i < list.size(); ++i) result.extents[i + 2] = list[i].to;
  return {result};
}

/// x for the result's cell i.
Expr coordinate(const Call& call, const Resizing& dimension, const Expr& index) {
  const std::string mode = call.word("coordinate_transformation_mode");
  const Expr i = Halide::cast<float>(index), scale = dimension.scale, half = 0.5f;
  if (mode == "asymmetric") return divide(i, scale);
  if (mode == "align_corners") {
    if (dimension.to == 1) return 0.0f;
    return divide(multiply(i, Expr(static_cast<float>(dimension.from - 1))), Expr(static_cast<float>(dimension.to - 1)));
  }
  if (mode == "pytorch_half_pixel" && dimension.to == 1) return 0.0f;
  const Expr centred = subtract(divide(add(i, half), scale), half);
  if (mode != "half_pixel_symmetric") return centred;
  const float adjustment = static_cast<float>(dimension.to) / (dimension.scale * static_cast<float>(dimension.from));
  return add(Expr(static_cast<float>(dimension.from) / 2 * (1 - adjustment)), centred);
}

/// Between 0 and the operand's last cell.
Expr clamped_coordinate(const Call& call, const Resizing& dimension, const Expr& index) {
  return arithmetic::clip(coordinate(call, dimension, index), Expr(0.0f), Expr(static_cast<float>(dimension.from - 1)));
}

/// The nearest cell, inside of the operand.
Expr nearest(const Call& call, const Resizing& dimension, const Expr& index) {
  const std::string mode = call.word("coordinate_transformation_mode"), rounding = call.word("nearest_mode");
  if (dimension.from == dimension.to && dimension.scale == 1) return index;
  // Whole factors, by far the most frequent: each cell is repeated.
  const bool is_whole =
      dimension.scale == std::floor(dimension.scale) && dimension.to == dimension.from * static_cast<std::int64_t>(dimension.scale);
  const bool is_centred = mode == "half_pixel" || mode == "half_pixel_symmetric" || (mode == "pytorch_half_pixel" && dimension.to > 1);
  const bool repeats = (is_centred && rounding.starts_with("round")) || (mode == "asymmetric" && rounding == "floor");
  if (is_whole && repeats) return index / narrow(dimension.to / dimension.from);

  // x is not below 0 here, so that a cast rounds down.
  const Expr x = clamped_coordinate(call, dimension, index);
  const Expr down = Halide::cast<int>(x);
  const Expr fraction = subtract(x, Halide::cast<float>(down));
  Expr goes_up;
  if (rounding == "floor") goes_up = Halide::Internal::const_false();
  if (rounding == "ceil") goes_up = less(Expr(0.0f), fraction);
  if (rounding == "round_prefer_floor") goes_up = less(Expr(0.5f), fraction);
  if (rounding == "round_prefer_ceil") goes_up = !less(fraction, Expr(0.5f));
  return clamp(select(goes_up, down + 1, down), 0, narrow(dimension.from - 1));
}

/// Interpolates dimension `at` and those after it; the index is complete before `at`.
Expr interpolate(const Call& call, const std::vector<Resizing>& list, const Tensor& x, const Index& index, Index read, std::size_t at) {
  if (at == index.size()) return arithmetic::widen(x(read));
  const Resizing& dimension = list[at - 2];
  if (dimension.from == dimension.to && dimension.scale == 1) return interpolate(call, list, x, index, read, at + 1);
  const Expr position = clamped_coordinate(call, dimension, index[at]);
  const Expr below = clamp(Halide::cast<int>(position), 0, narrow(dimension.from - 1));
  read[at] = below;
  const Expr low = interpolate(call, list, x, index, read, at + 1);
  if (dimension.from == 1) return low;
  read[at] = Halide::min(below + 1, narrow(dimension.from - 1));
  const Expr high = interpolate(call, list, x, index, read, at + 1);
  const Expr weight = Halide::cast(low.type(), subtract(position, Halide::cast<float>(below)));
  return add(multiply(low, subtract(arithmetic::like(low, 1), weight)), multiply(high, weight));
}

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const std::vector<Resizing> list = resizings(call);
  if (call.word("mode") == "linear") {
    return arithmetic::narrow(halide_type(call.result().element), interpolate(call, list, operands[0], index, index, 2));
  }
  Index read = index;
  for (std::size_t i = 0; i < list.size(); ++i) read[i + 2] = nearest(call, list[i], index[i + 2]);
  return operands[0](read);
}

/// Scales or sizes of every dimension, or of `axes`; ours are of the spatial ones. Upsample and opset 10 know one way to find a cell.
void adapt_resize(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t>& extents = builder.extents(x);
  const std::size_t rank = extents.size();
  const bool is_new = node.opset >= 11 && node.op_type == "Resize";
  const std::size_t scales_at = is_new ? 2 : 1;
  std::vector<double> scales = node.reals("scales");
  std::vector<std::int64_t> sizes;
  if (builder.has(scales_at)) scales = builder.reals(scales_at);
  if (is_new && builder.has(3)) sizes = builder.integers(3);
  if (scales.empty() == sizes.empty()) builder.fail("it must have either scales or sizes");

  std::vector<std::int64_t> axes = node.integers("axes");
  const std::size_t count = std::max(scales.size(), sizes.size());
  if (axes.empty()) {
    for (std::size_t i = 0; i < count; ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  if (axes.size() != count || count > rank) builder.fail(fmt::format("{} numbers do not fit {} axes of {}", count, axes.size(), to_text(extents)));
  std::vector<double> all_scales(rank, 1);
  std::vector<std::int64_t> all_sizes = extents;
  for (std::size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(rank) : axes[i]);
    if (axis >= rank) builder.fail(fmt::format("axis {} is none of {}", axes[i], to_text(extents)));
    if (!scales.empty()) all_scales[axis] = scales[i];
    if (!sizes.empty()) all_sizes[axis] = sizes[i];
  }
  const bool is_spatial = rank > 2 && all_scales[0] == 1 && all_scales[1] == 1 && all_sizes[0] == extents[0] && all_sizes[1] == extents[1];
  if (!is_spatial) builder.unsupported("batch and channels are not resized");
  if (!sizes.empty() && node.text("keep_aspect_ratio_policy", "stretch") != "stretch") builder.unsupported("keep_aspect_ratio_policy must be stretch");

  Op op = builder.statement();
  Attributes attributes;
  if (sizes.empty()) {
    attributes.push_back(named("scale", std::vector<double>(all_scales.begin() + 2, all_scales.end())));
  } else {
    attributes.push_back(named("size", std::vector<std::int64_t>(all_sizes.begin() + 2, all_sizes.end())));
  }
  op.operands = {x};
  op.attributes.insert(op.attributes.begin(), attributes.begin(), attributes.end());
  if (!is_new) {
    op.attributes.push_back(named_word("coordinate_transformation_mode", "asymmetric"));
    op.attributes.push_back(named_word("nearest_mode", "floor"));
  }
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxInput resize_inputs[] = {onnx::operand("x"), onnx::adapted("roi"), onnx::adapted("scales"), onnx::adapted("sizes")};
constexpr OnnxForm resize_onnx[] = {
    {.op_type = "Upsample",
     .inputs = {resize_inputs[0], resize_inputs[2]},
     .attributes = {onnx::word("mode", "mode", "nearest", "bilinear=linear"), onnx::adapted_attribute("scales")},
     .adapt = adapt_resize},
    {.op_type = "Resize",
     .until = 10,
     .inputs = {resize_inputs[0], resize_inputs[2]},
     .attributes = {onnx::word("mode", "mode", "nearest", "bilinear=linear")},
     .adapt = adapt_resize},
    {.op_type = "Resize",
     .since = 11,
     .inputs = {resize_inputs[0], resize_inputs[1], resize_inputs[2], resize_inputs[3]},
     .attributes = {onnx::word("mode", "mode"), onnx::word("coordinate_transformation_mode", "coordinate_transformation_mode"),
                    onnx::word("nearest_mode", "nearest_mode"), onnx::ignored("cubic_coeff_a"), onnx::ignored("extrapolation_value"),
                    onnx::only("exclude_outside", "0"), onnx::only("antialias", "0"), onnx::adapted_attribute("axes"),
                    onnx::adapted_attribute("keep_aspect_ratio_policy")},
     .adapt = adapt_resize},
};

}  // namespace

extern constinit const Layer resize = {
    .name = "resize",
    .operands = {{"x"}},
    .arguments = {optional("scale", ArgumentKind::reals), optional("size", ArgumentKind::extents),
                  optional("mode", ArgumentKind::word, "nearest", "nearest linear"),
                  optional("coordinate_transformation_mode", ArgumentKind::word, "half_pixel",
                           "half_pixel pytorch_half_pixel half_pixel_symmetric asymmetric align_corners"),
                  optional("nearest_mode", ArgumentKind::word, "round_prefer_floor", "round_prefer_floor round_prefer_ceil floor ceil")},
    .traits = {.keeps_channels = true},
    .infer = infer,
    .onnx = resize_onnx,
};
extern constinit const Definition resize_definition = {"resize", define};

}  // namespace calotype::layers
