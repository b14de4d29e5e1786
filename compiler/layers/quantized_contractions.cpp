/// \file
/// ConvInteger, QLinearConv, MatMulInteger and QLinearMatMul as layers that exist without them.
#include "layers/quantized_contractions.h"

#include <fmt/format.h>

#include <algorithm>

namespace calotype::layers {
namespace {

/// The parameter (a scale or a zero point) with its numbers along dimension `axis` of a tensor of that rank; a lone number as a scalar. What
/// already has the rank stays.
ValueId along(OnnxBuilder& builder, ValueId parameter, std::size_t axis, std::size_t rank) {
  const std::vector<std::int64_t> extents = builder.extents(parameter);
  if (extents.empty() || extents.size() == rank) return parameter;
  const std::int64_t count = builder.type(parameter).elements();
  if (count == 1) return builder.emit("reshape", {parameter}, {named("shape", std::vector<std::int64_t>{})});
  if (extents.size() != 1) builder.fail(fmt::format("a parameter of {} does not fit a tensor of rank {}", to_text(extents), rank));
  std::vector<std::int64_t> shape(rank, 1);
  shape[axis] = count;
  return shape.size() == 1 ? parameter : builder.emit("reshape", {parameter}, {named("shape", shape)});
}

bool is_zero(const OnnxBuilder& builder, ValueId value) {
  const std::optional<TensorData> data = builder.known(value);
  if (!data) return false;
  for (std::int64_t i = 0; i < data->type.elements(); ++i) {
    if (load_as_double(*data, i) != 0) return false;
  }
  return true;
}

/// The operand as i32 with its zero point taken away.
ValueId centred(OnnxBuilder& builder, ValueId x, ValueId zero_point, std::size_t axis) {
  const auto wide = [&](ValueId value) { return builder.emit("cast", {value}, {named_word("type", "i32")}); };
  const std::size_t rank = builder.extents(x).size();
  const ValueId number = wide(x);
  if (zero_point == no_value || is_zero(builder, zero_point)) return number;
  return builder.emit("sub", {number, along(builder, wide(zero_point), axis, rank)});
}

/// round(sum * (scale of a * scale of b / scale of y)) + zero point, saturated. The product of scales is taken first, as ONNX Runtime does.
ValueId requantized(OnnxBuilder& builder, ValueId sum, ValueId scale, ValueId scale_of_y, ValueId zero_point) {
  const ElementType element = builder.type(scale).element;
  const auto wide = [&](ValueId value) {
    return builder.type(value).element == ElementType::f32 ? value : builder.emit("cast", {value}, {named_word("type", "f32")});
  };
  if (!is_float(element)) builder.fail("scales must be floating-point numbers");
  const ValueId factor = builder.emit("div", {wide(scale), along(builder, wide(scale_of_y), 0, builder.extents(sum).size())});
  const ValueId scaled = builder.emit("mul", {wide(sum), factor});
  return builder.emit("quantize_linear",
                      {scaled, builder.constant(ElementType::f32, 1), along(builder, zero_point, 0, builder.extents(sum).size())});
}

void require_one(const OnnxBuilder& builder, std::size_t input) {
  if (builder.type(builder.input(input)).elements() != 1)
    builder.unsupported(fmt::format("{} must be one number", builder.node().inputs[input]));
}

}  // namespace

void adapt_conv_integer(const OnnxNode& node, OnnxBuilder& builder) {
  if (builder.has(2)) require_one(builder, 2);
  const ValueId x = centred(builder, builder.input(0), builder.input_or_none(2), 1);
  const ValueId weight = centred(builder, builder.input(1), builder.input_or_none(3), 0);
  builder.bind(0, emit_conv(node, builder, x, weight, no_value));
}

void adapt_qlinear_conv(const OnnxNode& node, OnnxBuilder& builder) {
  for (const std::size_t single : {1U, 2U, 6U, 7U}) require_one(builder, single);
  const std::size_t rank = builder.extents(builder.input(0)).size();
  const ValueId x = centred(builder, builder.input(0), builder.input(2), 1);
  const ValueId weight = centred(builder, builder.input(3), builder.input(5), 0);
  const ValueId sum = emit_conv(node, builder, x, weight, builder.input_or_none(8));
  const ValueId scale = builder.emit("mul", {along(builder, builder.input(1), 1, rank), along(builder, builder.input(4), 1, rank)});
  builder.bind(0, requantized(builder, sum, scale, builder.input(6), builder.input(7)));
}

void adapt_matmul_integer(const OnnxNode&, OnnxBuilder& builder) {
  // Zero points go by rows of the left and by columns of the right matrix.
  const std::size_t rank = builder.extents(builder.input(0)).size();
  const ValueId a = centred(builder, builder.input(0), builder.input_or_none(2), rank < 2 ? 0 : rank - 2);
  const std::size_t other = builder.extents(builder.input(1)).size();
  const ValueId b = centred(builder, builder.input(1), builder.input_or_none(3), other < 1 ? 0 : other - 1);
  builder.bind(0, builder.emit("matmul", {a, b}));
}

void adapt_qlinear_matmul(const OnnxNode&, OnnxBuilder& builder) {
  require_one(builder, 6);
  require_one(builder, 7);
  const std::size_t rank = builder.extents(builder.input(0)).size(), other = builder.extents(builder.input(3)).size();
  if (rank < 2 || other < 2) builder.unsupported("of vectors");
  const ValueId a = centred(builder, builder.input(0), builder.input(2), rank - 2);
  const ValueId b = centred(builder, builder.input(3), builder.input(5), other - 1);
  const ValueId sum = builder.emit("matmul", {a, b});
  const ValueId scale =
      builder.emit("mul", {along(builder, builder.input(1), rank - 2, rank), along(builder, builder.input(4), other - 1, other)});
  builder.bind(0, requantized(builder, sum, scale, builder.input(6), builder.input(7)));
}

}  // namespace calotype::layers
