/// \file
/// Layers that write updates over a copy of x at an operand of indices (i32 or i64). A negative index counts from the end; an update outside is left
/// out, and run returns CALOTYPE_INDEX_OUT_OF_RANGE. With `reduction` (add, mul, max, min) an update is combined with what is there; without it the last one in row-major order stays.
///
///   scatter_elements   one place for each update: y[indices[i, j], j] = updates[i, j] for axis=0
///   scatter_nd         the last dimension of the indices is a place in x, where a slice of the updates goes:
///                      y[indices[i, 0], indices[i, 1], ..., ...] = updates[i, ...]
#include <fmt/format.h>

#include <algorithm>

#include "layers/arithmetic.h"
#include "layers/elementwise.h"
#include "layers/indexing.h"
#include "layers/reduction.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

void require_updates(const Call& call) {
  require_indices(call, 1);
  const ElementType x = call.type(0).element, updates = call.type(2).element;
  if (x != updates)
    call.fail(fmt::format("{}: updates of {} do not fit an operand of {}", call.layer().name, name_of(updates), name_of(x)));
  if (x == ElementType::boolean && call.word("reduction") != "none") call.unsupported("a reduction of bool");
}

std::vector<TensorType> infer_elements(const Call& call) {
  require_updates(call);
  const std::vector<std::int64_t>&x = call.type(0).extents, &indices = call.type(1).extents;
  const int axis = call.axis("axis", call.type(0).rank());
  bool fits = indices.size() == x.size() && call.type(2).extents == indices;
  for (std::size_t i = 0; fits && i < x.size(); ++i) fits = static_cast<int>(i) == axis || indices[i] <= x[i];
  if (!fits) {
    call.fail(fmt::format(
        "scatter_elements: indices {} and updates {} do not fit {}: they must have one shape, its rank and, but for axis {}, no "
        "larger extents",
        to_text(indices), to_text(call.type(2).extents), to_text(x), axis));
  }
  return {call.type(0)};
}

std::vector<TensorType> infer_nd(const Call& call) {
  require_updates(call);
  const std::vector<std::int64_t>&x = call.type(0).extents, &indices = call.type(1).extents;
  const std::int64_t named = indices.empty() ? 0 : indices.back();
  bool fits = named >= 1 && named <= std::ssize(x);
  if (fits) {
    std::vector<std::int64_t> wanted(indices.begin(), indices.end() - 1);
    wanted.insert(wanted.end(), x.begin() + named, x.end());
    fits = call.type(2).extents == wanted;
  }
  if (!fits) {
    call.fail(
        fmt::format("scatter_nd: indices {} and updates {} do not fit {}: updates must have the shape of the indices without the last "
                    "dimension, then that of the slices",
                    to_text(indices), to_text(call.type(2).extents), to_text(x)));
  }
  return {call.type(0)};
}

Expr combined(const Call& call, const Expr& there, const Expr& update) {
  const std::string reduction = call.word("reduction");
  if (reduction == "none") return update;
  const Expr a = arithmetic::widen(there), b = arithmetic::widen(update);
  const Expr result = reduction == "add"   ? arithmetic::add(a, b)
                      : reduction == "mul" ? arithmetic::multiply(a, b)
                      : reduction == "max" ? arithmetic::maximum(a, b)
                                           : arithmetic::minimum(a, b);
  return arithmetic::narrow(there.type(), result);
}

/// A copy of x, and the update of one place of it where that lies inside.
Expr written(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, const std::vector<Halide::Var>& at,
             const Index& place, const Index& update, const Expr& inside) {
  Halide::Func table(call.op().kind + "_written");
  table(storage_order(at)) = operands[0]({at.begin(), at.end()});
  const Expr there = table(storage_order(place));
  table(storage_order(place)) = Halide::select(inside, combined(call, there, operands[2](update)), there);
  stages.shared.push_back(table);
  return table(storage_order(index));
}

Expr define_elements(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const TensorType &x = operands[0].type, &indices = operands[1].type;
  if (indices.elements() == 0) return operands[0](index);
  const auto axis = static_cast<std::size_t>(call.axis("axis", x.rank()));
  const Domain r = domain_over(indices.extents, "r");
  const Index update(r.variables.begin(), r.variables.end());
  const Expr number = operands[1](update);
  Index place = update;
  place[axis] = wrapped_index(number, x.extents[axis]);
  return written(call, operands, index, stages, index_variables(x.rank()), place, update, is_inside(number, x.extents[axis]));
}

Expr define_nd(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const TensorType &x = operands[0].type, &indices = operands[1].type;
  if (operands[2].type.elements() == 0) return operands[0](index);
  const auto named = static_cast<std::size_t>(indices.extents.back());
  const std::vector<Halide::Var> at = index_variables(x.rank());
  const Extents entries(indices.extents.begin(), indices.extents.end() - 1);
  // A lone entry has a domain of one cell.
  const Domain r = domain_over(entries.empty() ? Extents{1} : entries, "r");
  Index entry, update, place;
  for (std::size_t i = 0; i < entries.size(); ++i) entry.push_back(r.variables[i]);
  update = entry;
  entry.emplace_back(0);
  Expr inside = entries.empty() ? r.variables[0] == 0 : Halide::Internal::const_true();
  for (std::size_t i = 0; i < named; ++i) {
    entry.back() = static_cast<int>(i);
    const Expr number = operands[1](entry);
    inside = inside && is_inside(number, x.extents[i]);
    place.push_back(wrapped_index(number, x.extents[i]));
  }
  for (std::size_t i = named; i < at.size(); ++i) {
    place.emplace_back(at[i]);
    update.emplace_back(at[i]);
  }
  return written(call, operands, index, stages, at, place, update, inside);
}

constexpr OnnxForm elements_onnx[] = {
    {.op_type = "Scatter", .attributes = {onnx::attribute("axis", "axis")}},
    {.op_type = "ScatterElements", .attributes = {onnx::attribute("axis", "axis"), onnx::word("reduction", "reduction")}},
};
constexpr OnnxForm nd_onnx[] = {{.op_type = "ScatterND", .attributes = {onnx::word("reduction", "reduction")}}};

constexpr Argument reduction = optional("reduction", ArgumentKind::word, "none", "none add mul max min");

std::vector<IndexRange> indices_along_axis(const Call& call) {
  const int axis = call.axis("axis", call.type(0).rank());
  return range_of_indices(1, {call.type(0).extents[static_cast<std::size_t>(axis)]});
}

std::vector<IndexRange> indices_nd(const Call& call) {
  const Extents& extents = call.type(0).extents;
  return range_of_indices(1, {extents.begin(), extents.begin() + call.type(1).extents.back()});
}

constexpr Layer scattering(std::string_view name, Argument first, Argument second, std::vector<TensorType> (*infer)(const Call&),
                           std::vector<IndexRange> (*indices)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"x"}, {"indices"}, {"updates"}},
          .arguments = {first, second},
          .infer = infer,
          .indices = indices,
          .onnx = onnx};
}

}  // namespace

extern constinit const Layer scatter_elements = scattering("scatter_elements", optional("axis", ArgumentKind::integer, "0"), reduction,
                                                           infer_elements, indices_along_axis, elements_onnx);
extern constinit const Layer scatter_nd = scattering("scatter_nd", reduction, {}, infer_nd, indices_nd, nd_onnx);

extern constinit const Definition scatter_elements_definition = {"scatter_elements", define_elements};
extern constinit const Definition scatter_nd_definition = {"scatter_nd", define_nd};

}  // namespace calotype::layers
