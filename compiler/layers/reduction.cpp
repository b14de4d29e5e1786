/// \file
/// What definitions that reduce over a window or an axis are written with.
#include "layers/reduction.h"

#include <limits>

#include "layers/arithmetic.h"

namespace calotype::layers {

int narrow(std::int64_t x) {
  if (x > std::numeric_limits<int>::max() || x < std::numeric_limits<int>::min()) {
    throw Failure(Fault::unsupported, "an extent of " + std::to_string(x) + " exceeds the 31 bits that generated code counts with");
  }
  return static_cast<int>(x);
}

Halide::Type accumulator_type(ElementType element) {
  if (element == ElementType::f64) return Halide::Float(64);
  return is_float(element) || bytes_of(element) < 4 ? Halide::Float(32) : halide_type(element);
}

Halide::Expr multiply_add(const Halide::Expr& sum, const Halide::Expr& a, const Halide::Expr& b) {
  const Halide::Expr left = Halide::cast(sum.type(), a), right = Halide::cast(sum.type(), b);
  return sum.type().is_float() ? sum + left * right : arithmetic::add(sum, arithmetic::multiply(left, right));
}

Domain domain_over(const Extents& extents, const char* name) {
  Halide::Region region;  // innermost first
  for (auto extent = extents.rbegin(); extent != extents.rend(); ++extent) region.emplace_back(0, narrow(*extent));
  Domain domain{Halide::RDom(region, name), {}};
  for (int i = domain.domain.dimensions() - 1; i >= 0; --i) domain.variables.emplace_back(domain.domain[i]);
  return domain;
}

Halide::Expr read_padded(const Tensor& operand, const Index& index, const std::vector<bool>& leaves, const Halide::Expr& outside) {
  Index inside = index;
  Halide::Expr is_inside = Halide::Internal::const_true();
  for (std::size_t d = 0; d < index.size(); ++d) {
    if (!leaves[d]) continue;
    const int extent = narrow(operand.type.extents[d]);
    is_inside = is_inside && index[d] >= 0 && index[d] < extent;
    // `likely`: Halide splits off the loop's middle, where neither clamp nor select is needed.
    inside[d] = Halide::clamp(Halide::likely(index[d]), 0, extent - 1);
  }
  const Halide::Expr element = operand(inside);
  if (Halide::Internal::is_const_one(is_inside)) return element;
  return Halide::select(is_inside, Halide::likely(element), Halide::cast(element.type(), outside));
}

Index window_index(const Window& window, const Index& index, const Halide::Expr& channel, const std::vector<Halide::Expr>& cell) {
  Index there = {index[0], channel};
  for (std::size_t d = 0; d < window.rank(); ++d) {
    there.push_back(index[d + 2] * narrow(window.stride[d]) + cell[d] * narrow(window.dilation[d]) - narrow(window.begin[d]));
  }
  return there;
}

std::vector<bool> leaves_operand(const Window& window) {
  std::vector<bool> leaves = {false, false};
  for (std::size_t d = 0; d < window.rank(); ++d) leaves.push_back(window.leaves_operand(d));
  return leaves;
}

}  // namespace calotype::layers
