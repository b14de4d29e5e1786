#pragma once
/// \file
/// The matrices of Winograd's minimal filtering F(m, r): m results of a filter of r taps from m + r - 1 multiplications, after Toom and Cook:
/// polynomials evaluated at m + r - 2 points and at infinity. S. Winograd, "Arithmetic Complexity of Computations" (1980); A. Lavin and S. Gray,
/// "Fast Algorithms for Convolutional Neural Networks" (2016).
#include <Halide.h>

#include <functional>
#include <vector>

namespace calotype::schedules::cpu {

/// y = output * ((filter * g) . (input * d)), one dimension; rows of doubles. In two dimensions each matrix acts on rows, then on columns.
struct WinogradTransform {
  int results = 0;  ///< m
  int taps = 0;  ///< r
  int points = 0;  ///< m + r - 1
  std::vector<std::vector<double>> output;  ///< m x points
  std::vector<std::vector<double>> filter;  ///< points x r
  std::vector<std::vector<double>> input;  ///< points x points
};

/// F(m, r) of at most 12 points on 0, 1, -1, 2, -2, 1/2, -1/2, ... and infinity: exact in binary, so errors come from cancellation alone.
WinogradTransform winograd_transform(int results, int taps);

/// Sum of weights[i] * element(i), even and odd powers apart: rows of the input matrix for the points a and -a share both parts.
Halide::Expr sum_by_parity(const std::vector<double>& weights, const std::function<Halide::Expr(int)>& element);

/// Sum of weights[i] * element(i), the elements of the points a and -a joined first: rows of the output matrix share those sums.
Halide::Expr sum_by_pairs(const std::vector<double>& weights, const std::function<Halide::Expr(int)>& element);

}  // namespace calotype::schedules::cpu
