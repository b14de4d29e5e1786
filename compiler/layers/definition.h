#pragma once
/// \file
/// A layer's arithmetic: the plain Halide algorithm, one element at a time. Unscheduled it is the oracle that schedule templates are tested
/// against; with the generic schedule it is the code of every layer that no template takes.
#include <Halide.h>

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "layers/layer.h"

namespace calotype::layers {

/// One expression for each logical dimension, in logical order (batch, channels, spatial...). Empty for a scalar.
using Index = std::vector<Halide::Expr>;

/// An operand as a definition sees it: logical type and a way to read one element. Where it lies in memory is hidden.
struct Tensor {
  TensorType type;
  /// The element at an index. Indices must lie inside the extents: definitions clamp and select for themselves.
  std::function<Halide::Expr(const Index&)> read;

  Halide::Expr operator()(const Index& index) const { return read(index); }
  /// False for an absent optional operand.
  explicit operator bool() const { return static_cast<bool>(read); }
};

/// Funcs that a definition needs beside the expression that it returns. The generic schedule places them.
struct Stages {
  /// Accumulators: args are the logical dimensions reversed (innermost first), called exactly once, at the result's own index.
  /// Computed in registers for each tile of the result.
  std::vector<Halide::Func> accumulators;
  /// Tables shared by many result elements (the maximum and the sum of a softmax): computed whole before the result, in this order.
  std::vector<Halide::Func> shared;

  /// Adds a shared table over these variables, in logical order, with their extents: states them, so that a schedule can vectorize it.
  void share(Halide::Func table, const std::vector<Halide::Var>& at, const std::vector<std::int64_t>& extents);
};

/// The element of result number `result` at `index`.
/// For elementwise layers operand 0 must be read at `index` itself, the very same expressions.
using Define = Halide::Expr (*)(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int result);

struct Definition {
  std::string_view name;
  Define define = nullptr;
};

/// Every definition, sorted by name (generated from compiler/layers/CMakeLists.txt).
std::span<const Definition* const> all_definitions();
const Definition* find_definition(std::string_view name);

/// The Halide type in which elements of that type are computed on and stored; bool is UInt(8) holding 0 or 1. f16/bf16: as stored.
Halide::Type halide_type(ElementType type);

/// Fresh variables for the logical dimensions of a rank, in logical order, named n, c, then d/y/x (z, y, x) as the rank has it.
std::vector<Halide::Var> index_variables(int rank);

/// The arguments of a Func over a logical index: the dimensions reversed, innermost first.
template <typename T>
std::vector<T> storage_order(const std::vector<T>& logical) {
  return {logical.rbegin(), logical.rend()};
}

/// `index` of the result as NumPy broadcasting reads it in an operand: trailing dimensions align, extent 1 reads element 0.
Index broadcast_index(const TensorType& operand, const TensorType& result, const Index& index);

}  // namespace calotype::layers
