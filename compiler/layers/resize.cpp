/// \file
/// resize: the spatial dimensions to another size, by the nearest cell, or by linear or cubic interpolation between neighbours.
///
/// `size` gives the extents; `scale` gives factors, and extents floor(extent * factor). With both, `scale` says where cells lie only. Where the result's cell i lies in the operand, x, is said by
/// `coordinate_transformation_mode` with ONNX's names and formulas (opset 19), in f32 as ONNX Runtime computes them; s is the factor:
///
///   half_pixel             (i + 0.5) / s - 0.5, PyTorch's align_corners=False (the default)
///   pytorch_half_pixel     the same, but 0 where the result has one cell
///   half_pixel_symmetric   the same, around the centre where extent * factor is no whole number
///   asymmetric             i / s, PyTorch's mode="nearest" together with nearest_mode=floor
///   align_corners          i (extent - 1) / (result's extent - 1); with size and scale, extent * factor is taken for the result's extent
///   tf_crop_and_resize     the same between begin and end of the operand `roi` ([begins..., ends...], 0 to 1); outside: extrapolation_value
///
/// Cubic interpolation is Keys' with a = cubic_coeff_a over four cells. antialias=true stretches linear and cubic weights over all cells that a result
/// cell covers where the result is smaller. Beyond the edge the edge counts, or with exclude_outside=true nothing.
#include <fmt/format.h>

#include <cmath>

#include "layers/elementwise.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
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
  float length = 1;  ///< the result's extent as align_corners takes it
  Expr begin = {}, end = {};  ///< of the region of interest, if there is one
};

std::vector<Resizing> resizings(const Call& call) {
  const Extents from = spatial_extents(call.type(0));
  const int rank = spatial_rank(call, call.type(0));
  std::vector<Resizing> list;
  const bool has_size = call.has_argument("size"), has_scale = call.has_argument("scale");
  if (!has_size && !has_scale) call.fail("resize wants either size or scale: size=64x64, scale=2");
  std::vector<double> scale;
  if (has_scale) scale = call.reals("scale");
  if (scale.size() == 1) scale.resize(from.size(), scale[0]);
  if (has_scale && scale.size() != from.size()) {
    call.fail("scale", fmt::format("'scale' has {} numbers, but the operand has {} spatial dimensions", scale.size(), from.size()));
  }
  const Extents size = has_size ? call.extents("size", rank) : Extents();
  for (std::size_t i = 0; i < from.size(); ++i) {
    Resizing one = {.from = from[i]};
    if (has_size) {
      one.to = size[i];
      one.scale = static_cast<float>(size[i]) / static_cast<float>(from[i]);
    }
    if (has_scale) {
      const double to = std::floor(static_cast<double>(from[i]) * scale[i]);
      if (!(scale[i] > 0) || (!has_size && !(to >= 1)) || to > 1e9) {
        call.fail("scale", fmt::format("scale {} makes no extent of {}", scale[i], from[i]));
      }
      if (!has_size) one.to = static_cast<std::int64_t>(to);
      one.scale = static_cast<float>(scale[i]);
    }
    one.length = has_size && has_scale ? one.scale * static_cast<float>(one.from) : static_cast<float>(one.to);
    list.push_back(one);
  }
  for (const Resizing& one : list) {
    if (one.from < 1) call.fail(fmt::format("{} has no cells to resize", to_text(call.type(0).extents)));
  }
  return list;
}

std::vector<TensorType> infer(const Call& call) {
  if (call.word("mode") != "nearest") require_float(call);
  const bool has_roi = call.word("coordinate_transformation_mode") == "tf_crop_and_resize";
  if (has_roi != call.has(1))
    call.fail("resize wants the operand roi with coordinate_transformation_mode=tf_crop_and_resize, and only there");
  if (has_roi && call.type(1) != TensorType{ElementType::f32, {2 * (call.type(0).rank() - 2)}}) {
    call.fail(fmt::format("resize: roi must be [begins..., ends...] of the spatial dimensions in f32, not {}", to_text(call.type(1))));
  }
  TensorType result = call.type(0);
  const std::vector<Resizing> list = resizings(call);
  for (std::size_t i = 0; i < list.size(); ++i) result.extents[i + 2] = list[i].to;
  return {result};
}

/// Is each cell of the result that of the operand?
bool is_unchanged(const Resizing& dimension) {
  return dimension.from == dimension.to && dimension.scale == 1 && !dimension.begin.defined();
}

/// x for the result's cell i.
Expr coordinate(const Call& call, const Resizing& dimension, const Expr& index) {
  const std::string mode = call.word("coordinate_transformation_mode");
  const Expr i = Halide::cast<float>(index), scale = dimension.scale, half = 0.5f;
  if (mode == "asymmetric") return divide(i, scale);
  const Expr last = static_cast<float>(dimension.from - 1), steps = dimension.length - 1;
  if (mode == "align_corners") {
    if (dimension.length == 1) return 0.0f;
    return divide(multiply(i, last), steps);
  }
  if (mode == "tf_crop_and_resize") {
    const Expr begin = multiply(dimension.begin, last);
    if (dimension.length == 1) return multiply(multiply(add(dimension.begin, dimension.end), half), last);
    return add(begin, divide(multiply(i, multiply(subtract(dimension.end, dimension.begin), last)), steps));
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
  if (is_unchanged(dimension)) return index;
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
  if (is_unchanged(dimension)) return interpolate(call, list, x, index, read, at + 1);
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

/// Linear or cubic weight of a cell at that distance, in cells.
Expr weight_at(const Call& call, const Expr& signed_distance) {
  const Expr d = Halide::abs(signed_distance);
  if (call.word("mode") == "linear") return Halide::max(1.0f - d, 0.0f);
  const auto a = static_cast<float>(call.real("cubic_coeff_a"));
  const Expr near = ((a + 2) * d - (a + 3)) * d * d + 1.0f, far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return select(d <= 1.0f, near, d < 2.0f, far, 0.0f);
}

/// Cells `first(i)` to `first(i)` + count - 1 of a dimension, with weights(k, i) and their sum(i).
struct Taps {
  std::int64_t count = 1;
  Expr first;  ///< for the variable i
  Halide::Func weights, sum;
};

Taps taps_of(const Call& call, const Resizing& dimension, const Halide::Var& i, Stages& stages) {
  const float stretch = call.boolean("antialias") ? std::min(dimension.scale, 1.0f) : 1.0f;
  const float support = call.word("mode") == "linear" ? 1 : 2;
  const auto reach = static_cast<std::int64_t>(std::ceil(support / stretch));
  const Expr x = coordinate(call, dimension, i);
  Taps taps{2 * reach, Halide::cast<int>(Halide::floor(x)) - narrow(reach - 1), Halide::Func("resize_weights"),
            Halide::Func("resize_weight_sum")};
  const Halide::Var k("k");
  const Expr cell = taps.first + k;
  Expr weight = weight_at(call, (Halide::cast<float>(cell) - x) * stretch);
  if (call.boolean("exclude_outside")) weight = select(cell >= 0 && cell < narrow(dimension.from), weight, 0.0f);
  taps.weights(k, i) = weight;
  const Halide::RDom all(0, narrow(taps.count), "all");
  taps.sum(i) = 0.0f;
  taps.sum(i) += taps.weights(all, i);
  stages.shared.push_back(taps.weights);
  stages.shared.push_back(taps.sum);
  return taps;
}

/// The sum over all taps of all dimensions, by weights from tables.
Expr weighted_sum(const Call& call, const std::vector<Resizing>& list, const Tensor& x, const Index& index, Stages& stages) {
  const std::vector<Halide::Var> at = index_variables(call.result().rank());
  std::vector<std::size_t> resized;
  std::vector<Taps> taps;
  Extents counts;
  for (std::size_t d = 0; d < list.size(); ++d) {
    if (is_unchanged(list[d])) continue;
    resized.push_back(d + 2);
    taps.push_back(taps_of(call, list[d], at[d + 2], stages));
    counts.push_back(taps.back().count);
  }
  if (resized.empty()) return arithmetic::widen(x(index));
  const Domain r = domain_over(counts, "r");
  Index read(at.begin(), at.end());
  Expr weight = 1.0f, sum = 1.0f;
  for (std::size_t t = 0; t < taps.size(); ++t) {
    const std::size_t d = resized[t];
    read[d] = clamp(taps[t].first + r.variables[t], 0, narrow(list[d - 2].from - 1));
    weight *= taps[t].weights(r.variables[t], at[d]);
    sum *= taps[t].sum(index[d]);
  }
  const Halide::Type type = accumulator_type(x.type.element);
  Halide::Func total("resize_total");
  total(storage_order(at)) = Halide::Internal::make_zero(type);
  total(storage_order(at)) += Halide::cast(type, arithmetic::widen(x(read))) * Halide::cast(type, weight);
  stages.accumulators.push_back(total);
  return divide(total(storage_order(index)), Halide::cast(type, sum));
}

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  std::vector<Resizing> list = resizings(call);
  const Halide::Type stored = halide_type(call.result().element);
  Expr is_outside = Halide::Internal::const_false();
  for (std::size_t i = 0; operands.size() > 1 && operands[1] && i < list.size(); ++i) {
    list[i].begin = operands[1]({static_cast<int>(i)});
    list[i].end = operands[1]({static_cast<int>(list.size() + i)});
    const Expr x = coordinate(call, list[i], index[i + 2]);
    is_outside = is_outside || !(arithmetic::less_equal(0.0f, x) && arithmetic::less_equal(x, static_cast<float>(list[i].from - 1)));
  }
  Expr element;
  if (call.word("mode") == "nearest") {
    Index read = index;
    for (std::size_t i = 0; i < list.size(); ++i) read[i + 2] = nearest(call, list[i], index[i + 2]);
    element = operands[0](read);
  } else if (call.word("mode") == "linear" && !call.boolean("antialias") && !call.boolean("exclude_outside")) {
    element = arithmetic::narrow(stored, interpolate(call, list, operands[0], index, index, 2));
  } else {
    element = arithmetic::narrow(stored, weighted_sum(call, list, operands[0], index, stages));
  }
  if (Halide::Internal::is_const_zero(is_outside)) return element;
  return select(is_outside, arithmetic::convert(stored, Expr(call.real("extrapolation_value"))), element);
}

/// One scale for all axes, the smallest or the largest that the sizes ask for; sizes after it.
void keep_aspect_ratio(bool not_larger, const std::vector<std::int64_t>& axes, const std::vector<std::int64_t>& extents,
                       std::vector<double>& scales, std::vector<std::int64_t>& sizes) {
  const auto place = [&](std::int64_t axis) { return static_cast<std::size_t>(axis < 0 ? axis + std::ssize(extents) : axis); };
  double common = 0;
  for (const std::int64_t axis : axes) {
    const double scale = static_cast<double>(sizes[place(axis)]) / static_cast<double>(extents[place(axis)]);
    common = common == 0 ? scale : not_larger ? std::min(common, scale) : std::max(common, scale);
  }
  for (const std::int64_t axis : axes) {
    scales[place(axis)] = common;
    sizes[place(axis)] = static_cast<std::int64_t>(common * static_cast<double>(extents[place(axis)]) + 0.5);
  }
}

/// [begins..., ends...] of the dimensions from `first` on; the region of those that `axes` leaves out is all of them.
ValueId region_of(OnnxBuilder& builder, ValueId region, const std::vector<std::int64_t>& axes, std::size_t rank, std::size_t first) {
  const std::int64_t count = std::ssize(axes);
  if (builder.type(region).element != ElementType::f32) region = builder.emit("cast", {region}, {named_word("type", "f32")});
  if (builder.extents(region) != std::vector<std::int64_t>{2 * count}) builder.fail(fmt::format("roi must have {} numbers", 2 * count));
  const ValueId whole = builder.constant(own({ElementType::f32, {2}}, std::vector<float>{0, 1}));
  region = builder.emit("concat", {region, whole}, {named("axis", std::int64_t{0})});
  std::vector<std::int64_t> places;
  for (std::int64_t side = 0; side < 2; ++side) {
    for (std::size_t d = first; d < rank; ++d) {
      std::int64_t place = 2 * count + side;
      for (std::int64_t i = 0; i < count; ++i) {
        const std::int64_t axis = axes[static_cast<std::size_t>(i)];
        if ((axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis) == static_cast<std::int64_t>(d)) place = side * count + i;
      }
      places.push_back(place);
    }
  }
  return builder.emit("gather", {region, builder.constant(places)});
}

/// Scales or sizes of every dimension, or of `axes`; ours are of the spatial ones. Upsample and opset 10 know one way to find a cell.
void adapt_resize(const OnnxNode& node, OnnxBuilder& builder) {
  ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
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
  if (axes.size() != count || count > rank)
    builder.fail(fmt::format("{} numbers do not fit {} axes of {}", count, axes.size(), to_text(extents)));
  std::vector<double> all_scales(rank, 1);
  std::vector<std::int64_t> all_sizes = extents;
  for (std::size_t i = 0; i < count; ++i) {
    const auto axis = static_cast<std::size_t>(axes[i] < 0 ? axes[i] + static_cast<std::int64_t>(rank) : axes[i]);
    if (axis >= rank) builder.fail(fmt::format("axis {} is none of {}", axes[i], to_text(extents)));
    if (!scales.empty()) all_scales[axis] = scales[i];
    if (!sizes.empty()) all_sizes[axis] = sizes[i];
  }
  const std::string policy = node.text("keep_aspect_ratio_policy", "stretch");
  if (!sizes.empty() && policy != "stretch") keep_aspect_ratio(policy == "not_larger", axes, extents, all_scales, all_sizes);

  // Batch and channels are not spatial to us: where they change, two dimensions stand in for them.
  const bool is_spatial = rank > 2 && all_scales[0] == 1 && all_scales[1] == 1 && all_sizes[0] == extents[0] && all_sizes[1] == extents[1];
  const std::size_t first = is_spatial ? 2 : 0;
  if (!is_spatial) {
    std::vector<std::int64_t> shape = {1, 1};
    shape.insert(shape.end(), extents.begin(), extents.end());
    x = builder.emit("reshape", {x}, {named("shape", shape)});
  }
  Op op = builder.statement();
  op.operands = {x};
  Attributes attributes;
  const std::string mode = node.text("coordinate_transformation_mode", "half_pixel");
  const auto from_first = [&](const auto& numbers) {
    return std::decay_t<decltype(numbers)>(numbers.begin() + std::ptrdiff_t(first), numbers.end());
  };
  bool has_size = !sizes.empty();
  // These modes take extent * factor for the result's extent, also where that is no whole number.
  for (std::size_t i = 0; sizes.empty() && (mode == "align_corners" || mode == "tf_crop_and_resize") && i < rank; ++i) {
    const double length = static_cast<float>(all_scales[i]) * static_cast<float>(extents[i]);
    all_sizes[i] = static_cast<std::int64_t>(length);
    has_size = has_size || length != std::floor(length);
  }
  if (sizes.empty() || policy != "stretch") attributes.push_back(named("scale", from_first(all_scales)));
  if (has_size) attributes.push_back(named("size", from_first(all_sizes)));
  if (is_new && mode == "tf_crop_and_resize") op.operands.push_back(region_of(builder, builder.input(1), axes, rank, first));
  op.attributes.insert(op.attributes.begin(), attributes.begin(), attributes.end());
  if (!is_new) {
    op.attributes.push_back(named_word("coordinate_transformation_mode", "asymmetric"));
    op.attributes.push_back(named_word("nearest_mode", "floor"));
  }
  ValueId result = builder.emit(std::move(op));
  if (!is_spatial) {
    const std::vector<std::int64_t>& shape = builder.extents(result);
    result = builder.emit("reshape", {result}, {named("shape", std::vector<std::int64_t>(shape.begin() + 2, shape.end()))});
  }
  builder.bind(0, result);
}

/// Sizes are the declared extents of the axes; scales are taken for the quotients of the extents, though others could give them, too.
std::vector<Supposition> suppose_extents(const OnnxNode& node, OnnxBuilder& builder) {
  const bool is_new = node.opset >= 11 && node.op_type == "Resize";
  const bool has_sizes = is_new && builder.has(3);
  const std::size_t at = has_sizes ? 3 : is_new ? 2 : 1;
  const std::vector<std::int64_t> extents = builder.extents(builder.input(0));
  const std::int64_t count = entries_of(builder, at);
  std::vector<std::int64_t> axes = node.integers("axes");
  if (node.find("axes") == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) axes.push_back(i);
  }
  if (count < 1 || std::ssize(axes) != count) return {};
  std::vector<double> numbers;
  const std::int64_t rank = std::ssize(extents);
  for (const std::int64_t axis : axes) {
    const std::optional<std::int64_t> to = declared_extent(builder, 0, axis);
    if (axis < -rank || axis >= rank) return {};
    const std::int64_t from = extents[static_cast<std::size_t>(axis < 0 ? axis + std::ssize(extents) : axis)];
    if (!to || from < 1) return {};
    numbers.push_back(has_sizes ? static_cast<double>(*to) : static_cast<float>(static_cast<double>(*to) / static_cast<double>(from)));
  }
  return {suppose_equal(builder, at, numbers)};
}

constexpr OnnxInput resize_inputs[] = {onnx::operand("x"), onnx::adapted("roi"), onnx::adapted("scales"), onnx::adapted("sizes")};
constexpr OnnxForm resize_onnx[] = {
    {.op_type = "Upsample",
     .inputs = {resize_inputs[0], resize_inputs[2]},
     .attributes = {onnx::word("mode", "mode", "nearest", "bilinear=linear"), onnx::adapted_attribute("scales")},
     .adapt = adapt_resize,
     .suppose = suppose_extents},
    {.op_type = "Resize",
     .until = 10,
     .inputs = {resize_inputs[0], resize_inputs[2]},
     .attributes = {onnx::word("mode", "mode", "nearest", "bilinear=linear")},
     .adapt = adapt_resize,
     .suppose = suppose_extents},
    {.op_type = "Resize",
     .since = 11,
     .inputs = {resize_inputs[0], resize_inputs[1], resize_inputs[2], resize_inputs[3]},
     .attributes = {onnx::word("mode", "mode"), onnx::word("coordinate_transformation_mode", "coordinate_transformation_mode"),
                    onnx::word("nearest_mode", "nearest_mode"), onnx::attribute("cubic_coeff_a", "cubic_coeff_a"),
                    onnx::attribute("extrapolation_value", "extrapolation_value"), onnx::flag("exclude_outside", "exclude_outside"),
                    onnx::flag("antialias", "antialias"), onnx::adapted_attribute("axes"),
                    onnx::adapted_attribute("keep_aspect_ratio_policy")},
     .adapt = adapt_resize,
     .suppose = suppose_extents},
};

}  // namespace

extern constinit const Layer resize = {
    .name = "resize",
    .operands = {{"x"}, {"roi", Operand::Kind::optional}},
    .arguments = {optional("scale", ArgumentKind::reals), optional("size", ArgumentKind::extents),
                  optional("mode", ArgumentKind::word, "nearest", "nearest linear cubic"),
                  optional("coordinate_transformation_mode", ArgumentKind::word, "half_pixel",
                           "half_pixel pytorch_half_pixel half_pixel_symmetric asymmetric align_corners tf_crop_and_resize"),
                  optional("nearest_mode", ArgumentKind::word, "round_prefer_floor", "round_prefer_floor round_prefer_ceil floor ceil"),
                  optional("cubic_coeff_a", ArgumentKind::real, "-0.75"), optional("antialias", ArgumentKind::boolean, "false"),
                  optional("exclude_outside", ArgumentKind::boolean, "false"), optional("extrapolation_value", ArgumentKind::real, "0")},
    .traits = {.keeps_channels = true},
    .infer = infer,
    .onnx = resize_onnx,
};
extern constinit const Definition resize_definition = {"resize", define};

}  // namespace calotype::layers
