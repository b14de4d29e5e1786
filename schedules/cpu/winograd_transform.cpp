/// \file
/// The matrices of Winograd's minimal filtering.
#include "schedules/cpu/winograd_transform.h"

#include <array>
#include <cmath>

namespace calotype::schedules::cpu {
namespace {

/// From the fourth pair on the choice matters: with 3/4 and 3/2 the errors of F(6, 7) are a fifth of those with 3/2 and 3.
constexpr std::array<double, 11> evaluation_points = {0, 1, -1, 2, -2, 0.5, -0.5, 0.75, -0.75, 1.5, -1.5};

/// Coefficients, lowest power first, of the product of (x - a) over the points, leaving out number `skipped` (-1: none).
std::vector<double> product_of_roots(int count, int skipped) {
  std::vector<double> polynomial = {1};
  for (int l = 0; l < count; ++l) {
    if (l == skipped) continue;
    std::vector<double> next(polynomial.size() + 1, 0.0);
    for (std::size_t i = 0; i < polynomial.size(); ++i) {
      next[i + 1] += polynomial[i];
      next[i] -= polynomial[i] * evaluation_points[static_cast<std::size_t>(l)];
    }
    polynomial = std::move(next);
  }
  return polynomial;
}

Halide::Expr times(const Halide::Expr& value, double weight) {
  return weight == 1 ? value : weight == -1 ? -value : value * static_cast<float>(weight);
}

Halide::Expr plus(const Halide::Expr& sum, const Halide::Expr& term) { return sum.defined() ? sum + term : term; }

/// One half of a weighted sum: the terms of one parity, with the sign of the first taken out.
struct Half {
  Halide::Expr sum;
  bool negative = false;
};

Half half_of(const std::vector<double>& weights, const std::function<Halide::Expr(int)>& element, std::size_t parity) {
  Half half;
  for (std::size_t i = parity; i < weights.size(); i += 2) {
    if (weights[i] == 0) continue;
    if (!half.sum.defined()) half.negative = weights[i] < 0;
    const double weight = half.negative ? -weights[i] : weights[i];
    half.sum = plus(half.sum, times(element(static_cast<int>(i)), weight));
  }
  return half;
}

}  // namespace

WinogradTransform winograd_transform(int results, int taps) {
  WinogradTransform transform;
  transform.results = results;
  transform.taps = taps;
  transform.points = results + taps - 1;
  const int finite = transform.points - 1;
  transform.output.assign(static_cast<std::size_t>(results), std::vector<double>(static_cast<std::size_t>(transform.points), 0.0));
  for (int j = 0; j < transform.points; ++j) {
    const bool at_infinity = j == finite;
    const double point = at_infinity ? 0 : evaluation_points[static_cast<std::size_t>(j)];
    double scale = 1;
    for (int l = 0; !at_infinity && l < finite; ++l) {
      if (l != j) scale *= point - evaluation_points[static_cast<std::size_t>(l)];
    }
    std::vector<double> input = product_of_roots(finite, at_infinity ? -1 : j);
    input.resize(static_cast<std::size_t>(transform.points), 0.0);
    transform.input.push_back(std::move(input));
    std::vector<double> filter;
    for (int k = 0; k < taps; ++k) filter.push_back(at_infinity ? (k == taps - 1 ? 1.0 : 0.0) : std::pow(point, k) / scale);
    transform.filter.push_back(std::move(filter));
    for (int i = 0; i < results; ++i) {
      transform.output[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] =
          at_infinity ? (i == results - 1 ? 1.0 : 0.0) : std::pow(point, i);
    }
  }
  return transform;
}

Halide::Expr sum_by_parity(const std::vector<double>& weights, const std::function<Halide::Expr(int)>& element) {
  const Half even = half_of(weights, element, 0);
  const Half odd = half_of(weights, element, 1);
  if (!even.sum.defined()) return odd.negative ? -odd.sum : odd.sum;
  if (!odd.sum.defined()) return even.negative ? -even.sum : even.sum;
  if (!even.negative) return odd.negative ? even.sum - odd.sum : even.sum + odd.sum;
  return odd.negative ? -(even.sum + odd.sum) : odd.sum - even.sum;
}

Halide::Expr sum_by_pairs(const std::vector<double>& weights, const std::function<Halide::Expr(int)>& element) {
  // Points: 0, then pairs a, -a, then perhaps one without its partner, then infinity.
  Halide::Expr sum;
  const auto count = static_cast<int>(weights.size());
  const auto weight = [&](int i) { return weights[static_cast<std::size_t>(i)]; };
  for (int i = 0; i < count; ++i) {
    if (weight(i) == 0) continue;
    const bool is_pair = i % 2 == 1 && i + 2 < count && std::abs(weight(i)) == std::abs(weight(i + 1));
    if (!is_pair) {
      sum = plus(sum, times(element(i), weight(i)));
      continue;
    }
    const Halide::Expr both = weight(i) == weight(i + 1) ? element(i) + element(i + 1) : element(i) - element(i + 1);
    sum = plus(sum, times(both, weight(i)));
    ++i;
  }
  return sum;
}

}  // namespace calotype::schedules::cpu
