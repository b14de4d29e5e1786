/// \file
/// local_response_norm: each element is damped by its neighbours in the channels around it, as in AlexNet and GoogLeNet.
///
///   y[n,c,p] = x[n,c,p] / (bias + alpha / size * sum over j of x[n,j,p]^2) ^ beta,   c - (size - 1) / 2 <= j <= c + size / 2
///
/// Where channels end, the sum does. For even sizes ONNX and PyTorch differ; this is ONNX's rule (more channels after than before).
#include <fmt/format.h>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::vector<TensorType> infer(const Call& call) {
  require_float(call);
  require_rank(call, 2, "batch and channels");
  if (call.integer("size") < 1) call.fail("size", fmt::format("'size' must be at least 1 channel, not {}", call.integer("size")));
  return {call.type(0)};
}

/// base ^ exponent for positive bases; the exponents of published networks need no logarithm.
Halide::Expr damping(const Halide::Expr& base, double exponent) {
  if (exponent == 0.75) {
    const Halide::Expr root = arithmetic::square_root(base);
    return arithmetic::multiply(root, arithmetic::square_root(root));
  }
  return arithmetic::power(base, arithmetic::like(base, exponent));
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const std::int64_t size = call.integer("size");
  const Domain r = domain_over({size}, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  Index neighbour(at.begin(), at.end());
  neighbour[1] += r.variables[0] - narrow((size - 1) / 2);
  std::vector<bool> leaves(at.size(), false);
  leaves[1] = size > 1;

  Halide::Func sum("local_response_norm_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  const Halide::Expr element = Halide::cast(type, read_padded(x, neighbour, leaves, 0));
  sum(storage_order(at)) += element * element;
  stages.accumulators.push_back(sum);

  const Halide::Expr squares = sum(storage_order(index));
  const Halide::Expr weighted = arithmetic::multiply(squares, arithmetic::like(squares, call.real("alpha") / static_cast<double>(size)));
  const Halide::Expr base = arithmetic::add(weighted, arithmetic::like(squares, call.real("bias")));
  const Halide::Expr y = arithmetic::divide(Halide::cast(type, x(index)), damping(base, call.real("beta")));
  return arithmetic::narrow(halide_type(x.type.element), y);
}

constexpr OnnxForm local_response_norm_onnx[] = {{
    .op_type = "LRN",
    .attributes = {onnx::attribute("size", "size"), onnx::attribute("alpha", "alpha"), onnx::attribute("beta", "beta"),
                   onnx::attribute("bias", "bias")},
}};

}  // namespace

extern constinit const Layer local_response_norm = {
    .name = "local_response_norm",
    .operands = {{"x"}},
    .arguments = {required("size", ArgumentKind::integer), optional("alpha", ArgumentKind::real, "1e-4"),
                  optional("beta", ArgumentKind::real, "0.75"), optional("bias", ArgumentKind::real, "1")},
    .traits = {.takes_epilogue = true},
    .infer = infer,
    .onnx = local_response_norm_onnx,
};
extern constinit const Definition local_response_norm_definition = {"local_response_norm", define};

}  // namespace calotype::layers
