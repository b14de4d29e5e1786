/// \file
/// Layers that pick elements by an operand of indices (i32 or i64). A negative index counts from the end; one that lies outside reads the nearest
/// element inside, and run returns CALOTYPE_INDEX_OUT_OF_RANGE.
///
///   gather            whole slices of `axis`: the operand's shape with `axis` replaced by the shape of the indices
///   gather_elements   one element for each index: y[i, j] = x[indices[i, j], j] for axis=0; the shape of the indices
///   gather_nd         the last dimension of the indices is a place in x: y[i, ...] = x[indices[i, 0], indices[i, 1], ..., ...]. The first
///                     `batch_dims` dimensions of both run together.
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/indexing.h"
#include "layers/reduction.h"

namespace calotype::layers {
namespace {

std::size_t axis_of(const Call& call) { return static_cast<std::size_t>(call.axis("axis", call.type(0).rank())); }

std::vector<TensorType> infer_gather(const Call& call) {
  const std::vector<std::int64_t>& extents = call.type(0).extents;
  require_indices(call, 1);
  const auto axis = static_cast<std::ptrdiff_t>(axis_of(call));
  TensorType result = {call.type(0).element, {extents.begin(), extents.begin() + axis}};
  result.extents.insert(result.extents.end(), call.type(1).extents.begin(), call.type(1).extents.end());
  result.extents.insert(result.extents.end(), extents.begin() + axis + 1, extents.end());
  require_cells(call, extents[static_cast<std::size_t>(axis)], result);
  return {result};
}

Halide::Expr define_gather(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Tensor& x = operands[0];
  const auto axis = static_cast<std::ptrdiff_t>(axis_of(call)), chosen = static_cast<std::ptrdiff_t>(operands[1].type.extents.size());
  Index read(index.begin(), index.begin() + axis);
  const Index place(index.begin() + axis, index.begin() + axis + chosen);
  read.push_back(wrapped_index(operands[1](place), x.type.extents[static_cast<std::size_t>(axis)]));
  read.insert(read.end(), index.begin() + axis + chosen, index.end());
  return x(read);
}

std::vector<TensorType> infer_elements(const Call& call) {
  const TensorType& x = call.type(0);
  require_indices(call, 1);
  const std::vector<std::int64_t>& indices = call.type(1).extents;
  const std::size_t axis = axis_of(call);
  bool fits = indices.size() == x.extents.size();
  for (std::size_t i = 0; fits && i < indices.size(); ++i) fits = i == axis || indices[i] <= x.extents[i];
  if (!fits) {
    call.fail(fmt::format("gather_elements: indices {} do not fit {}: they must have its rank and, but for axis {}, no larger extents",
                          to_text(indices), to_text(x.extents), axis));
  }
  const TensorType result = {x.element, indices};
  require_cells(call, x.extents[axis], result);
  return {result};
}

Halide::Expr define_elements(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const std::size_t axis = axis_of(call);
  Index read = index;
  read[axis] = wrapped_index(operands[1](index), operands[0].type.extents[axis]);
  return operands[0](read);
}

/// Dimensions that run together, and those that an entry of the indices names.
struct Places {
  std::size_t batch = 0, named = 0;
};

Places places_of(const Call& call) {
  const std::vector<std::int64_t>&x = call.type(0).extents, &indices = call.type(1).extents;
  const std::int64_t batch = call.integer("batch_dims");
  if (indices.empty() || batch < 0 || batch >= std::min(std::ssize(x), std::ssize(indices))) {
    call.fail("batch_dims",
              fmt::format("batch_dims {} must be less than the ranks of {} and of the indices {}", batch, to_text(x), to_text(indices)));
  }
  const std::int64_t named = indices.back();
  if (named < 1 || batch + named > std::ssize(x) || !std::equal(x.begin(), x.begin() + batch, indices.begin())) {
    call.fail(fmt::format("gather_nd: entries of {} in indices {} do not name places in {} after {} common dimensions", named,
                          to_text(indices), to_text(x), batch));
  }
  return {static_cast<std::size_t>(batch), static_cast<std::size_t>(named)};
}

std::vector<TensorType> infer_nd(const Call& call) {
  require_indices(call, 1);
  const Places places = places_of(call);
  const std::vector<std::int64_t>&x = call.type(0).extents, &indices = call.type(1).extents;
  TensorType result = {call.type(0).element, {indices.begin(), indices.end() - 1}};
  result.extents.insert(result.extents.end(), x.begin() + static_cast<std::ptrdiff_t>(places.batch + places.named), x.end());
  for (std::size_t i = 0; i < places.named; ++i) require_cells(call, x[places.batch + i], result);
  return {result};
}

Halide::Expr define_nd(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const Places places = places_of(call);
  const auto entries = static_cast<std::ptrdiff_t>(operands[1].type.extents.size() - 1);
  Index read(index.begin(), index.begin() + static_cast<std::ptrdiff_t>(places.batch));
  Index place(index.begin(), index.begin() + entries);
  place.emplace_back(0);
  for (std::size_t i = 0; i < places.named; ++i) {
    place.back() = static_cast<int>(i);
    read.push_back(wrapped_index(operands[1](place), operands[0].type.extents[places.batch + i]));
  }
  read.insert(read.end(), index.begin() + entries, index.end());
  return operands[0](read);
}

/// Entries of a known tensor, as chains of shape arithmetic and dictionaries pick them: copied row by row, indices checked.
void adapt_gather(const OnnxNode& node, OnnxBuilder& builder) {
  if (!builder.is_known(builder.input(0)) || !builder.is_known(builder.input(1))) {
    return builder.bind(0, builder.emit(builder.statement()));
  }
  const TensorData data = builder.require_known(0);
  const std::vector<std::int64_t> places = builder.integers(1);
  const std::vector<std::int64_t>& extents = data.type.extents;
  const auto rank = static_cast<std::int64_t>(extents.size());
  std::int64_t axis = node.integer("axis", 0);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) builder.fail(fmt::format("axis {} is none of {}", axis, to_text(extents)));
  const auto at = static_cast<std::size_t>(axis);
  const std::size_t row = static_cast<std::size_t>(checked_product(std::span(extents).subspan(at + 1)) * bytes_of(data.type.element));
  const std::int64_t rows = extents[at], outer = checked_product(std::span(extents).first(at));

  TensorType type{data.type.element, std::vector<std::int64_t>(extents.begin(), extents.begin() + axis)};
  const std::vector<std::int64_t>& shape = builder.extents(builder.input(1));
  type.extents.insert(type.extents.end(), shape.begin(), shape.end());
  type.extents.insert(type.extents.end(), extents.begin() + axis + 1, extents.end());
  std::vector<std::byte> bytes;
  bytes.reserve(static_cast<std::size_t>(type.bytes()));
  for (std::int64_t i = 0; i < outer; ++i) {
    for (std::int64_t place : places) {
      if (place < 0) place += rows;
      if (place < 0 || place >= rows) builder.fail(fmt::format("index {} is none of {} rows", place, rows));
      const auto entry = data.bytes.subspan(static_cast<std::size_t>(i * rows + place) * row, row);
      bytes.insert(bytes.end(), entry.begin(), entry.end());
    }
  }
  builder.bind(0, builder.constant(own(type, std::move(bytes))));
}

constexpr OnnxForm gather_onnx[] = {{.op_type = "Gather", .attributes = {onnx::attribute("axis", "axis")}, .adapt = adapt_gather}};
constexpr OnnxForm elements_onnx[] = {{.op_type = "GatherElements", .attributes = {onnx::attribute("axis", "axis")}}};
constexpr OnnxForm nd_onnx[] = {{.op_type = "GatherND", .attributes = {onnx::attribute("batch_dims", "batch_dims")}}};

std::vector<IndexRange> indices_along_axis(const Call& call) { return range_of_indices(1, {call.type(0).extents[axis_of(call)]}); }

std::vector<IndexRange> indices_nd(const Call& call) {
  const Places places = places_of(call);
  const auto first = call.type(0).extents.begin() + static_cast<std::ptrdiff_t>(places.batch);
  return range_of_indices(1, {first, first + static_cast<std::ptrdiff_t>(places.named)});
}

constexpr Layer gathering(std::string_view name, Argument argument, std::vector<TensorType> (*infer)(const Call&),
                          std::vector<IndexRange> (*indices)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name, .operands = {{"x"}, {"indices"}}, .arguments = {argument}, .infer = infer, .indices = indices, .onnx = onnx};
}

}  // namespace

extern constinit const Layer gather =
    gathering("gather", optional("axis", ArgumentKind::integer, "0"), infer_gather, indices_along_axis, gather_onnx);
extern constinit const Layer gather_elements =
    gathering("gather_elements", optional("axis", ArgumentKind::integer, "0"), infer_elements, indices_along_axis, elements_onnx);
extern constinit const Layer gather_nd =
    gathering("gather_nd", optional("batch_dims", ArgumentKind::integer, "0"), infer_nd, indices_nd, nd_onnx);

extern constinit const Definition gather_definition = {"gather", define_gather};
extern constinit const Definition gather_elements_definition = {"gather_elements", define_elements};
extern constinit const Definition gather_nd_definition = {"gather_nd", define_nd};

}  // namespace calotype::layers
