/// \file
/// What every layer's arithmetic is written with: element types in Halide's terms, index variables, and NumPy's broadcasting.
#include "layers/definition.h"

#include <limits>

namespace calotype::layers {

Halide::Type halide_type(ElementType type) {
  switch (type) {
    case ElementType::f64: return Halide::Float(64);
    case ElementType::f32: return Halide::Float(32);
    case ElementType::f16: return Halide::Float(16);
    case ElementType::bf16: return Halide::BFloat(16);
    case ElementType::i8: return Halide::Int(8);
    case ElementType::u8: return Halide::UInt(8);
    case ElementType::i16: return Halide::Int(16);
    case ElementType::u16: return Halide::UInt(16);
    case ElementType::i32: return Halide::Int(32);
    case ElementType::u32: return Halide::UInt(32);
    case ElementType::i64: return Halide::Int(64);
    case ElementType::u64: return Halide::UInt(64);
    case ElementType::boolean: return Halide::UInt(8);
  }
  throw Failure(Fault::bug, "an element type that Halide does not know");
}

void Stages::share(Halide::Func table, const std::vector<Halide::Var>& at, const std::vector<std::int64_t>& extents) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (extents[i] <= std::numeric_limits<int>::max()) table.bound(at[i], 0, static_cast<int>(extents[i]));
  }
  shared.push_back(std::move(table));
}

std::vector<Halide::Var> index_variables(int rank) {
  std::vector<Halide::Var> variables;
  if (rank > 0) variables.emplace_back("n");
  if (rank > 1) variables.emplace_back("c");
  const int spatial = rank - 2;
  for (int i = 0; i < spatial; ++i) {
    static constexpr const char* names[] = {"z", "y", "x"};
    if (spatial <= 3) {
      variables.emplace_back(names[3 - spatial + i]);
    } else {
      variables.emplace_back("d" + std::to_string(i));
    }
  }
  return variables;
}

Index broadcast_index(const TensorType& operand, const TensorType& result, const Index& index) {
  if (operand.rank() > result.rank() || index.size() != result.extents.size()) {
    throw Failure(Fault::bug,
                  "an operand of rank " + std::to_string(operand.rank()) + " does not broadcast to rank " + std::to_string(result.rank()));
  }
  const std::size_t skipped = result.extents.size() - operand.extents.size();
  Index mine;
  for (std::size_t i = 0; i < operand.extents.size(); ++i) {
    // Extent 1 against extent 1 keeps the index, so that elementwise operands of the result's shape are read at the very same expressions.
    const bool repeats = operand.extents[i] == 1 && result.extents[i + skipped] != 1;
    mine.push_back(repeats ? Halide::Expr(0) : index[i + skipped]);
  }
  return mine;
}

}  // namespace calotype::layers
