/// \file
/// det: the determinant of each square matrix in the last two dimensions. Beyond 2x2 by elimination with partial pivoting: step k subtracts from
/// each row below the pivot what makes its entry in column k zero; the determinant is the product of the pivots, with a sign for each exchange.
#include <fmt/format.h>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

constexpr std::int64_t largest_matrix = 32;

std::vector<TensorType> infer(const Call& call) {
  const TensorType& x = call.type(0);
  require_float(call);
  require_rank(call, 2, "square matrices");
  const std::int64_t rows = x.extents[x.extents.size() - 2];
  if (rows != x.extents.back()) call.fail(fmt::format("det wants square matrices, not {}", to_text(x.extents)));
  if (rows > largest_matrix) call.unsupported(fmt::format("det of {0}x{0} matrices: {1}x{1} are the largest", rows, largest_matrix));
  return {{x.element, std::vector<std::int64_t>(x.extents.begin(), x.extents.end() - 2)}};
}

/// A table over the batch, with two more arguments in front for rows and columns where they are given.
template <typename T>
std::vector<T> arguments(const std::vector<T>& batch, std::vector<T> column_and_row = {}) {
  const std::vector<T> rest = storage_order(batch);
  column_and_row.insert(column_and_row.end(), rest.begin(), rest.end());
  return column_and_row;
}

Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  using namespace arithmetic;  // NOLINT: products and differences below are all of floats
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element), type = accumulator_type(x.type.element);
  const int size = narrow(x.type.extents.back());
  const auto entry = [&](const Index& batch, const Expr& row, const Expr& column) {
    Index at = batch;
    at.push_back(row);
    at.push_back(column);
    return Halide::cast(type, x(at));
  };
  if (size == 0) return Halide::Internal::make_one(stored);
  if (size == 1)
    return x([&] {
      Index at = index;
      at.insert(at.end(), 2, Expr(0));
      return at;
    }());
  if (size == 2) {
    const Expr down = multiply(entry(index, 0, 0), entry(index, 1, 1)), up = multiply(entry(index, 0, 1), entry(index, 1, 0));
    return arithmetic::narrow(stored, subtract(down, up));
  }

  const std::vector<Halide::Var> variables = index_variables(call.result().rank());
  const Index batch(variables.begin(), variables.end());
  const Halide::Var row("row"), column("column");
  Halide::Func matrix("det_matrix");
  matrix(arguments<Halide::Var>(variables, {column, row})) = entry(batch, row, column);
  stages.shared.push_back(matrix);
  Expr product;
  for (int k = 0; k < size; ++k) {
    const auto at = [&](const Index& b, const Expr& r, const Expr& c) { return matrix(arguments<Expr>(b, {c, r})); };
    if (k + 1 == size) {
      product = multiply(product, at(index, k, k));
      break;
    }
    // The row of the largest entry of column k, at or below row k.
    const Halide::RDom r(k, size - k, "r");
    Halide::Func pivot("det_pivot");
    pivot(arguments<Halide::Var>(variables)) = k;
    const auto pivot_at = [&](const Index& b) { return Halide::clamp(pivot(arguments<Expr>(b)), k, size - 1); };
    const Expr so_far = pivot_at(batch);
    pivot(arguments<Halide::Var>(variables)) =
        Halide::select(less(absolute(at(batch, so_far, k)), absolute(at(batch, r, k))), Expr(r), so_far);
    stages.shared.push_back(pivot);

    const Expr chosen = pivot_at(batch), largest = at(batch, chosen, k), exchanged = Halide::select(row == chosen, Expr(k), row);
    const Expr factor = Halide::select(equal(largest, like(largest, 0)), like(largest, 0), divide(at(batch, exchanged, k), largest));
    Halide::Func next("det_matrix");
    next(arguments<Halide::Var>(variables, {column, row})) =
        subtract(at(batch, exchanged, column), multiply(factor, at(batch, chosen, column)));
    const Expr here = at(index, pivot_at(index), k);
    const Expr signed_pivot = Halide::select(pivot_at(index) == k, here, negate(here));
    product = product.defined() ? multiply(product, signed_pivot) : signed_pivot;
    stages.shared.push_back(next);
    matrix = next;
  }
  return arithmetic::narrow(stored, product);
}

constexpr OnnxForm det_onnx[] = {{.op_type = "Det", .note = "of matrices up to 32x32"}};

}  // namespace

extern constinit const Layer det = {
    .name = "det",
    .operands = {{"x"}},
    .infer = infer,
    .onnx = det_onnx,
};
extern constinit const Definition det_definition = {"det", define};

}  // namespace calotype::layers
