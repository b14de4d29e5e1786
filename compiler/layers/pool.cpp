/// \file
/// max_pool, average_pool and lp_pool: the largest, the mean or the p-norm of the cells under a window, for each channel by itself; max_pool_indices:
/// where the largest one stands (the first of equal ones), as a position in [batch, channels, cells...] counted row by row, or with
/// column_major=true with the first spatial dimension varying fastest.
///
/// Padding never wins a maximum: it counts as the least number there is; a NaN under the window is the result. The mean divides by the number
/// of cells inside the operand, or with count_padding=true inside the operand and its padding. Cells that ceil=true lets a window reach beyond
/// the padding count for neither, as in PyTorch.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "layers/argument.h"
#include "layers/arithmetic.h"
#include "layers/reduction.h"
#include "layers/weights.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

Window pool_window(const Call& call) {
  const Extents kernel = call.extents("kernel", spatial_rank(call, call.type(0)));
  return window_of(call, kernel, kernel);
}

/// [batch, channels, spatial...]
std::vector<TensorType> infer(const Call& call) {
  const TensorType& x = call.type(0);
  const Window window = pool_window(call);
  Extents extents = {x.extents[0], x.extents[1]};
  extents.insert(extents.end(), window.output.begin(), window.output.end());
  return {{x.element, extents}};
}

std::vector<TensorType> infer_average(const Call& call) {
  require_float(call);
  return infer(call);
}

Halide::Expr define_max(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Window window = pool_window(call);
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  const Halide::Type type = arithmetic::widen(Halide::Internal::make_zero(stored)).type();
  const Halide::Expr least = type.is_float() ? Halide::Internal::make_const(type, -std::numeric_limits<double>::infinity()) : type.min();
  const Domain r = domain_over(window.kernel, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());

  Halide::Func largest("max_pool_largest");
  largest(storage_order(at)) = least;
  const Halide::Expr element =
      read_padded(x, window_index(window, {at.begin(), at.end()}, at[1], r.variables), leaves_operand(window), least);
  largest(storage_order(at)) = arithmetic::maximum(largest(storage_order(at)), arithmetic::widen(element));
  stages.accumulators.push_back(largest);
  return Halide::cast(stored, largest(storage_order(index)));
}

/// How many cells of the window at p lie in [first, end).
Halide::Expr cells_inside(const Window& window, std::size_t d, const Halide::Expr& p, std::int64_t first, std::int64_t end) {
  const int kernel = narrow(window.kernel[d]), dilation = narrow(window.dilation[d]);
  const Halide::Expr start = p * narrow(window.stride[d]) - narrow(window.begin[d]);
  const Halide::Expr before = Halide::max(narrow(first) - start + dilation - 1, 0) / dilation;  // cells before `first`
  const Halide::Expr until = Halide::clamp((narrow(end) - 1 - start) / dilation + 1, 0, kernel);  // cells before `end`
  return Halide::max(until - before, 0);
}

Halide::Expr define_average(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Window window = pool_window(call);
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const Domain r = domain_over(window.kernel, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());

  Halide::Func sum("average_pool_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  const Halide::Expr element = read_padded(x, window_index(window, {at.begin(), at.end()}, at[1], r.variables), leaves_operand(window), 0);
  sum(storage_order(at)) += Halide::cast(type, element);
  stages.accumulators.push_back(sum);

  const bool count_padding = call.boolean("count_padding");
  Halide::Expr count = 1;
  for (std::size_t d = 0; d < window.rank(); ++d) {
    const std::int64_t input = x.type.extents[d + 2];
    const std::int64_t first = count_padding ? -window.begin[d] : 0;
    const std::int64_t end = count_padding ? input + window.end[d] : input;
    const bool always_full = window.overhang[d] == 0 && (count_padding || !window.leaves_operand(d));
    count *= always_full ? Halide::Expr(narrow(window.kernel[d])) : cells_inside(window, d, index[d + 2], first, end);
  }
  // A window that lies in the padding altogether has the mean 0, not 0 / 0.
  const Halide::Expr divisor = Halide::cast(type, Halide::max(Halide::Internal::simplify(count), 1));
  return Halide::cast(halide_type(x.type.element), arithmetic::divide(sum(storage_order(index)), divisor));
}

std::vector<TensorType> infer_indices(const Call& call) { return {{ElementType::i64, infer(call).front().extents}}; }

/// The largest cell so far and its position; a NaN is larger than any number.
Halide::Expr define_indices(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Window window = pool_window(call);
  const Tensor& x = operands[0];
  const Domain r = domain_over(window.kernel, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  const Index there = window_index(window, {at.begin(), at.end()}, at[1], r.variables);
  const Halide::Type type = arithmetic::widen(Halide::Internal::make_zero(halide_type(x.type.element))).type();
  const Halide::Expr least = type.is_float() ? Halide::Internal::make_const(type, -std::numeric_limits<double>::infinity()) : type.min();
  const Halide::Expr element = arithmetic::widen(read_padded(x, there, leaves_operand(window), least));
  const std::vector<std::int64_t>& extents = x.type.extents;
  const auto wide = [](const Halide::Expr& e) { return Halide::cast<std::int64_t>(e); };
  const bool column_major = call.boolean("column_major");
  Halide::Expr position = wide(at[0] * narrow(extents[1]) + at[1]), inside = Halide::Internal::const_true();
  Halide::Expr cell = Halide::cast<std::int64_t>(0);
  for (std::size_t i = 0; i < window.rank(); ++i) {
    const std::size_t d = column_major ? window.rank() + 1 - i : i + 2;
    cell = cell * Halide::cast<std::int64_t>(narrow(extents[d])) + wide(there[d]);
    position = position * Halide::cast<std::int64_t>(narrow(extents[d]));
    if (window.leaves_operand(d - 2)) inside = inside && there[d] >= 0 && there[d] < narrow(extents[d]);
  }
  Halide::Func best("max_pool_indices_best");
  const auto arguments = storage_order(at);
  best(arguments) = Halide::Tuple(least, Halide::cast<std::int64_t>(-1));
  const Halide::Expr value = best(arguments)[0], place = best(arguments)[1];
  const Halide::Expr is_larger =
      inside && (place < 0 || arithmetic::less(value, element) || (arithmetic::is_nan(element) && !arithmetic::is_nan(value)));
  best(arguments) = Halide::Tuple(Halide::select(is_larger, element, value), Halide::select(is_larger, position + cell, place));
  stages.accumulators.push_back(best);
  return Halide::max(best(storage_order(index))[1], Halide::cast<std::int64_t>(0));
}

std::vector<TensorType> infer_lp(const Call& call) {
  require_float(call);
  if (call.integer("p") < 1) call.fail("p", fmt::format("'p' must be at least 1, not {}", call.integer("p")));
  return infer(call);
}

Halide::Expr define_lp(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Window window = pool_window(call);
  const Tensor& x = operands[0];
  const Halide::Type type = accumulator_type(x.type.element);
  const Domain r = domain_over(window.kernel, "r");
  const std::vector<Halide::Var> at = index_variables(x.type.rank());
  const Halide::Expr element = read_padded(x, window_index(window, {at.begin(), at.end()}, at[1], r.variables), leaves_operand(window), 0);
  const Halide::Expr size = arithmetic::absolute(Halide::cast(type, element));
  const auto p = static_cast<double>(call.integer("p"));
  Halide::Func sum("lp_pool_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  const Halide::Expr powered = p == 1 ? size : p == 2 ? size * size : arithmetic::power(size, arithmetic::like(size, p));
  sum(storage_order(at)) += powered;
  stages.accumulators.push_back(sum);
  const Halide::Expr total = sum(storage_order(index));
  const Halide::Expr root = p == 1   ? total
                            : p == 2 ? arithmetic::square_root(total)
                                     : arithmetic::power(total, arithmetic::like(total, 1 / p));
  return Halide::cast(halide_type(x.type.element), root);
}

/// kernel, stride and padding in that order; ONNX's stride is 1 where it says none, ours the kernel.
void adapt_pool(const OnnxNode& node, OnnxBuilder& builder) {
  const ValueId x = builder.input(0);
  const std::vector<std::int64_t> kernel = node.integers("kernel_shape");
  const std::size_t rank = kernel.size();
  if (builder.extents(x).size() != rank + 2)
    builder.fail(fmt::format("a window of {} does not fit {}", to_text(kernel), to_text(builder.extents(x))));
  std::vector<std::int64_t> stride = node.integers("strides");
  if (stride.empty()) stride.assign(rank, 1);
  Op op = builder.statement();
  Attributes attributes = {named("kernel", kernel)};
  if (stride != kernel) attributes.push_back(named("stride", stride));
  adapt_padding(node, builder, rank, attributes);
  op.attributes.insert(op.attributes.begin(), attributes.begin(), attributes.end());
  if (node.has_output(1)) {
    Op indices = op;
    indices.kind = "max_pool_indices";
    if (node.integer("storage_order", 0) != 0) indices.attributes.push_back(named("column_major", true));
    builder.bind(1, builder.emit(std::move(indices)));
  }
  if (node.has_output(0)) builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm max_pool_onnx[] = {{
    .op_type = "MaxPool",
    .attributes = {onnx::attribute("dilations", "dilation"), onnx::flag("ceil_mode", "ceil"), onnx::adapted_attribute("kernel_shape"),
                   onnx::adapted_attribute("strides"), onnx::adapted_attribute("auto_pad"), onnx::adapted_attribute("pads"),
                   onnx::ignored("storage_order")},
    .adapt = adapt_pool,
}};
constexpr OnnxForm average_pool_onnx[] = {{
    .op_type = "AveragePool",
    .attributes = {onnx::attribute("dilations", "dilation"), onnx::flag("ceil_mode", "ceil"),
                   onnx::flag("count_include_pad", "count_padding"), onnx::adapted_attribute("kernel_shape"),
                   onnx::adapted_attribute("strides"), onnx::adapted_attribute("auto_pad"), onnx::adapted_attribute("pads")},
    .adapt = adapt_pool,
}};
constexpr OnnxForm lp_pool_onnx[] = {{
    .op_type = "LpPool",
    .attributes = {onnx::attribute("p", "p"), onnx::attribute("dilations", "dilation"), onnx::flag("ceil_mode", "ceil"),
                   onnx::adapted_attribute("kernel_shape"), onnx::adapted_attribute("strides"), onnx::adapted_attribute("auto_pad"),
                   onnx::adapted_attribute("pads")},
    .adapt = adapt_pool,
}};

}  // namespace

extern constinit const Layer average_pool = {
    .name = "average_pool",
    .operands = {{"x"}},
    .arguments = {required("kernel", ArgumentKind::extents), optional("stride", ArgumentKind::extents),
                  optional("dilation", ArgumentKind::extents, "1"), optional("padding", ArgumentKind::padding, "valid"),
                  optional("ceil", ArgumentKind::boolean, "false"), optional("count_padding", ArgumentKind::boolean, "false")},
    .traits = {.takes_epilogue = true, .keeps_channels = true},
    .infer = infer_average,
    .onnx = average_pool_onnx,
};
extern constinit const Definition average_pool_definition = {"average_pool", define_average};

extern constinit const Layer lp_pool = {
    .name = "lp_pool",
    .operands = {{"x"}},
    .arguments = {required("kernel", ArgumentKind::extents), optional("stride", ArgumentKind::extents),
                  optional("dilation", ArgumentKind::extents, "1"), optional("padding", ArgumentKind::padding, "valid"),
                  optional("ceil", ArgumentKind::boolean, "false"), optional("p", ArgumentKind::integer, "2")},
    .traits = {.takes_epilogue = true, .keeps_channels = true},
    .infer = infer_lp,
    .onnx = lp_pool_onnx,
};
extern constinit const Definition lp_pool_definition = {"lp_pool", define_lp};

extern constinit const Layer max_pool = {
    .name = "max_pool",
    .operands = {{"x"}},
    .arguments = {required("kernel", ArgumentKind::extents), optional("stride", ArgumentKind::extents),
                  optional("dilation", ArgumentKind::extents, "1"), optional("padding", ArgumentKind::padding, "valid"),
                  optional("ceil", ArgumentKind::boolean, "false")},
    .traits = {.takes_epilogue = true, .keeps_channels = true},
    .infer = infer,
    .onnx = max_pool_onnx,
};
extern constinit const Definition max_pool_definition = {"max_pool", define_max};

extern constinit const Layer max_pool_indices = {
    .name = "max_pool_indices",
    .operands = {{"x"}},
    .arguments = {required("kernel", ArgumentKind::extents), optional("stride", ArgumentKind::extents),
                  optional("dilation", ArgumentKind::extents, "1"), optional("padding", ArgumentKind::padding, "valid"),
                  optional("ceil", ArgumentKind::boolean, "false"), optional("column_major", ArgumentKind::boolean, "false")},
    .infer = infer_indices,
};
extern constinit const Definition max_pool_indices_definition = {"max_pool_indices", define_indices};

}  // namespace calotype::layers
