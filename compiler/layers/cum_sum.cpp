/// \file
/// cum_sum and cum_prod: the sum, the product, of all numbers along `axis` up to and with this one; without it where exclusive=true, from the other end where
/// reverse=true. Integers wrap. f16 and bf16 are summed in f32.
#include <fmt/format.h>

#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

std::vector<TensorType> infer(const Call& call) {
  if (call.type(0).element == ElementType::boolean) call.unsupported(fmt::format("{} is not defined for bool", call.layer().name));
  call.axis("axis", call.type(0).rank());
  return {call.type(0)};
}

/// A table of running totals, which begins with the neutral element: entry p is the total of the p numbers that come first.
template <Expr (*join)(const Expr&, const Expr&), int neutral>
Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  if (x.type.elements() == 0) return Halide::Internal::make_zero(stored);
  const auto axis = static_cast<std::size_t>(call.axis("axis", x.type.rank()));
  const int extent = narrow(x.type.extents[axis]);
  const bool is_reverse = call.boolean("reverse");

  const Domain r = domain_over({extent}, "r");
  const Expr& step = r.variables[0];
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index before(at.begin(), at.end()), after = before, read = before;
  before[axis] = step;
  after[axis] = step + 1;
  read[axis] = is_reverse ? extent - 1 - step : step;
  Halide::Func total(call.op().kind + "_total");
  const Expr element = arithmetic::widen(x(read));
  total(storage_order(at)) = Halide::Internal::make_const(element.type(), neutral);
  total(storage_order(after)) = join(total(storage_order(before)), element);
  std::vector<std::int64_t> extents = x.type.extents;
  ++extents[axis];
  stages.share(total, at, extents);

  Index here = index;
  const Expr place = is_reverse ? extent - 1 - index[axis] : index[axis];
  here[axis] = call.boolean("exclusive") ? place : place + 1;
  return arithmetic::narrow(stored, total(storage_order(here)));
}

void adapt(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> axis = builder.integers(1);
  if (axis.size() != 1) builder.fail("axis must be one number");
  builder.bind(0, builder.emit(node.op_type == "CumSum" ? "cum_sum" : "cum_prod", {builder.input(0)},
                               {named("axis", axis.front()), named("exclusive", node.integer("exclusive", 0) != 0),
                                named("reverse", node.integer("reverse", 0) != 0)}));
}

constexpr OnnxForm cum_sum_onnx[] = {{
    .op_type = "CumSum",
    .attributes = {onnx::adapted_attribute("exclusive"), onnx::adapted_attribute("reverse")},
    .adapt = adapt,
    .suppose = suppose_axes,
}};
constexpr OnnxForm cum_prod_onnx[] = {{
    .op_type = "CumProd",
    .attributes = {onnx::adapted_attribute("exclusive"), onnx::adapted_attribute("reverse")},
    .adapt = adapt,
    .suppose = suppose_axes,
}};

constexpr Layer cumulative(std::string_view name, std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"x"}},
          .arguments = {required("axis", ArgumentKind::integer), optional("exclusive", ArgumentKind::boolean, "false"),
                        optional("reverse", ArgumentKind::boolean, "false")},
          .infer = infer,
          .onnx = onnx};
}

}  // namespace

extern constinit const Layer cum_prod = cumulative("cum_prod", cum_prod_onnx);
extern constinit const Layer cum_sum = cumulative("cum_sum", cum_sum_onnx);

extern constinit const Definition cum_prod_definition = {"cum_prod", define<arithmetic::multiply, 1>};
extern constinit const Definition cum_sum_definition = {"cum_sum", define<arithmetic::add, 0>};

}  // namespace calotype::layers
