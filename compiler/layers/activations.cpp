/// \file
/// The functions that follow a layer: relu and its relatives, the sigmoid and what is made of it. Each may be written as a layer or, with its
/// defaults, as `activation=NAME`. A NaN stays NaN in all of them. Formulas and defaults as PyTorch's; the errors of exp, tanh and erf as
/// layers/arithmetic.h states them.
#include <cmath>

#include "layers/elementwise.h"

namespace calotype::layers {
namespace {

using arithmetic::add;
using arithmetic::divide;
using arithmetic::less;
using arithmetic::like;
using arithmetic::multiply;
using arithmetic::subtract;
using Halide::Expr;
using Halide::select;

Expr relu_of(const Call&, const Expr& x) { return arithmetic::relu(x); }

Expr relu6_of(const Call&, const Expr& x) { return arithmetic::clip(x, like(x, 0), like(x, 6)); }

/// The bound in x's type; of an integer type the last number inside of it.
Expr least_of(const Call& call, const Expr& x) {
  const double bound = call.real("min");
  return x.type().is_float() ? like(x, bound) : arithmetic::convert(x.type(), Expr(std::ceil(bound)));
}
Expr most_of(const Call& call, const Expr& x) {
  const double bound = call.real("max");
  return x.type().is_float() ? like(x, bound) : arithmetic::convert(x.type(), Expr(std::floor(bound)));
}

/// min(max(x, min), max); either bound may be left out.
Expr clip_of(const Call& call, const Expr& x) {
  Expr y = x;
  if (call.has_argument("min")) {
    const Expr least = least_of(call, x);
    y = select(less(y, least), least, y);
  }
  if (call.has_argument("max")) {
    const Expr most = most_of(call, x);
    y = select(less(most, y), most, y);
  }
  return y;
}

/// x, or slope x where x is negative.
Expr leaky_relu_of(const Call& call, const Expr& x) { return select(less(x, like(x, 0)), multiply(x, like(x, call.real("slope"))), x); }

/// x, or alpha (exp(x) - 1) where x is negative.
Expr elu_of(const Call& call, const Expr& x) {
  return select(less(x, like(x, 0)), multiply(like(x, call.real("alpha")), arithmetic::expm1_of_negative(x)), x);
}

/// scale times elu, by default with the alpha and the scale that keep mean 0 and variance 1 (Klambauer et al., 2017).
Expr selu_of(const Call& call, const Expr& x) {
  const double alpha = call.real("alpha"), scale = call.real("scale");
  return select(less(x, like(x, 0)), multiply(like(x, alpha * scale), arithmetic::expm1_of_negative(x)), multiply(like(x, scale), x));
}

/// x, or alpha (exp(x / alpha) - 1) where x is negative.
Expr celu_of(const Call& call, const Expr& x) {
  const double alpha = call.real("alpha");
  if (!(alpha > 0)) call.fail("alpha", "'alpha' must be greater than 0");
  return select(less(x, like(x, 0)), multiply(like(x, alpha), arithmetic::expm1_of_negative(divide(x, like(x, alpha)))), x);
}

/// x / (1 + |x|)
Expr softsign_of(const Call&, const Expr& x) { return divide(x, add(like(x, 1), arithmetic::absolute(x))); }

/// x, moved towards 0 by `bias`, outside of -bound to bound, else 0: of NaN, too, as ONNX has it.
Expr shrink_of(const Call& call, const Expr& x) {
  if (!x.type().is_float()) {
    // Of integers the bounds and the sums are doubles, truncated.
    const Expr number = arithmetic::convert(Halide::Float(64), x), bound(call.real("bound")), bias(call.real("bias"));
    return arithmetic::convert(x.type(),
                               select(less(number, -bound), add(number, bias), less(bound, number), subtract(number, bias), Expr(0.0)));
  }
  const Expr bound = like(x, call.real("bound")), bias = like(x, call.real("bias"));
  return select(less(x, arithmetic::negate(bound)), add(x, bias), less(bound, x), subtract(x, bias), like(x, 0));
}

/// x where it is more than alpha, else 0: of NaN, too, as ONNX has it.
Expr thresholded_relu_of(const Call& call, const Expr& x) { return select(less(like(x, call.real("alpha")), x), x, like(x, 0)); }

/// x times the normal distribution's integral up to x; or its approximation through tanh.
Expr gelu_of(const Call& call, const Expr& x) {
  const Expr half = multiply(like(x, 0.5), x), one = like(x, 1);
  if (call.word("approximate") == "none") return multiply(half, add(one, arithmetic::erf(multiply(x, like(x, 0.70710678118654752)))));
  const Expr cubic = add(one, multiply(multiply(like(x, 0.044715), x), x));
  return multiply(half, add(one, arithmetic::tanh(multiply(multiply(like(x, 0.79788456080286536), x), cubic))));
}

Expr sigmoid_of(const Call&, const Expr& x) { return arithmetic::sigmoid(x); }

/// alpha x + beta between 0 and 1.
Expr hard_sigmoid_of(const Call& call, const Expr& x) {
  const Expr line = add(multiply(x, like(x, call.real("alpha"))), like(x, call.real("beta")));
  return arithmetic::clip(line, like(x, 0), like(x, 1));
}

/// x sigmoid(x)
Expr silu_of(const Call&, const Expr& x) { return divide(x, add(like(x, 1), arithmetic::exp(arithmetic::negate(x)))); }

/// x sigmoid(alpha x)
Expr swish_of(const Call& call, const Expr& x) {
  return divide(x, add(like(x, 1), arithmetic::exp(arithmetic::negate(multiply(like(x, call.real("alpha")), x)))));
}

/// x times the hard sigmoid of slope 1/6
Expr hard_swish_of(const Call&, const Expr& x) {
  const Expr line = add(multiply(x, like(x, 1.0 / 6)), like(x, 0.5));
  return multiply(x, arithmetic::clip(line, like(x, 0), like(x, 1)));
}

/// x tanh(softplus(x)). With e = exp(x), tanh(log(1 + e)) = n / (n + 2) where n = e (e + 2).
Expr mish_of(const Call&, const Expr& x) {
  const Expr enough = like(x, 20);  // from here on the factor rounds to 1
  const Expr e = arithmetic::exp(select(less(enough, x), enough, x));
  const Expr n = multiply(e, add(e, like(x, 2)));
  return multiply(x, divide(n, add(n, like(x, 2))));
}

Expr tanh_of(const Call&, const Expr& x) { return arithmetic::tanh(x); }

Expr softplus_of(const Call&, const Expr& x) { return arithmetic::softplus(x); }

/// Bounds that are known are arguments; else they are operands of min and max.
void adapt_clip(const OnnxNode& node, OnnxBuilder& builder) {
  ValueId x = builder.input(0);
  Attributes bounds;
  if (node.opset < 11) {
    if (node.find("min") != nullptr) bounds.push_back(named("min", node.real("min", 0)));
    if (node.find("max") != nullptr) bounds.push_back(named("max", node.real("max", 0)));
  } else {
    const bool is_known = (!builder.has(1) || builder.is_known(builder.input(1))) &&
                          (!builder.has(2) || builder.is_known(builder.input(2))) && is_float(builder.type(x).element);
    if (!is_known) {
      if (builder.has(1)) x = builder.emit("max", {x, builder.input(1)});
      if (builder.has(2)) x = builder.emit("min", {x, builder.input(2)});
      return builder.bind(0, x);
    }
    if (builder.has(1)) bounds.push_back(named("min", builder.reals(1).front()));
    if (builder.has(2)) bounds.push_back(named("max", builder.reals(2).front()));
  }
  const bool is_relu6 = bounds.size() == 2 && std::get<double>(bounds[0].value.value) == 0 && std::get<double>(bounds[1].value.value) == 6;
  if (is_relu6) return builder.bind(0, builder.emit("relu6", {x}));
  builder.bind(0, bounds.empty() ? x : builder.emit("clip", {x}, std::move(bounds)));
}

/// With alpha = 1 it is silu.
void adapt_swish(const OnnxNode& node, OnnxBuilder& builder) {
  const double alpha = node.real("alpha", 1);
  const ValueId x = builder.input(0);
  builder.bind(0, alpha == 1 ? builder.emit("silu", {x}) : builder.emit("swish", {x}, {named("alpha", alpha)}));
}

constexpr OnnxForm celu_onnx[] = {{.op_type = "Celu", .attributes = {onnx::attribute("alpha", "alpha")}}};
constexpr OnnxForm clip_onnx[] = {{
    .op_type = "Clip",
    .attributes = {onnx::adapted_attribute("min"), onnx::adapted_attribute("max")},
    .adapt = adapt_clip,
}};
constexpr OnnxForm elu_onnx[] = {{.op_type = "Elu", .attributes = {onnx::attribute("alpha", "alpha")}}};
constexpr OnnxForm gelu_onnx[] = {{.op_type = "Gelu", .attributes = {onnx::word("approximate", "approximate")}}};
constexpr OnnxForm hard_sigmoid_onnx[] = {{
    .op_type = "HardSigmoid",
    .attributes = {onnx::attribute("alpha", "alpha", "0.2"), onnx::attribute("beta", "beta", "0.5")},
}};
constexpr OnnxForm hard_swish_onnx[] = {{.op_type = "HardSwish"}};
constexpr OnnxForm leaky_relu_onnx[] = {{.op_type = "LeakyRelu", .attributes = {onnx::attribute("alpha", "slope")}}};
constexpr OnnxForm mish_onnx[] = {{.op_type = "Mish"}};
constexpr OnnxForm relu_onnx[] = {{.op_type = "Relu"}};
constexpr OnnxForm selu_onnx[] = {
    {.op_type = "Selu",
     .until = 5,
     .attributes = {onnx::attribute("alpha", "alpha", "1.6732"), onnx::attribute("gamma", "scale", "1.0507"),
                    onnx::ignored("consumed_inputs")}},
    {.op_type = "Selu", .since = 6, .attributes = {onnx::attribute("alpha", "alpha"), onnx::attribute("gamma", "scale")}},
};
constexpr OnnxForm shrink_onnx[] = {
    {.op_type = "Shrink", .attributes = {onnx::attribute("lambd", "bound"), onnx::attribute("bias", "bias")}}};
constexpr OnnxForm sigmoid_onnx[] = {{.op_type = "Sigmoid"}};
constexpr OnnxForm softplus_onnx[] = {{.op_type = "Softplus"}};
constexpr OnnxForm softsign_onnx[] = {{.op_type = "Softsign"}};
constexpr OnnxForm swish_onnx[] = {{.op_type = "Swish", .attributes = {onnx::adapted_attribute("alpha")}, .adapt = adapt_swish}};
constexpr OnnxForm tanh_onnx[] = {{.op_type = "Tanh"}};
constexpr OnnxForm thresholded_relu_onnx[] = {{.op_type = "ThresholdedRelu", .attributes = {onnx::attribute("alpha", "alpha")}}};

}  // namespace

extern constinit const Layer celu = unary("celu", same_float, optional("alpha", ArgumentKind::real, "1"), {}, celu_onnx);
extern constinit const Layer clip =
    unary("clip", same_number, optional("min", ArgumentKind::real), optional("max", ArgumentKind::real), clip_onnx);
extern constinit const Layer elu = unary("elu", same_float, optional("alpha", ArgumentKind::real, "1"), {}, elu_onnx);
extern constinit const Layer gelu =
    unary("gelu", same_float, optional("approximate", ArgumentKind::word, "none", "none tanh"), {}, gelu_onnx);
extern constinit const Layer hard_sigmoid = unary("hard_sigmoid", same_float, optional("alpha", ArgumentKind::real, "0.16666666666666666"),
                                                  optional("beta", ArgumentKind::real, "0.5"), hard_sigmoid_onnx);
extern constinit const Layer hard_swish = unary("hard_swish", same_float, hard_swish_onnx);
extern constinit const Layer leaky_relu =
    unary("leaky_relu", same_float, optional("slope", ArgumentKind::real, "0.01"), {}, leaky_relu_onnx);
extern constinit const Layer mish = unary("mish", same_float, mish_onnx);
extern constinit const Layer relu = unary("relu", same_number, relu_onnx);
extern constinit const Layer relu6 = unary("relu6", same_number);
extern constinit const Layer selu = unary("selu", same_float, optional("alpha", ArgumentKind::real, "1.6732632423543772"),
                                          optional("scale", ArgumentKind::real, "1.0507009873554805"), selu_onnx);
extern constinit const Layer shrink =
    unary("shrink", same_number, optional("bound", ArgumentKind::real, "0.5"), optional("bias", ArgumentKind::real, "0"), shrink_onnx);
extern constinit const Layer sigmoid = unary("sigmoid", same_float, sigmoid_onnx);
extern constinit const Layer silu = unary("silu", same_float);
extern constinit const Layer softplus = unary("softplus", same_float, softplus_onnx);
extern constinit const Layer softsign = unary("softsign", same_float, softsign_onnx);
extern constinit const Layer swish = unary("swish", same_float, optional("alpha", ArgumentKind::real, "1"), {}, swish_onnx);
extern constinit const Layer tanh = unary("tanh", same_float, tanh_onnx);
extern constinit const Layer thresholded_relu =
    unary("thresholded_relu", same_float, optional("alpha", ArgumentKind::real, "1"), {}, thresholded_relu_onnx);

extern constinit const Definition celu_definition = {"celu", define_unary<celu_of>};
extern constinit const Definition clip_definition = {"clip", define_unary<clip_of>};
extern constinit const Definition elu_definition = {"elu", define_unary<elu_of>};
extern constinit const Definition gelu_definition = {"gelu", define_unary<gelu_of>};
extern constinit const Definition hard_sigmoid_definition = {"hard_sigmoid", define_unary<hard_sigmoid_of>};
extern constinit const Definition hard_swish_definition = {"hard_swish", define_unary<hard_swish_of>};
extern constinit const Definition leaky_relu_definition = {"leaky_relu", define_unary<leaky_relu_of>};
extern constinit const Definition mish_definition = {"mish", define_unary<mish_of>};
extern constinit const Definition relu_definition = {"relu", define_unary<relu_of>};
extern constinit const Definition relu6_definition = {"relu6", define_unary<relu6_of>};
extern constinit const Definition selu_definition = {"selu", define_unary<selu_of>};
extern constinit const Definition shrink_definition = {"shrink", define_unary<shrink_of>};
extern constinit const Definition sigmoid_definition = {"sigmoid", define_unary<sigmoid_of>};
extern constinit const Definition silu_definition = {"silu", define_unary<silu_of>};
extern constinit const Definition softplus_definition = {"softplus", define_unary<softplus_of>};
extern constinit const Definition softsign_definition = {"softsign", define_unary<softsign_of>};
extern constinit const Definition swish_definition = {"swish", define_unary<swish_of>};
extern constinit const Definition tanh_definition = {"tanh", define_unary<tanh_of>};
extern constinit const Definition thresholded_relu_definition = {"thresholded_relu", define_unary<thresholded_relu_of>};

}  // namespace calotype::layers
