/// \file
/// Comparisons and logic: what yields bool, and where, which chooses by it. Two operands, broadcast as NumPy does.
///
///   equal, greater, greater_or_equal, less, less_or_equal    of one type; false wherever an operand is NaN
///   logical_and, logical_or, logical_xor, logical_not        of bool
///   where                                                    x where the condition holds, else y; x and y are copied bit for bit
///   is_nan, is_inf                                           of floats; is_inf asks for the signs that detect_positive and detect_negative name
#include <fmt/format.h>

#include <limits>

#include "layers/elementwise.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

constexpr Traits logic_traits = {.is_elementwise = true, .keeps_channels = true};

Expr stored(const Expr& truth) { return Halide::cast<std::uint8_t>(truth); }

std::vector<TensorType> infer_comparison(const Call& call) {
  common_element(call);
  return {{ElementType::boolean, broadcast_extents(call)}};
}

void require_boolean(const Call& call, int position) {
  if (call.type(position).element == ElementType::boolean) return;
  call.fail(
      fmt::format("{} wants bool, but {} is {}", call.layer().name, call.operand(position).name, name_of(call.type(position).element)),
      std::vector<std::string>{fmt::format("cast({}, type=bool) converts", call.operand(position).name)});
}

std::vector<TensorType> infer_logical(const Call& call) {
  for (int i = 0; i < call.operand_count(); ++i) require_boolean(call, i);
  return {{ElementType::boolean, broadcast_extents(call)}};
}

std::vector<TensorType> infer_where(const Call& call) {
  require_boolean(call, 0);
  if (call.type(1).element != call.type(2).element) {
    call.fail(fmt::format("where wants two operands of one type, but {} is {} and {} is {}", call.operand(1).name,
                          name_of(call.type(1).element), call.operand(2).name, name_of(call.type(2).element)));
  }
  return {{call.type(1).element, broadcast_extents(call)}};
}

std::vector<TensorType> infer_test(const Call& call) {
  require_float(call);
  return {{ElementType::boolean, call.type(0).extents}};
}

Expr greater_than(const Expr& a, const Expr& b) { return arithmetic::less(b, a); }
Expr greater_than_or_equal(const Expr& a, const Expr& b) { return arithmetic::less_equal(b, a); }
Expr both(const Expr& a, const Expr& b) { return a != 0 && b != 0; }
Expr either(const Expr& a, const Expr& b) { return a != 0 || b != 0; }
Expr only_one(const Expr& a, const Expr& b) { return (a != 0) != (b != 0); }

using Predicate = Expr (*)(const Expr& a, const Expr& b);

template <Predicate predicate>
Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto read = [&](const Tensor& operand) { return arithmetic::widen(operand(broadcast_index(operand.type, call.result(), index))); };
  const Expr a = read(operands[0]), b = read(operands[1]);
  return stored(predicate(a, b));
}

Expr define_not(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  return stored(operands[0](index) == 0);
}

Expr define_where(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto read = [&](const Tensor& operand) { return operand(broadcast_index(operand.type, call.result(), index)); };
  const Expr condition = read(operands[0]), x = read(operands[1]), y = read(operands[2]);
  return Halide::select(condition != 0, x, y);
}

Expr define_is_nan(const Call&, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  return stored(arithmetic::is_nan(operands[0](index)));
}

Expr define_is_inf(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Expr x = arithmetic::widen(operands[0](index));
  const auto is = [&](double infinity) { return arithmetic::equal(x, arithmetic::like(x, infinity)); };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  Expr truth = Halide::Internal::const_false();
  if (call.boolean("detect_positive")) truth = is(infinity);
  if (call.boolean("detect_negative")) truth = truth || is(-infinity);
  return stored(truth);
}

constexpr Layer predicate(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name, .operands = {Operand{"a"}, Operand{"b"}}, .arguments = {}, .traits = logic_traits, .infer = infer, .onnx = onnx};
}

constexpr OnnxForm equal_onnx[] = {{.op_type = "Equal"}};
constexpr OnnxForm greater_onnx[] = {{.op_type = "Greater"}};
constexpr OnnxForm greater_or_equal_onnx[] = {{.op_type = "GreaterOrEqual"}};
constexpr OnnxForm less_onnx[] = {{.op_type = "Less"}};
constexpr OnnxForm less_or_equal_onnx[] = {{.op_type = "LessOrEqual"}};
constexpr OnnxForm and_onnx[] = {{.op_type = "And"}};
constexpr OnnxForm or_onnx[] = {{.op_type = "Or"}};
constexpr OnnxForm xor_onnx[] = {{.op_type = "Xor"}};
constexpr OnnxForm not_onnx[] = {{.op_type = "Not"}};
constexpr OnnxForm where_onnx[] = {{.op_type = "Where"}};
constexpr OnnxForm is_nan_onnx[] = {{.op_type = "IsNaN"}};
constexpr OnnxForm is_inf_onnx[] = {{
    .op_type = "IsInf",
    .attributes = {onnx::flag("detect_positive", "detect_positive"), onnx::flag("detect_negative", "detect_negative")},
}};

}  // namespace

extern constinit const Layer equal = predicate("equal", infer_comparison, equal_onnx);
extern constinit const Layer greater = predicate("greater", infer_comparison, greater_onnx);
extern constinit const Layer greater_or_equal = predicate("greater_or_equal", infer_comparison, greater_or_equal_onnx);
extern constinit const Layer is_inf = {
    .name = "is_inf",
    .operands = {{"x"}},
    .arguments = {optional("detect_positive", ArgumentKind::boolean, "true"), optional("detect_negative", ArgumentKind::boolean, "true")},
    .traits = logic_traits,
    .infer = infer_test,
    .onnx = is_inf_onnx,
};
extern constinit const Layer is_nan = {
    .name = "is_nan", .operands = {{"x"}}, .traits = logic_traits, .infer = infer_test, .onnx = is_nan_onnx};
extern constinit const Layer less = predicate("less", infer_comparison, less_onnx);
extern constinit const Layer less_or_equal = predicate("less_or_equal", infer_comparison, less_or_equal_onnx);
extern constinit const Layer logical_and = predicate("logical_and", infer_logical, and_onnx);
extern constinit const Layer logical_not = {
    .name = "logical_not", .operands = {{"x"}}, .traits = logic_traits, .infer = infer_logical, .onnx = not_onnx};
extern constinit const Layer logical_or = predicate("logical_or", infer_logical, or_onnx);
extern constinit const Layer logical_xor = predicate("logical_xor", infer_logical, xor_onnx);
extern constinit const Layer where = {.name = "where",
                                      .operands = {Operand{"condition"}, Operand{"x"}, Operand{"y"}},
                                      .traits = logic_traits,
                                      .infer = infer_where,
                                      .onnx = where_onnx};

extern constinit const Definition equal_definition = {"equal", define<arithmetic::equal>};
extern constinit const Definition greater_definition = {"greater", define<greater_than>};
extern constinit const Definition greater_or_equal_definition = {"greater_or_equal", define<greater_than_or_equal>};
extern constinit const Definition is_inf_definition = {"is_inf", define_is_inf};
extern constinit const Definition is_nan_definition = {"is_nan", define_is_nan};
extern constinit const Definition less_definition = {"less", define<arithmetic::less>};
extern constinit const Definition less_or_equal_definition = {"less_or_equal", define<arithmetic::less_equal>};
extern constinit const Definition logical_and_definition = {"logical_and", define<both>};
extern constinit const Definition logical_not_definition = {"logical_not", define_not};
extern constinit const Definition logical_or_definition = {"logical_or", define<either>};
extern constinit const Definition logical_xor_definition = {"logical_xor", define<only_one>};
extern constinit const Definition where_definition = {"where", define_where};

}  // namespace calotype::layers
