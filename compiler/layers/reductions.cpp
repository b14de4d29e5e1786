/// \file
/// reduce_sum, reduce_mean, reduce_max, reduce_min over `axes` (all, if none is given). With keep_dims the reduced extents become 1, else they go.
/// Sums of integers wrap. A NaN makes the maximum and the minimum NaN.
#include <fmt/format.h>

#include "layers/elementwise.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::vector<bool> reduced_dimensions(const Call& call) {
  const bool is_chosen = call.has_argument("axes");
  std::vector<bool> reduced(call.type(0).extents.size(), !is_chosen);
  if (is_chosen) {
    for (const int axis : call.axes("axes", call.type(0).rank())) reduced[static_cast<std::size_t>(axis)] = true;
  }
  return reduced;
}

TensorType reduced_type(const Call& call) {
  const std::vector<bool> reduced = reduced_dimensions(call);
  const bool keeps = call.boolean("keep_dims");
  TensorType result = {call.type(0).element, {}};
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) result.extents.push_back(call.type(0).extents[i]);
    if (reduced[i] && keeps) result.extents.push_back(1);
  }
  return result;
}

/// Elements of the operand for each one of the result.
std::int64_t cells_of(const Call& call) {
  const std::vector<bool> reduced = reduced_dimensions(call);
  std::int64_t cells = 1;
  for (std::size_t i = 0; i < reduced.size(); ++i) cells *= reduced[i] ? call.type(0).extents[i] : 1;
  return cells;
}

std::vector<TensorType> infer_sum(const Call& call) {
  if (call.type(0).element == ElementType::boolean) call.unsupported("reduce_sum is not defined for bool");
  return {reduced_type(call)};
}

std::vector<TensorType> infer_nonempty(const Call& call) {
  if (cells_of(call) == 0)
    call.fail(fmt::format("{} of no elements: {} has an extent of 0", call.layer().name, to_text(call.type(0).extents)));
  return {reduced_type(call)};
}

std::vector<TensorType> infer_mean(const Call& call) {
  require_float(call);
  return infer_nonempty(call);
}

enum class Reduction { sum, mean, maximum, minimum };

template <Reduction reduction>
Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  using arithmetic::like;
  constexpr bool is_sum = reduction == Reduction::sum || reduction == Reduction::mean;
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  // A long sum in f32 would lose what is added last.
  const bool is_long = cells_of(call) > 4096;
  const Halide::Type type = !stored.is_float() ? stored : is_sum && is_long ? Halide::Float(64) : accumulator_type(x.type.element);
  const auto widened = [&](const Index& at) { return Halide::cast(type, arithmetic::widen(x(at))); };

  const std::vector<bool> reduced = reduced_dimensions(call);
  Extents extents;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (reduced[i]) extents.push_back(x.type.extents[i]);
  }
  if (extents.empty()) return x(index);
  const Domain domain = domain_over(extents, "r");

  const std::vector<Halide::Var> at = index_variables(call.result().rank());
  const bool keeps = call.boolean("keep_dims");
  Index read, first;
  std::size_t next_result = 0, next_cell = 0;
  for (const bool is_reduced : reduced) {
    read.push_back(is_reduced ? domain.variables[next_cell++] : Halide::Expr(at[next_result]));
    first.push_back(is_reduced ? Halide::Expr(0) : Halide::Expr(at[next_result]));
    if (!is_reduced || keeps) ++next_result;
  }

  Halide::Func total(call.op().kind + "_total");
  const auto arguments = storage_order(at);
  if constexpr (is_sum) {
    total(arguments) = Halide::Internal::make_zero(type);
    total(arguments) = arithmetic::add(total(arguments), widened(read));
  } else {
    total(arguments) = widened(first);
    const Halide::Expr so_far = total(arguments);
    total(arguments) =
        reduction == Reduction::maximum ? arithmetic::maximum(so_far, widened(read)) : arithmetic::minimum(so_far, widened(read));
  }
  stages.accumulators.push_back(total);
  Halide::Expr result = total(storage_order(index));
  if (reduction == Reduction::mean) result = arithmetic::divide(result, like(result, static_cast<double>(cells_of(call))));
  return arithmetic::narrow(stored, result);
}

constexpr Layer reduction(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"x"}},
          .arguments = {optional("axes", ArgumentKind::integers), optional("keep_dims", ArgumentKind::boolean, "true")},
          .infer = infer,
          .onnx = onnx};
}

/// No axes at all are all axes, or with noop_with_empty_axes none.
void adapt_reduction(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> axes = builder.has(1) ? builder.integers(1) : node.integers("axes");
  if (axes.empty() && node.integer("noop_with_empty_axes", 0) != 0) return builder.bind(0, x);
  Op op = builder.statement();
  op.operands = {x};
  if (!axes.empty()) op.attributes.insert(op.attributes.begin(), named("axes", axes));
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm reduction_form(std::string_view op_type) {
  return {.op_type = op_type,
          .inputs = {onnx::operand("x"), onnx::adapted("axes")},
          .attributes = {onnx::flag("keepdims", "keep_dims"), onnx::adapted_attribute("axes"), onnx::adapted_attribute("noop_with_empty_axes")},
          .adapt = adapt_reduction};
}
constexpr OnnxForm reduce_max_onnx[] = {reduction_form("ReduceMax")};
constexpr OnnxForm reduce_mean_onnx[] = {reduction_form("ReduceMean")};
constexpr OnnxForm reduce_min_onnx[] = {reduction_form("ReduceMin")};
constexpr OnnxForm reduce_sum_onnx[] = {reduction_form("ReduceSum")};

}  // namespace

extern constinit const Layer reduce_max = reduction("reduce_max", infer_nonempty, reduce_max_onnx);
extern constinit const Layer reduce_mean = reduction("reduce_mean", infer_mean, reduce_mean_onnx);
extern constinit const Layer reduce_min = reduction("reduce_min", infer_nonempty, reduce_min_onnx);
extern constinit const Layer reduce_sum = reduction("reduce_sum", infer_sum, reduce_sum_onnx);

extern constinit const Definition reduce_max_definition = {"reduce_max", define<Reduction::maximum>};
extern constinit const Definition reduce_mean_definition = {"reduce_mean", define<Reduction::mean>};
extern constinit const Definition reduce_min_definition = {"reduce_min", define<Reduction::minimum>};
extern constinit const Definition reduce_sum_definition = {"reduce_sum", define<Reduction::sum>};

}  // namespace calotype::layers
