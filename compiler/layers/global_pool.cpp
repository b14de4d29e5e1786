/// \file
/// global_average_pool and global_max_pool: one number for each channel, over all spatial dimensions, which stay with extent 1.
#include <fmt/format.h>

#include <limits>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

/// [batch, channels, 1...]
std::vector<TensorType> infer(const Call& call) {
  const TensorType& x = call.type(0);
  spatial_rank(call, x);
  Extents extents(x.extents.size(), 1);
  extents[0] = x.extents[0];
  extents[1] = x.extents[1];
  return {{x.element, extents}};
}

std::vector<TensorType> infer_average(const Call& call) {
  require_float(call);
  return infer(call);
}

/// The operand's index for a cell of the reduction.
Index cell_of(const std::vector<Halide::Var>& at, const Domain& r) {
  Index cell = {at[0], at[1]};
  cell.insert(cell.end(), r.variables.begin(), r.variables.end());
  return cell;
}

Halide::Expr define_average(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const Extents reduced = spatial_extents(x.type);
  const Domain r = domain_over(reduced, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());

  Halide::Func sum("global_average_pool_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  sum(storage_order(at)) += Halide::cast(type, x(cell_of(at, r)));
  stages.accumulators.push_back(sum);
  const Halide::Expr count = Halide::Internal::make_const(type, static_cast<double>(checked_product(reduced)));
  return Halide::cast(halide_type(x.type.element), arithmetic::divide(sum(storage_order(index)), count));
}

Halide::Expr define_max(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  const Halide::Type type = arithmetic::widen(Halide::Internal::make_zero(stored)).type();
  const Domain r = domain_over(spatial_extents(x.type), "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());

  Halide::Func largest("global_max_pool_largest");
  largest(storage_order(at)) = type.is_float() ? Halide::Internal::make_const(type, -std::numeric_limits<double>::infinity()) : type.min();
  largest(storage_order(at)) = arithmetic::maximum(largest(storage_order(at)), arithmetic::widen(x(cell_of(at, r))));
  stages.accumulators.push_back(largest);
  return Halide::cast(stored, largest(storage_order(index)));
}

constexpr OnnxForm global_average_pool_onnx[] = {{.op_type = "GlobalAveragePool"}};
constexpr OnnxForm global_max_pool_onnx[] = {{.op_type = "GlobalMaxPool"}};

}  // namespace

extern constinit const Layer global_average_pool = {
    .name = "global_average_pool",
    .operands = {{"x"}},
    .traits = {.takes_epilogue = true, .keeps_channels = true},
    .infer = infer_average,
    .onnx = global_average_pool_onnx,
};
extern constinit const Definition global_average_pool_definition = {"global_average_pool", define_average};

extern constinit const Layer global_max_pool = {
    .name = "global_max_pool",
    .operands = {{"x"}},
    .traits = {.takes_epilogue = true, .keeps_channels = true},
    .infer = infer,
    .onnx = global_max_pool_onnx,
};
extern constinit const Definition global_max_pool_definition = {"global_max_pool", define_max};

}  // namespace calotype::layers
