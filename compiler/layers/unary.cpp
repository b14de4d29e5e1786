/// \file
/// Mathematical functions of one operand, with ONNX's names: abs, ceil, erf, exp, floor, log, neg, reciprocal, round (half to even), sign, sqrt; and
/// cast, which changes the element type: float to integer truncates and saturates with NaN as 0, integers keep their low bits, anything but 0 is true.
#include "layers/elementwise.h"

namespace calotype::layers {
namespace {

using arithmetic::like;
using Halide::Expr;

Expr abs_of(const Call&, const Expr& x) { return arithmetic::absolute(x); }
Expr ceil_of(const Call&, const Expr& x) { return Halide::ceil(x); }
Expr erf_of(const Call&, const Expr& x) { return arithmetic::erf(x); }
Expr exp_of(const Call&, const Expr& x) { return arithmetic::exp(x); }
Expr floor_of(const Call&, const Expr& x) { return Halide::floor(x); }
Expr log_of(const Call&, const Expr& x) { return arithmetic::log(x); }
Expr neg_of(const Call&, const Expr& x) { return arithmetic::negate(x); }
Expr reciprocal_of(const Call&, const Expr& x) { return arithmetic::divide(like(x, 1), x); }
Expr round_of(const Call&, const Expr& x) { return Halide::round(x); }
Expr sqrt_of(const Call&, const Expr& x) { return arithmetic::square_root(x); }

Expr sign_of(const Call&, const Expr& x) {
  const Expr zero = like(x, 0);
  if (x.type().is_uint()) return Halide::select(x == zero, zero, like(x, 1));
  return Halide::select(arithmetic::less(zero, x), like(x, 1), arithmetic::less(x, zero), like(x, -1), x);  // NaN and zeros stay
}

std::vector<TensorType> infer_cast(const Call& call) { return {{call.element_type("type"), call.type(0).extents}}; }

Expr define_cast(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Expr x = operands[0](index);
  const ElementType to = call.result().element;
  if (to == call.type(0).element) return x;
  return to == ElementType::boolean ? arithmetic::to_boolean(x) : arithmetic::convert(halide_type(to), x);
}

constexpr OnnxForm abs_onnx[] = {{.op_type = "Abs"}};
constexpr OnnxForm ceil_onnx[] = {{.op_type = "Ceil"}};
constexpr OnnxForm erf_onnx[] = {{.op_type = "Erf"}};
constexpr OnnxForm exp_onnx[] = {{.op_type = "Exp"}};
constexpr OnnxForm floor_onnx[] = {{.op_type = "Floor"}};
constexpr OnnxForm log_onnx[] = {{.op_type = "Log"}};
constexpr OnnxForm neg_onnx[] = {{.op_type = "Neg"}};
constexpr OnnxForm reciprocal_onnx[] = {{.op_type = "Reciprocal"}};
constexpr OnnxForm round_onnx[] = {{.op_type = "Round"}};
constexpr OnnxForm sign_onnx[] = {{.op_type = "Sign"}};
constexpr OnnxForm sqrt_onnx[] = {{.op_type = "Sqrt"}};
constexpr OnnxForm cast_onnx[] = {{
    .op_type = "Cast",
    .attributes = {onnx::type("to", "type"), onnx::ignored("saturate"), onnx::ignored("round_mode")},
}};

}  // namespace

extern constinit const Layer abs = unary("abs", same_number, abs_onnx);
extern constinit const Layer cast = {
    .name = "cast",
    .operands = {{"x"}},
    .arguments = {required("type", ArgumentKind::type)},
    .traits = {.is_elementwise = true, .keeps_channels = true},
    .infer = infer_cast,
    .onnx = cast_onnx,
};
extern constinit const Layer ceil = unary("ceil", same_float, ceil_onnx);
extern constinit const Layer erf = unary("erf", same_float, erf_onnx);
extern constinit const Layer exp = unary("exp", same_float, exp_onnx);
extern constinit const Layer floor = unary("floor", same_float, floor_onnx);
extern constinit const Layer log = unary("log", same_float, log_onnx);
extern constinit const Layer neg = unary("neg", same_number, neg_onnx);
extern constinit const Layer reciprocal = unary("reciprocal", same_float, reciprocal_onnx);
extern constinit const Layer round = unary("round", same_float, round_onnx);
extern constinit const Layer sign = unary("sign", same_number, sign_onnx);
extern constinit const Layer sqrt = unary("sqrt", same_float, sqrt_onnx);

extern constinit const Definition abs_definition = {"abs", define_unary<abs_of>};
extern constinit const Definition cast_definition = {"cast", define_cast};
extern constinit const Definition ceil_definition = {"ceil", define_unary<ceil_of>};
extern constinit const Definition erf_definition = {"erf", define_unary<erf_of>};
extern constinit const Definition exp_definition = {"exp", define_unary<exp_of>};
extern constinit const Definition floor_definition = {"floor", define_unary<floor_of>};
extern constinit const Definition log_definition = {"log", define_unary<log_of>};
extern constinit const Definition neg_definition = {"neg", define_unary<neg_of>};
extern constinit const Definition reciprocal_definition = {"reciprocal", define_unary<reciprocal_of>};
extern constinit const Definition round_definition = {"round", define_unary<round_of>};
extern constinit const Definition sign_definition = {"sign", define_unary<sign_of>};
extern constinit const Definition sqrt_definition = {"sqrt", define_unary<sqrt_of>};

}  // namespace calotype::layers
