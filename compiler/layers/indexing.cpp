/// \file
/// Indices that arrive as numbers: their types, and how they are kept inside.
#include "layers/indexing.h"

#include <fmt/format.h>

#include <algorithm>

#include "layers/reduction.h"

namespace calotype::layers {

void require_indices(const Call& call, int position) {
  const ElementType element = call.type(position).element;
  if (element == ElementType::i32 || element == ElementType::i64) return;
  call.unsupported(
      fmt::format("{} wants indices of i32 or i64, but {} is {}", call.layer().name, call.operand(position).name, name_of(element)));
}

void require_cells(const Call& call, std::int64_t extent, const TensorType& result) {
  if (extent > 0 || result.elements() == 0) return;
  call.fail(fmt::format("{}: {} has an extent of 0, so no index is right", call.layer().name, to_text(call.type(0).extents)));
}

std::vector<IndexRange> range_of_indices(int position, const std::vector<std::int64_t>& extents) {
  IndexRange range;
  range.operand = position;
  for (const std::int64_t extent : extents) {
    range.least.push_back(-extent);
    range.most.push_back(extent - 1);
  }
  return {range};
}

Halide::Expr wrapped_index(const Halide::Expr& index, std::int64_t extent) {
  const int cells = narrow(extent);
  // Clamped first: what is left fits 32 bits, and the sum cannot overflow.
  const Halide::Expr near =
      Halide::cast<int>(Halide::clamp(index, Halide::Internal::make_const(index.type(), -extent),
                                      Halide::Internal::make_const(index.type(), std::max<std::int64_t>(extent - 1, 0))));
  return Halide::clamp(Halide::select(near < 0, near + cells, near), 0, std::max(cells - 1, 0));
}

Halide::Expr is_inside(const Halide::Expr& index, std::int64_t extent) {
  narrow(extent);
  return index >= Halide::Internal::make_const(index.type(), -extent) && index < Halide::Internal::make_const(index.type(), extent);
}

}  // namespace calotype::layers
