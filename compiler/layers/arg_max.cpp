/// \file
/// Where the largest and the smallest numbers stand along one axis:
///
///   arg_max, arg_min   the place, as i64, of the first of them (with select_last_index, of the last); with keep_dims the axis stays with extent 1
///   hardmax            1 at the first of the largest, 0 elsewhere
///   top_k              the `k` largest (or smallest, with largest=false) in order, and their places as i64; of equal ones the first comes first
///
/// A NaN counts as the largest number in arg_max, hardmax and top_k, and as the smallest in arg_min.
#include <fmt/format.h>

#include <algorithm>

#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

std::size_t axis_of(const Call& call) { return static_cast<std::size_t>(call.axis("axis", call.type(0).rank())); }

/// Does a come strictly before b, where the largest (or the smallest) comes first?
Expr precedes(const Expr& a, const Expr& b, bool largest_first) {
  const Expr is_before = largest_first ? arithmetic::less(b, a) : arithmetic::less(a, b);
  return a.type().is_float() ? is_before || (arithmetic::is_nan(a) && !arithmetic::is_nan(b)) : is_before;
}

/* arg_max and arg_min */

std::vector<TensorType> infer_position(const Call& call) {
  const TensorType& x = call.type(0);
  const std::size_t axis = axis_of(call);
  if (x.extents[axis] == 0)
    call.fail("axis", fmt::format("{} of no elements: axis {} of {} is 0", call.layer().name, axis, to_text(x.extents)));
  TensorType result = {ElementType::i64, x.extents};
  if (call.boolean("keep_dims")) {
    result.extents[axis] = 1;
  } else {
    result.extents.erase(result.extents.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  return {result};
}

/// The place of the number that comes first, over the variables `at` of all axes but one, which `along` walks.
Halide::Func first_place(const Tensor& x, const std::vector<Halide::Var>& at, const Index& along, const Expr& place, bool largest,
                         bool last) {
  const auto arguments = storage_order(at);
  Halide::Func best("first_place");
  Index begin = along;
  for (std::size_t i = 0; i < begin.size(); ++i) {
    if (begin[i].same_as(place)) begin[i] = 0;
  }
  best(arguments) = Halide::Tuple(arithmetic::widen(x(begin)), Expr(0));
  const Expr so_far = best(arguments)[0], candidate = arithmetic::widen(x(along));
  const Expr is_better = last ? !precedes(so_far, candidate, largest) : precedes(candidate, so_far, largest);
  best(arguments) = Halide::Tuple(Halide::select(is_better, candidate, so_far), Halide::select(is_better, place, best(arguments)[1]));
  return best;
}

template <bool largest>
Expr define_position(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const std::size_t axis = axis_of(call);
  const Domain r = domain_over({x.type.extents[axis]}, "r");
  const std::vector<Halide::Var> at = index_variables(call.result().rank());
  Index along(at.begin(), at.end());
  if (!call.boolean("keep_dims")) along.insert(along.begin() + static_cast<std::ptrdiff_t>(axis), Expr(0));
  along[axis] = r.variables[0];
  const Halide::Func best = first_place(x, at, along, r.variables[0], largest, call.boolean("select_last_index"));
  stages.accumulators.push_back(best);
  return Halide::cast<std::int64_t>(best(storage_order(index))[1]);
}

/* hardmax */

std::vector<TensorType> infer_hardmax(const Call& call) {
  require_float(call);
  axis_of(call);
  return {call.type(0)};
}

Expr define_hardmax(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const std::size_t axis = axis_of(call);
  const Domain r = domain_over({x.type.extents[axis]}, "r");
  std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index along(at.begin(), at.end());
  along[axis] = r.variables[0];
  at.erase(at.begin() + static_cast<std::ptrdiff_t>(axis));
  Index here = index;
  here.erase(here.begin() + static_cast<std::ptrdiff_t>(axis));
  const Halide::Func best = first_place(x, at, along, r.variables[0], true, false);
  Extents extents = x.type.extents;
  extents.erase(extents.begin() + static_cast<std::ptrdiff_t>(axis));
  stages.share(best, at, extents);
  const Halide::Type stored = halide_type(x.type.element);
  return Halide::select(best(storage_order(here))[1] == index[axis], Halide::Internal::make_one(stored),
                        Halide::Internal::make_zero(stored));
}

/* top_k */

std::vector<TensorType> infer_top_k(const Call& call) {
  TensorType values = call.type(0);
  if (values.element == ElementType::boolean) call.unsupported("top_k is not defined for bool");
  const std::size_t axis = axis_of(call);
  const std::int64_t k = call.integer("k");
  if (k < 0 || k > values.extents[axis]) {
    call.fail("k", fmt::format("'k' must lie between 0 and the {} numbers along axis {} of {}", values.extents[axis], axis,
                               to_text(values.extents)));
  }
  values.extents[axis] = k;
  return {values, {ElementType::i64, values.extents}};
}

/// The place of each rank: of the numbers that come after that of the rank before, the one that comes before all others. `k` walks along the axis.
void add_places(const Call& call, const Tensor& x, Stages& stages) {
  const std::size_t axis = axis_of(call);
  const bool largest = call.boolean("largest");
  const int extent = narrow(x.type.extents[axis]), k = narrow(call.integer("k"));
  const Domain r = domain_over({k, extent}, "r");  // the rank outside, the candidates inside
  const Expr &rank = r.variables[0], &candidate = r.variables[1];
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index mine(at.begin(), at.end());
  mine[axis] = rank;
  Index before = mine;
  before[axis] = Halide::max(rank - 1, 0);

  const auto number = [&](const Expr& place) {
    Index there = mine;
    there[axis] = Halide::clamp(place, 0, extent - 1);
    return arithmetic::widen(x(there));
  };
  const auto comes_before = [&](const Expr& a, const Expr& place_a, const Expr& b, const Expr& place_b) {
    return precedes(a, b, largest) || (!precedes(b, a, largest) && place_a < place_b);
  };
  Halide::Func places("top_places");
  places(storage_order(at)) = extent;  // none yet
  const Expr last = places(storage_order(before)), best = places(storage_order(mine));
  const Expr element = number(candidate);
  const Expr is_left = rank == 0 || comes_before(number(last), last, element, candidate);
  const Expr is_better = best == extent || comes_before(element, candidate, number(best), best);
  places(storage_order(mine)) = Halide::select(is_left && is_better, candidate, best);
  stages.share(places, at, call.result().extents);
}

Expr define_top_k(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int result) {
  const Tensor& x = operands[0];
  if (call.result(result).elements() == 0) return Halide::Internal::make_zero(halide_type(call.result(result).element));
  const std::size_t axis = axis_of(call);
  add_places(call, x, stages);
  const Expr place = stages.shared.back()(storage_order(index));
  if (result == 1) return Halide::cast<std::int64_t>(place);
  Index there = index;
  there[axis] = Halide::clamp(place, 0, narrow(x.type.extents[axis]) - 1);
  return x(there);
}

/* ONNX */

/// Up to opset 12 everything from `axis` on is one long axis.
void adapt_hardmax(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> extents = builder.extents(x);
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t axis = node.integer("axis", node.opset < 13 ? 1 : -1);
  if (axis < -rank || axis > rank - (node.opset < 13 ? 0 : 1)) builder.fail(fmt::format("axis {} is none of {}", axis, to_text(extents)));
  if (node.opset >= 13) return builder.bind(0, builder.emit("hardmax", {x}, {named("axis", axis)}));
  if (axis < 0) axis += rank;
  std::int64_t before = 1, after = 1;
  for (std::int64_t i = 0; i < rank; ++i) (i < axis ? before : after) *= extents[static_cast<std::size_t>(i)];
  const ValueId flat = builder.emit("reshape", {x}, {named("shape", std::vector<std::int64_t>{before, after})});
  const ValueId y = builder.emit("hardmax", {flat}, {named("axis", std::int64_t{1})});
  builder.bind(0, builder.emit("reshape", {y}, {named("shape", extents)}));
}

void adapt_top_k(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> given = builder.has(1) ? builder.integers(1) : std::vector<std::int64_t>{node.integer("k", -1)};
  if (given.size() != 1) builder.fail("K must be one number");
  Op op;
  op.kind = "top_k";
  op.operands = {builder.input(0)};
  op.attributes = {named("k", given.front()), named("axis", node.integer("axis", -1)), named("largest", node.integer("largest", 1) != 0)};
  const std::vector<ValueId> results = builder.emit_all(std::move(op), 2);
  builder.bind(0, results[0]);
  builder.bind(1, results[1]);
}

std::vector<Supposition> suppose_k(const OnnxNode& node, OnnxBuilder& builder) {
  const std::size_t output = node.has_output(0) ? 0 : 1;
  const std::optional<std::int64_t> k = declared_extent(builder, output, node.integer("axis", -1));
  if (!k || builder.type(builder.input(1)).elements() != 1) return {};
  return {suppose_equal(builder, 1, std::vector{*k})};
}

constexpr OnnxForm position_form(std::string_view op_type) {
  return {.op_type = op_type,
          .inputs = {onnx::operand("x")},
          .attributes = {onnx::attribute("axis", "axis"), onnx::flag("keepdims", "keep_dims"),
                         onnx::flag("select_last_index", "select_last_index")}};
}
constexpr OnnxForm arg_max_onnx[] = {position_form("ArgMax")};
constexpr OnnxForm arg_min_onnx[] = {position_form("ArgMin")};
constexpr OnnxForm hardmax_onnx[] = {{.op_type = "Hardmax", .attributes = {onnx::adapted_attribute("axis")}, .adapt = adapt_hardmax}};
constexpr OnnxForm top_k_onnx[] = {{
    .op_type = "TopK",
    .attributes = {onnx::adapted_attribute("k"), onnx::adapted_attribute("axis"), onnx::adapted_attribute("largest"),
                   onnx::ignored("sorted")},
    .adapt = adapt_top_k,
    .suppose = suppose_k,
    .note = "the results are always sorted",
}};

constexpr Layer position(std::string_view name, std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"x"}},
          .arguments = {optional("axis", ArgumentKind::integer, "0"), optional("keep_dims", ArgumentKind::boolean, "true"),
                        optional("select_last_index", ArgumentKind::boolean, "false")},
          .infer = infer_position,
          .onnx = onnx};
}

}  // namespace

extern constinit const Layer arg_max = position("arg_max", arg_max_onnx);
extern constinit const Layer arg_min = position("arg_min", arg_min_onnx);
extern constinit const Layer hardmax = {
    .name = "hardmax",
    .operands = {{"x"}},
    .arguments = {optional("axis", ArgumentKind::integer, "-1")},
    .infer = infer_hardmax,
    .onnx = hardmax_onnx,
};
extern constinit const Layer top_k = {
    .name = "top_k",
    .operands = {{"x"}},
    .arguments = {required("k", ArgumentKind::integer), optional("axis", ArgumentKind::integer, "-1"),
                  optional("largest", ArgumentKind::boolean, "true")},
    .results = 2,
    .infer = infer_top_k,
    .onnx = top_k_onnx,
};

extern constinit const Definition arg_max_definition = {"arg_max", define_position<true>};
extern constinit const Definition arg_min_definition = {"arg_min", define_position<false>};
extern constinit const Definition hardmax_definition = {"hardmax", define_hardmax};
extern constinit const Definition top_k_definition = {"top_k", define_top_k};

}  // namespace calotype::layers
