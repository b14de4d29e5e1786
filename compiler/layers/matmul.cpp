/// \file
/// matmul as NumPy has it: the last two axes are matrices, the axes before them broadcast; a vector on either side is a row or a column that
/// disappears from the result.
///
///   y[..., i, j] = sum over k of a[..., i, k] * b[..., k, j]
///
/// Sums of integers wrap.
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/quantized_contractions.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

struct Shape {
  std::int64_t depth = 0;  ///< extent that is summed over
  Extents batch;  ///< broadcast extents before the matrices
  Extents result;
};

Extents batch_of(const TensorType& type) { return type.rank() < 2 ? Extents() : Extents(type.extents.begin(), type.extents.end() - 2); }

Shape shape_of(const Call& call) {
  const TensorType& a = call.type(0);
  const TensorType& b = call.type(1);
  const auto mismatch = [&](const std::string& why) {
    call.fail(fmt::format("matmul cannot multiply {} {} by {} {}: {}", call.operand(0).name, to_text(a.extents), call.operand(1).name,
                          to_text(b.extents), why));
  };
  if (a.rank() == 0 || b.rank() == 0) mismatch("mul() multiplies by a scalar");
  if (a.element != b.element) call.fail(fmt::format("matmul wants two operands of one type, not {} and {}", to_text(a), to_text(b)));
  Shape shape;
  shape.depth = a.extents.back();
  const std::int64_t rows_of_b = b.rank() == 1 ? b.extents[0] : b.extents[b.extents.size() - 2];
  if (shape.depth != rows_of_b) mismatch(fmt::format("rows of {} meet columns of {}", shape.depth, rows_of_b));

  const Extents left = batch_of(a), right = batch_of(b);
  shape.batch.assign(std::max(left.size(), right.size()), 1);
  for (std::size_t i = 0; i < shape.batch.size(); ++i) {
    const std::size_t from_end = shape.batch.size() - i;
    const std::int64_t l = from_end <= left.size() ? left[left.size() - from_end] : 1;
    const std::int64_t r = from_end <= right.size() ? right[right.size() - from_end] : 1;
    if (l != r && l != 1 && r != 1) mismatch("the axes before the matrices must be equal or 1");
    shape.batch[i] = l == 1 ? r : l;
  }
  shape.result = shape.batch;
  if (a.rank() > 1) shape.result.push_back(a.extents[a.extents.size() - 2]);
  if (b.rank() > 1) shape.result.push_back(b.extents.back());
  return shape;
}

std::vector<TensorType> infer(const Call& call) {
  const ElementType element = require_accumulable(call);
  return {{element, shape_of(call).result}};
}

std::int64_t multiply_adds(const Call& call) { return checked_multiply(call.result().elements(), shape_of(call).depth); }

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Shape shape = shape_of(call);
  const Tensor& a = operands[0];
  const Tensor& b = operands[1];
  const Halide::Type type = accumulator_type(a.type.element);
  const Domain r = domain_over({shape.depth}, "r");
  const std::vector<Halide::Var> at = index_variables(static_cast<int>(shape.result.size()));

  const Index batch(at.begin(), at.begin() + static_cast<std::ptrdiff_t>(shape.batch.size()));
  const TensorType batch_type = {a.type.element, shape.batch};
  Index left = broadcast_index({a.type.element, batch_of(a.type)}, batch_type, batch);
  Index right = broadcast_index({b.type.element, batch_of(b.type)}, batch_type, batch);
  if (a.type.rank() > 1) left.emplace_back(at[shape.batch.size()]);
  left.push_back(r.variables[0]);
  right.push_back(r.variables[0]);
  if (b.type.rank() > 1) right.emplace_back(at.back());

  Halide::Func sum("matmul_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  sum(storage_order(at)) = multiply_add(sum(storage_order(at)), a(left), b(right));
  stages.accumulators.push_back(sum);
  return Halide::cast(halide_type(a.type.element), sum(storage_order(index)));
}

/// By known numbers it is a dense layer, which has schedules of its own.
void adapt_matmul(const OnnxNode&, OnnxBuilder& builder) {
  const ValueId a = builder.input(0), b = builder.input(1);
  const bool is_dense = builder.is_known(b) && !builder.is_known(a) && builder.type(b).rank() == 2 && builder.type(a).rank() >= 1 &&
                        is_float(builder.type(b).element);
  if (!is_dense) return builder.bind(0, builder.emit("matmul", {a, b}));
  const Attributes attributes = {named("units", builder.extents(b)[1]), named("bias", false)};
  builder.bind(0, builder.emit("dense", {a, builder.emit("transpose", {b})}, attributes));
}

constexpr OnnxForm matmul_onnx[] = {
    {.op_type = "MatMul", .adapt = adapt_matmul},
    {.op_type = "MatMulInteger", .adapt = adapt_matmul_integer},
    {.op_type = "QLinearMatMul", .adapt = adapt_qlinear_matmul},
};

}  // namespace

extern constinit const Layer matmul = {
    .name = "matmul",
    .operands = {{"a"}, {"b"}},
    .arguments = {activation_argument},
    .traits = {.reduces_channels = true, .takes_epilogue = true},
    .infer = infer,
    .multiply_adds = multiply_adds,
    .onnx = matmul_onnx,
};
extern constinit const Definition matmul_definition = {"matmul", define};

}  // namespace calotype::layers
