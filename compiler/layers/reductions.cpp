/// \file
/// Reductions over `axes` (all, if none is given). With keep_dims the reduced extents become 1, else they go.
///
///   reduce_sum, reduce_mean, reduce_prod, reduce_max, reduce_min
///   reduce_l1, reduce_l2            the sum of absolute values; the root of the sum of squares
///   reduce_sum_square               the sum of squares
///   reduce_log_sum                  the logarithm of the sum
///   reduce_log_sum_exp              the logarithm of the sum of exponentials, without overflow
///
/// Sums and products of integers wrap. A NaN makes the maximum and the minimum NaN. Of no elements the sum is 0, the product 1, the maximum the
/// least number of the type; a mean there is none.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "layers/elementwise.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
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

/// What a layer does to each element, how it joins two, and what it makes of the last total.
enum class Reduction { sum, mean, maximum, minimum, product, l1, l2, log_sum, log_sum_exp, sum_square };

constexpr bool is_extreme(Reduction reduction) { return reduction == Reduction::maximum || reduction == Reduction::minimum; }
/// Those that only floats have.
constexpr bool wants_float(Reduction reduction) {
  return reduction == Reduction::mean || reduction == Reduction::log_sum || reduction == Reduction::log_sum_exp;
}

template <Reduction reduction>
std::vector<TensorType> infer(const Call& call) {
  if (wants_float(reduction)) require_float(call);
  if (call.type(0).element == ElementType::boolean && !is_extreme(reduction)) {
    call.unsupported(fmt::format("{} is not defined for bool", call.layer().name));
  }
  if (reduction == Reduction::mean && cells_of(call) == 0) {
    call.fail(fmt::format("{} of no elements: {} has an extent of 0", call.layer().name, to_text(call.type(0).extents)));
  }
  return {reduced_type(call)};
}

/// Where a total starts: what a reduction of no elements gives.
Halide::Expr neutral(Reduction reduction, const Halide::Type& type, bool is_boolean) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  switch (reduction) {
    case Reduction::maximum: return type.is_float() ? Halide::Internal::make_const(type, -infinity) : type.min();
    case Reduction::minimum:
      if (is_boolean) return Halide::Internal::make_one(type);
      return type.is_float() ? Halide::Internal::make_const(type, infinity) : type.max();
    case Reduction::product: return Halide::Internal::make_one(type);
    default: return Halide::Internal::make_zero(type);
  }
}

/// What is added up: |x|, x^2, or x.
Halide::Expr term(Reduction reduction, const Halide::Expr& x) {
  switch (reduction) {
    case Reduction::l1: return arithmetic::absolute(x);
    case Reduction::l2:
    case Reduction::sum_square: return arithmetic::multiply(x, x);
    default: return x;
  }
}

Halide::Expr joined(Reduction reduction, const Halide::Expr& so_far, const Halide::Expr& x) {
  switch (reduction) {
    case Reduction::maximum: return arithmetic::maximum(so_far, x);
    case Reduction::minimum: return arithmetic::minimum(so_far, x);
    case Reduction::product: return arithmetic::multiply(so_far, x);
    default: return arithmetic::add(so_far, x);
  }
}

/// The result of a total. The root of integers is that of a double, truncated.
Halide::Expr finished(Reduction reduction, const Halide::Expr& total, std::int64_t cells) {
  switch (reduction) {
    case Reduction::mean: return arithmetic::divide(total, arithmetic::like(total, static_cast<double>(cells)));
    case Reduction::l2:
      if (total.type().is_float()) return arithmetic::square_root(total);
      return arithmetic::convert(total.type(), arithmetic::square_root(arithmetic::convert(Halide::Float(64), total)));
    case Reduction::log_sum: return arithmetic::log(total);
    default: return total;
  }
}

/// How the operand is walked for each element of the result.
struct Walk {
  std::vector<Halide::Var> at;  ///< of the result, in logical order
  Index read;  ///< of the operand, through `domain`
  Domain domain;
};

Walk walk_of(const Call& call, const std::vector<bool>& reduced, const char* name) {
  const TensorType& x = call.type(0);
  Extents extents;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (reduced[i]) extents.push_back(x.extents[i]);
  }
  Walk walk = {index_variables(call.result().rank()), {}, domain_over(extents, name)};
  const bool keeps = call.boolean("keep_dims");
  std::size_t next_result = 0, next_cell = 0;
  for (const bool is_reduced : reduced) {
    walk.read.push_back(is_reduced ? walk.domain.variables[next_cell++] : Halide::Expr(walk.at[next_result]));
    if (!is_reduced || keeps) ++next_result;
  }
  return walk;
}

template <Reduction reduction>
Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  const std::int64_t cells = cells_of(call);
  // A long sum in f32 would lose what is added last.
  const bool is_long = cells > 4096 && !is_extreme(reduction);
  const Halide::Type type = !stored.is_float() ? stored : is_long ? Halide::Float(64) : accumulator_type(x.type.element);
  const auto read = [&](const Index& at) { return term(reduction, Halide::cast(type, arithmetic::widen(x(at)))); };
  const auto result = [&](const Halide::Expr& total) { return arithmetic::narrow(stored, finished(reduction, total, cells)); };

  const std::vector<bool> reduced = reduced_dimensions(call);
  if (cells == 0) return result(neutral(reduction, type, x.type.element == ElementType::boolean));
  if (std::find(reduced.begin(), reduced.end(), true) == reduced.end()) return result(read(index));

  const Walk walk = walk_of(call, reduced, "r");
  const auto arguments = storage_order(walk.at);
  Halide::Func total(call.op().kind + "_total");
  total(arguments) = neutral(reduction, type, x.type.element == ElementType::boolean);
  total(arguments) = joined(reduction, total(arguments), read(walk.read));
  stages.accumulators.push_back(total);
  return result(total(storage_order(index)));
}

/// log(sum over i of exp(x[i] - m)) + m, where m is the largest x[i], or 0 where that is infinite or no number.
Halide::Expr define_log_sum_exp(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element), type = accumulator_type(x.type.element);
  const auto read = [&](const Index& at) { return Halide::cast(type, arithmetic::widen(x(at))); };
  const std::vector<bool> reduced = reduced_dimensions(call);
  if (cells_of(call) == 0) return neutral(Reduction::maximum, stored, false);
  if (std::find(reduced.begin(), reduced.end(), true) == reduced.end()) return x(index);

  const Walk first = walk_of(call, reduced, "r_largest"), second = walk_of(call, reduced, "r_sum");
  Halide::Func largest(call.op().kind + "_largest"), sum(call.op().kind + "_sum");
  const auto arguments = storage_order(first.at);
  largest(arguments) = neutral(Reduction::maximum, type, false);
  largest(arguments) = arithmetic::maximum(largest(arguments), read(first.read));
  const auto shift_at = [&](const std::vector<Halide::Expr>& at) {
    const Halide::Expr m = largest(at);
    const Halide::Expr bound = Halide::Internal::make_const(type, std::numeric_limits<double>::infinity());
    return Halide::select(arithmetic::less(arithmetic::absolute(m), bound), m, Halide::Internal::make_zero(type));
  };
  const std::vector<Halide::Expr> here(arguments.begin(), arguments.end());
  sum(arguments) = Halide::Internal::make_zero(type);
  sum(arguments) = arithmetic::add(sum(arguments), arithmetic::exp(arithmetic::subtract(read(second.read), shift_at(here))));
  stages.share(largest, first.at, call.result().extents);
  stages.share(sum, first.at, call.result().extents);
  const std::vector<Halide::Expr> at = storage_order(index);
  return arithmetic::narrow(stored, arithmetic::add(arithmetic::log(sum(at)), shift_at(at)));
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
  // Each number is a set of its own then; a sum, a mean, a product, the largest and the smallest are that number.
  const bool keeps_all = axes.empty() && node.integer("noop_with_empty_axes", 0) != 0;
  const bool is_same = node.op_type == "ReduceSum" || node.op_type == "ReduceMean" || node.op_type == "ReduceProd" ||
                       node.op_type == "ReduceMax" || node.op_type == "ReduceMin" || node.op_type == "ReduceLogSumExp";
  if (keeps_all && is_same) return builder.bind(0, x);
  Op op = builder.statement();
  op.operands = {x};
  // The mean of integers is their sum by their number, truncated.
  const bool is_integer_mean = op.kind == "reduce_mean" && !is_float(builder.type(x).element);
  if (is_integer_mean) op.kind = "reduce_sum";
  if (!axes.empty() || keeps_all) op.attributes.insert(op.attributes.begin(), named("axes", axes));
  const ValueId result = builder.emit(std::move(op));
  if (!is_integer_mean) return builder.bind(0, result);
  const double cells =
      static_cast<double>(builder.type(x).elements()) / static_cast<double>(std::max<std::int64_t>(1, builder.type(result).elements()));
  builder.bind(0, builder.emit("div", {result, builder.constant(builder.type(x).element, cells)}));
}

constexpr OnnxForm reduction_form(std::string_view op_type) {
  return {
      .op_type = op_type,
      .inputs = {onnx::operand("x"), onnx::adapted("axes")},
      .attributes = {onnx::flag("keepdims", "keep_dims"), onnx::adapted_attribute("axes"), onnx::adapted_attribute("noop_with_empty_axes")},
      .adapt = adapt_reduction,
      .suppose = suppose_axes};
}
constexpr OnnxForm reduce_l1_onnx[] = {reduction_form("ReduceL1")};
constexpr OnnxForm reduce_l2_onnx[] = {reduction_form("ReduceL2")};
constexpr OnnxForm reduce_log_sum_onnx[] = {reduction_form("ReduceLogSum")};
constexpr OnnxForm reduce_log_sum_exp_onnx[] = {reduction_form("ReduceLogSumExp")};
constexpr OnnxForm reduce_max_onnx[] = {reduction_form("ReduceMax")};
constexpr OnnxForm reduce_mean_onnx[] = {reduction_form("ReduceMean")};
constexpr OnnxForm reduce_min_onnx[] = {reduction_form("ReduceMin")};
constexpr OnnxForm reduce_prod_onnx[] = {reduction_form("ReduceProd")};
constexpr OnnxForm reduce_sum_onnx[] = {reduction_form("ReduceSum")};
constexpr OnnxForm reduce_sum_square_onnx[] = {reduction_form("ReduceSumSquare")};

}  // namespace

extern constinit const Layer reduce_l1 = reduction("reduce_l1", infer<Reduction::l1>, reduce_l1_onnx);
extern constinit const Layer reduce_l2 = reduction("reduce_l2", infer<Reduction::l2>, reduce_l2_onnx);
extern constinit const Layer reduce_log_sum = reduction("reduce_log_sum", infer<Reduction::log_sum>, reduce_log_sum_onnx);
extern constinit const Layer reduce_log_sum_exp = reduction("reduce_log_sum_exp", infer<Reduction::log_sum_exp>, reduce_log_sum_exp_onnx);
extern constinit const Layer reduce_max = reduction("reduce_max", infer<Reduction::maximum>, reduce_max_onnx);
extern constinit const Layer reduce_mean = reduction("reduce_mean", infer<Reduction::mean>, reduce_mean_onnx);
extern constinit const Layer reduce_min = reduction("reduce_min", infer<Reduction::minimum>, reduce_min_onnx);
extern constinit const Layer reduce_prod = reduction("reduce_prod", infer<Reduction::product>, reduce_prod_onnx);
extern constinit const Layer reduce_sum = reduction("reduce_sum", infer<Reduction::sum>, reduce_sum_onnx);
extern constinit const Layer reduce_sum_square = reduction("reduce_sum_square", infer<Reduction::sum_square>, reduce_sum_square_onnx);

extern constinit const Definition reduce_l1_definition = {"reduce_l1", define<Reduction::l1>};
extern constinit const Definition reduce_l2_definition = {"reduce_l2", define<Reduction::l2>};
extern constinit const Definition reduce_log_sum_definition = {"reduce_log_sum", define<Reduction::log_sum>};
extern constinit const Definition reduce_log_sum_exp_definition = {"reduce_log_sum_exp", define_log_sum_exp};
extern constinit const Definition reduce_max_definition = {"reduce_max", define<Reduction::maximum>};
extern constinit const Definition reduce_mean_definition = {"reduce_mean", define<Reduction::mean>};
extern constinit const Definition reduce_min_definition = {"reduce_min", define<Reduction::minimum>};
extern constinit const Definition reduce_prod_definition = {"reduce_prod", define<Reduction::product>};
extern constinit const Definition reduce_sum_definition = {"reduce_sum", define<Reduction::sum>};
extern constinit const Definition reduce_sum_square_definition = {"reduce_sum_square", define<Reduction::sum_square>};

}  // namespace calotype::layers
