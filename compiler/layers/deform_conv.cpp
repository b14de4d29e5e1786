/// \file
/// deform_conv: a convolution of pictures whose kernel cells each move by an offset that is an operand, scaled by a mask if there is one.
///
///   y[n,o,p] = bias[o] + sum over i, k of weight[o,i,k] * mask[n,k,p] * x[n, i, p*stride + k*dilation - begin + offset[n,k,p]]
///
/// x between its pixels is interpolated linearly, and 0 outside. Offsets are [batch, offset_group * cells * 2, rows, columns]: for each cell of
/// the kernel down, then right. Dai et al., "Deformable Convolutional Networks" (2017).
#include <fmt/format.h>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

enum Position { x_at, weight_at, offset_at, bias_at, mask_at };

struct Shape {
  std::int64_t channels = 0, filters = 0, groups = 1, offset_groups = 1, cells = 0;
  Window window;
};

Shape shape_of(const Call& call) {
  const TensorType& x = call.type(x_at);
  const TensorType& weight = call.type(weight_at);
  if (x.rank() != 4 || weight.rank() != 4)
    call.unsupported(fmt::format("deform_conv of {} with a weight of {}: pictures are", to_text(x), to_text(weight)));
  Shape shape;
  shape.channels = x.extents[1];
  shape.filters = weight.extents[0];
  shape.groups = call.integer("groups");
  shape.offset_groups = call.integer("offset_group");
  const bool fits = shape.groups > 0 && shape.offset_groups > 0 && weight.extents[1] * shape.groups == shape.channels &&
                    shape.filters % shape.groups == 0 && shape.channels % shape.offset_groups == 0;
  if (!fits) {
    call.fail(fmt::format("{} groups and {} offset groups do not fit {} and a weight of {}", shape.groups, shape.offset_groups,
                          to_text(x.extents), to_text(weight.extents)));
  }
  shape.window = window_of(call, spatial_extents(weight));
  shape.cells = checked_product(shape.window.kernel);
  return shape;
}

void require_extents(const Call& call, int position, const Extents& wanted) {
  if (!call.has(position) || call.type(position).extents == wanted) return;
  call.fail(fmt::format("{} must be {}, not {}", call.operand(position).name, to_text(wanted), to_text(call.type(position).extents)));
}

std::vector<TensorType> infer(const Call& call) {
  const ElementType element = require_float(call);
  for (int i = 1; i < call.operand_count(); ++i) {
    if (call.has(i) && call.type(i).element != element) call.fail("deform_conv wants operands of one type");
  }
  const Shape shape = shape_of(call);
  const std::int64_t batch = call.type(x_at).extents[0], rows = shape.window.output[0], columns = shape.window.output[1];
  require_extents(call, offset_at, {batch, shape.offset_groups * shape.cells * 2, rows, columns});
  require_extents(call, bias_at, {shape.filters});
  require_extents(call, mask_at, {batch, shape.offset_groups * shape.cells, rows, columns});
  return {{element, {batch, shape.filters, rows, columns}}};
}

std::int64_t multiply_adds(const Call& call) {
  const Shape shape = shape_of(call);
  return checked_multiply(call.result().elements(), checked_multiply(shape.channels / shape.groups, shape.cells));
}

/// A place between two cells of a dimension: the first of them and how far the place lies from it.
struct Place {
  Expr cell, rest;
};

Place place_of(const Expr& where, std::int64_t extent) {
  // Far outside nothing is read; nearer numbers fit an index. NaN is far outside.
  const Expr bounded = Halide::select(arithmetic::less_equal(arithmetic::like(where, -2), where) &&
                                          arithmetic::less_equal(where, arithmetic::like(where, static_cast<double>(extent + 1))),
                                      where, arithmetic::like(where, -2));
  const Expr down = Halide::floor(bounded);
  return {Halide::cast<int>(down), arithmetic::subtract(bounded, down)};
}

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Shape shape = shape_of(call);
  const Window& window = shape.window;
  const Tensor& x = operands[x_at];
  const Halide::Type type = accumulator_type(x.type.element);
  const auto has = [&](std::size_t position) { return operands.size() > position && operands[position]; };
  const std::vector<Halide::Var> at = index_variables(4);
  const Domain r = domain_over({shape.channels / shape.groups, window.kernel[0], window.kernel[1]}, "r");

  Expr channel = r.variables[0];
  if (shape.groups > 1) channel += at[1] / narrow(shape.filters / shape.groups) * narrow(shape.channels / shape.groups);
  Expr cell = r.variables[1] * narrow(window.kernel[1]) + r.variables[2];
  if (shape.offset_groups > 1) cell += channel / narrow(shape.channels / shape.offset_groups) * narrow(shape.cells);
  std::vector<Place> places;
  for (std::size_t d = 0; d < 2; ++d) {
    const Expr regular = at[d + 2] * narrow(window.stride[d]) + r.variables[d + 1] * narrow(window.dilation[d]) - narrow(window.begin[d]);
    const Expr offset = Halide::cast(type, operands[offset_at]({at[0], cell * 2 + static_cast<int>(d), at[2], at[3]}));
    places.push_back(place_of(Halide::cast(type, regular) + offset, x.type.extents[d + 2]));
  }
  Expr sample = Halide::Internal::make_zero(type);
  for (int corner = 0; corner < 4; ++corner) {
    Index there = {at[0], channel};
    Expr share = Halide::Internal::make_one(type);
    for (std::size_t d = 0; d < 2; ++d) {
      const bool is_next = ((corner >> d) & 1) != 0;
      there.push_back(places[d].cell + (is_next ? 1 : 0));
      share *= is_next ? places[d].rest : Halide::Internal::make_one(type) - places[d].rest;
    }
    sample += share * Halide::cast(type, read_padded(x, there, {false, false, true, true}, 0));
  }
  if (has(mask_at)) sample *= Halide::cast(type, operands[mask_at]({at[0], cell, at[2], at[3]}));

  Halide::Func sum("deform_conv_sum");
  sum(storage_order(at)) = has(bias_at) ? Halide::cast(type, operands[bias_at]({at[1]})) : Halide::Internal::make_zero(type);
  sum(storage_order(at)) += Halide::cast(type, operands[weight_at]({at[1], r.variables[0], r.variables[1], r.variables[2]})) * sample;
  stages.accumulators.push_back(sum);
  return arithmetic::narrow(halide_type(x.type.element), sum(storage_order(index)));
}

void adapt_deform_conv(const OnnxNode& node, OnnxBuilder& builder) {
  if (builder.extents(builder.input(0)).size() != 4) builder.unsupported("other than of pictures");
  Op op = builder.statement();
  adapt_padding(node, builder, 2, op.attributes);
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm deform_conv_onnx[] = {{
    .op_type = "DeformConv",
    .attributes = {onnx::attribute("strides", "stride"), onnx::attribute("dilations", "dilation"), onnx::attribute("group", "groups"),
                   onnx::attribute("offset_group", "offset_group"), onnx::adapted_attribute("pads"), onnx::ignored("kernel_shape")},
    .adapt = adapt_deform_conv,
    .note = "of pictures: two spatial dimensions",
}};

}  // namespace

extern constinit const Layer deform_conv = {
    .name = "deform_conv",
    .operands = {{"x"}, {"weight"}, {"offset"}, {"bias", Operand::Kind::optional}, {"mask", Operand::Kind::optional}},
    .arguments = {optional("stride", ArgumentKind::extents, "1"), optional("dilation", ArgumentKind::extents, "1"),
                  optional("padding", ArgumentKind::padding, "valid"), optional("groups", ArgumentKind::integer, "1"),
                  optional("offset_group", ArgumentKind::integer, "1")},
    .traits = {.reduces_channels = true, .takes_epilogue = true},
    .infer = infer,
    .multiply_adds = multiply_adds,
    .onnx = deform_conv_onnx,
};
extern constinit const Definition deform_conv_definition = {"deform_conv", define};

}  // namespace calotype::layers
