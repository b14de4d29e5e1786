/// \file
/// Layers that repeat their operand: expand, to the shape that NumPy broadcasts the operand and `shape` to; tile, `repeats` times along each dimension.
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/definition.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"

namespace calotype::layers {
namespace {

std::vector<TensorType> infer_expand(const Call& call) {
  const std::vector<std::int64_t>& from = call.type(0).extents;
  std::vector<std::int64_t> to = call.integers("shape");
  if (to.size() < from.size()) to.insert(to.begin(), from.size() - to.size(), 1);
  for (std::size_t back = 1; back <= to.size(); ++back) {
    std::int64_t& extent = to[to.size() - back];
    const std::int64_t mine = back <= from.size() ? from[from.size() - back] : 1;
    if (extent < 0 || (extent != mine && extent != 1 && mine != 1)) {
      call.fail("shape", fmt::format("{} cannot be expanded to {}: extents are aligned at the end, and must be equal or 1", to_text(from),
                                     to_text(to)));
    }
    if (extent == 1) extent = mine;
  }
  return {{call.type(0).element, to}};
}

Halide::Expr define_expand(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  return operands[0](broadcast_index(operands[0].type, call.result(), index));
}

std::vector<TensorType> infer_tile(const Call& call) {
  TensorType result = call.type(0);
  const std::vector<std::int64_t> repeats = call.integers("repeats");
  if (repeats.size() != result.extents.size()) {
    call.fail("repeats",
              fmt::format("'repeats' has {} numbers, but {} has {} dimensions", repeats.size(), to_text(result.extents), result.rank()));
  }
  for (std::size_t i = 0; i < repeats.size(); ++i) {
    if (repeats[i] < 0) call.fail("repeats", fmt::format("'repeats' cannot be {}", repeats[i]));
    result.extents[i] = checked_multiply(result.extents[i], repeats[i]);
  }
  return {result};
}

Halide::Expr define_tile(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  Index read = index;
  for (std::size_t i = 0; i < index.size(); ++i) {
    const std::int64_t extent = operands[0].type.extents[i];
    if (call.result().extents[i] != extent) read[i] = extent == 1 ? Halide::Expr(0) : index[i] % narrow(std::max<std::int64_t>(extent, 1));
  }
  return operands[0](read);
}

/// The declared extents, or 1 where the operand has them already.
std::vector<Supposition> suppose_expand(const OnnxNode&, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* to = builder.declared(0);
  const std::int64_t count = entries_of(builder, 1);
  if (to == nullptr || count < 1 || count > std::ssize(*to)) return {};
  const std::vector<std::int64_t> wanted(to->end() - count, to->end()), from = builder.extents(builder.input(0));
  Supposition supposition = suppose_equal(builder, 1, wanted);
  std::vector<bool> is_kept;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t mine = std::ssize(from) - count + i;
    is_kept.push_back(mine >= 0 && from[static_cast<std::size_t>(mine)] == wanted[static_cast<std::size_t>(i)]);
  }
  const ValueId is_one = equals(builder, builder.input(1), std::vector<std::int64_t>(wanted.size(), 1));
  const ValueId kept = builder.emit("logical_and", {is_one, truths(builder, is_kept)});
  supposition.holds.front() = builder.emit("logical_or", {supposition.holds.front(), kept});
  return {std::move(supposition)};
}

/// What the extents grew by; of nothing there may be any number of copies.
std::vector<Supposition> suppose_tile(const OnnxNode&, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* to = builder.declared(0);
  const std::vector<std::int64_t> from = builder.extents(builder.input(0));
  if (to == nullptr || to->size() != from.size() || entries_of(builder, 1) != std::ssize(from)) return {};
  std::vector<std::int64_t> repeats;
  std::vector<bool> is_any;
  for (std::size_t i = 0; i < from.size(); ++i) {
    is_any.push_back(from[i] == 0);
    repeats.push_back(from[i] == 0 ? 1 : (*to)[i] / from[i]);
  }
  Supposition supposition = suppose_equal(builder, 1, repeats);
  supposition.holds.front() = builder.emit("logical_or", {supposition.holds.front(), truths(builder, is_any)});
  return {std::move(supposition)};
}

constexpr OnnxForm expand_onnx[] = {
    {.op_type = "Expand", .inputs = {onnx::operand("x"), onnx::argument("shape")}, .suppose = suppose_expand}};
constexpr OnnxForm tile_onnx[] = {{.op_type = "Tile", .inputs = {onnx::operand("x"), onnx::argument("repeats")}, .suppose = suppose_tile}};

}  // namespace

extern constinit const Layer expand = {
    .name = "expand",
    .operands = {{"x"}},
    .arguments = {required("shape", ArgumentKind::integers)},
    .infer = infer_expand,
    .onnx = expand_onnx,
};
extern constinit const Layer tile = {
    .name = "tile",
    .operands = {{"x"}},
    .arguments = {required("repeats", ArgumentKind::integers)},
    .infer = infer_tile,
    .onnx = tile_onnx,
};

extern constinit const Definition expand_definition = {"expand", define_expand};
extern constinit const Definition tile_definition = {"tile", define_tile};

}  // namespace calotype::layers
