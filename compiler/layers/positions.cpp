/// \file
/// Layers whose elements are chosen by where they stand.
///
///   one_hot           values[1] where the place along the new dimension `axis` (of extent `depth`) is the index, else values[0]; a negative index
///                     counts from the end, one outside is nowhere
///   trilu             the lower (upper=false) or upper triangle of the last two dimensions, zeros elsewhere. The triangle ends at the diagonal
///                     `diagonal`, counted upwards from the main one; an operand `k` is added to it
///   reverse_sequence  the first lengths[b] elements along `time_axis` in reverse order, for each b along `batch_axis`
#include <fmt/format.h>

#include <algorithm>

#include "ir/number_format.h"
#include "layers/arithmetic.h"
#include "layers/indexing.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

std::vector<TensorType> infer_one_hot(const Call& call) {
  TensorType result = {call.type(1).element, call.type(0).extents};
  if (call.type(1).extents != std::vector<std::int64_t>{2}) {
    call.fail(fmt::format("one_hot: values must be two numbers, [off, on], not {}", to_text(call.type(1))));
  }
  if (call.type(0).element == ElementType::boolean) call.unsupported("one_hot of bool indices");
  const std::int64_t depth = call.integer("depth");
  if (depth < 1) call.fail("depth", fmt::format("'depth' must be at least 1, not {}", depth));
  result.extents.insert(result.extents.begin() + call.axis("axis", result.rank() + 1), depth);
  return {result};
}

Expr define_one_hot(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const auto axis = static_cast<std::size_t>(call.axis("axis", call.type(0).rank() + 1));
  Index read = index;
  read.erase(read.begin() + static_cast<std::ptrdiff_t>(axis));
  const Expr number = arithmetic::convert(Halide::Int(64), operands[0](read));
  const std::int64_t depth = call.integer("depth");
  const Expr place = Halide::select(number < 0, number + Halide::Internal::make_const(number.type(), depth), number);
  return Halide::select(place == Halide::cast(number.type(), index[axis]), operands[1]({1}), operands[1]({0}));
}

/// Depth is one number; ONNX's indices may be of any number type.
void adapt_one_hot(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> depth = builder.integers(1);
  if (depth.size() != 1) builder.fail("depth must be one number");
  builder.bind(0, builder.emit("one_hot", {builder.input(0), builder.input(2)},
                               {named("depth", depth[0]), named("axis", node.integer("axis", -1))}));
}

std::vector<TensorType> infer_trilu(const Call& call) {
  if (call.type(0).rank() < 2) call.fail(fmt::format("trilu wants matrices, not {}", to_text(call.type(0).extents)));
  if (call.has(1)) {
    require_indices(call, 1);
    if (call.type(1).elements() != 1) call.fail(fmt::format("trilu: k must be one number, not {}", to_text(call.type(1))));
  }
  return {call.type(0)};
}

Expr define_trilu(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Expr x = operands[0](index), zero = Halide::Internal::make_zero(x.type());
  const std::int64_t rows = narrow(call.result().extents[index.size() - 2]), columns = narrow(call.result().extents.back());
  const Expr row = index[index.size() - 2], column = index.back();
  // Diagonals further away than the matrix is large are all the same.
  const std::int64_t least = -rows, most = columns;
  Expr diagonal = narrow(std::clamp(call.integer("diagonal"), least, most));
  if (call.has(1)) {
    const Expr k = operands[1](Index(operands[1].type.extents.size(), Expr(0)));
    const Expr far = Halide::Internal::make_const(k.type(), rows + columns);
    diagonal = diagonal + Halide::cast<int>(Halide::clamp(k, -far, far));
  }
  const Expr keeps = call.boolean("upper") ? column >= row + diagonal : column <= row + diagonal;
  return Halide::select(keeps, x, zero);
}

void adapt_trilu(const OnnxNode& node, OnnxBuilder& builder) {
  Op op;
  op.kind = "trilu";
  op.operands = {builder.input(0)};
  op.attributes = {named("upper", node.integer("upper", 1) != 0)};
  if (builder.has(1)) {
    if (!builder.is_known(builder.input(1))) {
      op.operands.push_back(builder.input(1));
    } else {
      const std::vector<std::int64_t> k = builder.integers(1);
      if (k.size() != 1) builder.fail("k must be one number");
      op.attributes.push_back(named("diagonal", k[0]));
    }
  }
  builder.bind(0, builder.emit(std::move(op)));
}

/// A known matrix: only the operand's shape counts.
void adapt_eye_like(const OnnxNode& node, OnnxBuilder& builder) {
  const TensorType& x = builder.type(builder.input(0));
  if (x.rank() != 2) builder.fail(fmt::format("{} is no matrix", to_text(x)));
  const auto element = node.find("dtype") == nullptr ? std::optional(x.element) : element_type_of_onnx(node.integer("dtype", 1));
  if (!element) builder.unsupported(fmt::format("element type {}", node.integer("dtype", 1)));
  const TensorType type = {*element, x.extents};
  constexpr std::int64_t limit = std::int64_t{1} << 28U;
  if (type.bytes() > limit) builder.unsupported(fmt::format("{} is more than 256 MiB of zeros and ones", to_text(type)));
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  const std::int64_t k = node.integer("k", 0), columns = x.extents[1];
  for (std::int64_t row = std::max<std::int64_t>(0, -std::max(k, -x.extents[0])); row < x.extents[0] && k < columns && row < columns - k;
       ++row) {
    store_double(bytes, *element, row * columns + row + k, 1);
  }
  builder.bind(0, builder.constant(own(type, std::move(bytes))));
}

std::vector<TensorType> infer_reverse(const Call& call) {
  const TensorType& x = call.type(0);
  require_indices(call, 1);
  const int batch = call.axis("batch_axis", x.rank()), time = call.axis("time_axis", x.rank());
  if (batch == time) call.fail("time_axis", "'time_axis' and 'batch_axis' must differ");
  const std::vector<std::int64_t> wanted = {x.extents[static_cast<std::size_t>(batch)]};
  if (call.type(1).extents != wanted) {
    call.fail(
        fmt::format("reverse_sequence wants {} lengths, one for each of axis {}, not {}", wanted[0], batch, to_text(call.type(1).extents)));
  }
  return {x};
}

Expr define_reverse(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const int rank = call.type(0).rank();
  const auto batch = static_cast<std::size_t>(call.axis("batch_axis", rank)), time = static_cast<std::size_t>(call.axis("time_axis", rank));
  const int steps = narrow(operands[0].type.extents[time]);
  const Expr number = operands[1]({index[batch]});
  const Expr length = Halide::cast<int>(Halide::clamp(number, Halide::Internal::make_zero(number.type()), arithmetic::like(number, steps)));
  Index read = index;
  read[time] = Halide::clamp(Halide::select(index[time] < length, length - 1 - index[time], index[time]), 0, steps - 1);
  return operands[0](read);
}

std::vector<IndexRange> lengths_of_reverse(const Call& call) {
  const int time = call.axis("time_axis", call.type(0).rank());
  return {{1, {0}, {call.type(0).extents[static_cast<std::size_t>(time)]}}};
}

std::vector<Supposition> suppose_depth(const OnnxNode& node, OnnxBuilder& builder) {
  const std::optional<std::int64_t> depth = declared_extent(builder, 0, node.integer("axis", -1));
  if (!depth || builder.type(builder.input(1)).elements() != 1) return {};
  return {suppose_equal(builder, 1, std::vector{*depth})};
}

constexpr OnnxForm one_hot_onnx[] = {
    {.op_type = "OneHot", .attributes = {onnx::adapted_attribute("axis")}, .adapt = adapt_one_hot, .suppose = suppose_depth}};
constexpr OnnxForm trilu_onnx[] = {
    {.op_type = "Trilu", .attributes = {onnx::adapted_attribute("upper")}, .adapt = adapt_trilu},
    {.op_type = "EyeLike", .attributes = {onnx::adapted_attribute("dtype"), onnx::adapted_attribute("k")}, .adapt = adapt_eye_like},
};
constexpr OnnxForm reverse_onnx[] = {{
    .op_type = "ReverseSequence",
    .attributes = {onnx::attribute("batch_axis", "batch_axis"), onnx::attribute("time_axis", "time_axis")},
}};

}  // namespace

extern constinit const Layer one_hot = {
    .name = "one_hot",
    .operands = {{"x"}, {"values"}},
    .arguments = {required("depth", ArgumentKind::integer), optional("axis", ArgumentKind::integer, "-1")},
    .infer = infer_one_hot,
    .onnx = one_hot_onnx,
};
extern constinit const Layer reverse_sequence = {
    .name = "reverse_sequence",
    .operands = {{"x"}, {"lengths"}},
    .arguments = {optional("batch_axis", ArgumentKind::integer, "1"), optional("time_axis", ArgumentKind::integer, "0")},
    .infer = infer_reverse,
    .indices = lengths_of_reverse,
    .onnx = reverse_onnx,
};
extern constinit const Layer trilu = {
    .name = "trilu",
    .operands = {{"x"}, {"k", Operand::Kind::optional}},
    .arguments = {optional("upper", ArgumentKind::boolean, "true"), optional("diagonal", ArgumentKind::integer, "0")},
    .infer = infer_trilu,
    .onnx = trilu_onnx,
};

extern constinit const Definition one_hot_definition = {"one_hot", define_one_hot};
extern constinit const Definition reverse_sequence_definition = {"reverse_sequence", define_reverse};
extern constinit const Definition trilu_definition = {"trilu", define_trilu};

}  // namespace calotype::layers
