#pragma once
/// \file
/// What layers are written with that read or write at indices which arrive as numbers: an index never leads outside of its tensor.
#include "layers/definition.h"

namespace calotype::layers {

/// Throws Failure(unsupported) unless the operand's elements are i32 or i64.
void require_indices(const Call& call, int position);

/// Throws Failure(input) if the result has elements but the indexed dimension, of that extent, has none to pick.
void require_cells(const Call& call, std::int64_t extent, const TensorType& result);

/// Indices of the operand at `position` into dimensions of these extents, negative ones counted from the end: one extent for all, or one for each
/// place along the operand's last dimension.
std::vector<IndexRange> range_of_indices(int position, const std::vector<std::int64_t>& extents);

/// The index as a place in a dimension: negative counts from the end. Outside it is whatever is nearest inside.
Halide::Expr wrapped_index(const Halide::Expr& index, std::int64_t extent);

/// Does the index, negative ones counted from the end, lie inside of the dimension?
Halide::Expr is_inside(const Halide::Expr& index, std::int64_t extent);

}  // namespace calotype::layers
