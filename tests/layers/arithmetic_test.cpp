/// \file
/// The exact expressions against the C library in double precision, over floats of every magnitude, and against C's integer arithmetic where it is
/// defined. Every case runs relaxed, as in the epilogue of a convolution, and strict, as in a kernel of its own, vectorized both times.
#include "layers/arithmetic.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

namespace calotype::layers {
namespace {

using Halide::Buffer;
using Halide::Expr;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// Positive and negative floats of every exponent, zeros, subnormals, infinities and NaN, and a dense sweep of what networks see.
Buffer<float> sweep() {
  std::vector<float> numbers = {0.0f,
                                -0.0f,
                                kInfinity,
                                -kInfinity,
                                kNan,
                                -kNan,
                                1.0f,
                                -1.0f,
                                std::numeric_limits<float>::denorm_min(),
                                std::numeric_limits<float>::min(),
                                std::numeric_limits<float>::max(),
                                std::numeric_limits<float>::lowest()};
  for (std::uint64_t bits = 0; bits < (std::uint64_t{1} << 32); bits += 10007)
    numbers.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (int i = -200000; i <= 200000; ++i) numbers.push_back(static_cast<float>(i) * 5.3e-4f);
  while (numbers.size() % 64 != 0) numbers.push_back(0.5f);
  Buffer<float> buffer(static_cast<int>(numbers.size()));
  std::copy(numbers.begin(), numbers.end(), buffer.begin());
  return buffer;
}

Halide::Target target(bool is_strict) {
  const Halide::Target host = Halide::get_jit_target_from_environment();
  return is_strict ? host.with_feature(Halide::Target::StrictFloat) : host;
}

template <typename Result, typename Number>
Buffer<Result> evaluate(const Buffer<Number>& x, const std::function<Expr(const Expr&)>& function, bool is_strict) {
  Halide::Var i("i");
  Halide::Func y("y");
  y(i) = function(x(i));
  Buffer<Result> result(x.width());
  if (x.width() % 16 == 0) y.vectorize(i, 16);
  y.realize(result, target(is_strict));
  return result;
}

/// Distance in units of the last place of the nearest float to `exact`; 0 where both are NaN or the same infinity.
double ulps(float actual, double exact) {
  const float nearest = static_cast<float>(exact);
  if (std::isnan(exact) || std::isnan(actual)) return std::isnan(exact) && std::isnan(actual) ? 0 : 1e30;
  if (std::isinf(nearest) || std::isinf(actual)) return nearest == actual ? 0 : 1e30;
  const float magnitude = std::max(std::abs(nearest), std::numeric_limits<float>::min());
  const double unit = static_cast<double>(std::nextafter(magnitude, kInfinity)) - static_cast<double>(magnitude);
  return std::abs(static_cast<double>(actual) - exact) / unit;
}

struct Function {
  const char* name;
  Expr (*expression)(const Expr&);
  double (*exact)(double);
  double ulps;  ///< largest error allowed
  double smallest = 0;  ///< below this magnitude the result may be 0
  double most = kInfinity;  ///< operands above are not tried
};

class transcendental : public ::testing::TestWithParam<Function> {};

TEST_P(transcendental, keeps_the_stated_error) {
  const Function& function = GetParam();
  const Buffer<float> x = sweep();
  for (const bool is_strict : {false, true}) {
    const Buffer<float> y = evaluate<float>(x, function.expression, is_strict);
    double worst = 0;
    float at = 0, got = 0;
    for (int i = 0; i < x.width(); ++i) {
      if (x(i) > function.most) continue;
      const double exact = function.exact(static_cast<double>(x(i)));
      if (std::abs(exact) < function.smallest && y(i) == 0) continue;
      const double error = ulps(y(i), exact);
      if (error > worst) worst = error, at = x(i), got = y(i);
    }
    EXPECT_LE(worst, function.ulps) << function.name << "(" << at << ") is " << got << ", not " << function.exact(static_cast<double>(at));
    RecordProperty(is_strict ? "strict_ulps" : "relaxed_ulps", std::to_string(worst));
  }
}

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double exact_softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double exact_softplus_or_nan(double x) { return std::isnan(x) ? x : exact_softplus(x); }

constexpr double kSmallestNormal = std::numeric_limits<float>::min();

INSTANTIATE_TEST_SUITE_P(layers, transcendental,
                         ::testing::Values(Function{"exp", arithmetic::exp, std::exp, 2, kSmallestNormal},
                                           Function{"log", arithmetic::log, std::log, 2},
                                           Function{"sigmoid", arithmetic::sigmoid, exact_sigmoid, 4, kSmallestNormal},
                                           Function{"tanh", arithmetic::tanh, std::tanh, 8}, Function{"erf", arithmetic::erf, std::erf, 8},
                                           Function{"softplus", arithmetic::softplus, exact_softplus_or_nan, 5, kSmallestNormal},
                                           Function{"expm1_of_negative", arithmetic::expm1_of_negative, std::expm1, 3, 0, 0},
                                           Function{"square_root", arithmetic::square_root, std::sqrt, 0.5}),
                         [](const auto& info) { return std::string(info.param.name); });

/// Pairs of all the numbers, as two buffers.
template <typename Number>
std::pair<Buffer<Number>, Buffer<Number>> pairs(const std::vector<Number>& numbers) {
  const int count = static_cast<int>(numbers.size());
  std::pair<Buffer<Number>, Buffer<Number>> both{Buffer<Number>(count * count), Buffer<Number>(count * count)};
  for (int i = 0; i < count * count; ++i) {
    both.first(i) = numbers[static_cast<std::size_t>(i / count)];
    both.second(i) = numbers[static_cast<std::size_t>(i % count)];
  }
  return both;
}

template <typename Number>
void expect_pairs(const char* name, const std::vector<Number>& numbers, Expr (*expression)(const Expr&, const Expr&),
                  const std::function<Number(Number, Number)>& exact) {
  const auto [a, b] = pairs(numbers);
  for (const bool is_strict : {false, true}) {
    Halide::Var i("i");
    Halide::Func y("y");
    y(i) = expression(a(i), b(i));
    y.vectorize(i, 8, Halide::TailStrategy::GuardWithIf);
    Buffer<Number> result(a.width());
    y.realize(result, target(is_strict));
    for (int k = 0; k < a.width(); ++k) {
      const Number expected = exact(a(k), b(k));
      const bool both_nan = expected != expected && result(k) != result(k);
      EXPECT_TRUE(both_nan || result(k) == expected) << name << "(" << +a(k) << ", " << +b(k) << ") is " << +result(k) << ", not "
                                                     << +expected << (is_strict ? " strict" : " relaxed");
    }
  }
}

float exact_minimum(float a, float b) { return std::isnan(a) || std::isnan(b) ? kNan : std::min(a, b); }
float exact_maximum(float a, float b) { return std::isnan(a) || std::isnan(b) ? kNan : std::max(a, b); }

TEST(arithmetic, floats_follow_ieee_whatever_surrounds_them) {
  const std::vector<float> numbers = {0.0f, -0.0f, 1.0f, -1.0f, 1e38f, -3e38f, 1e-45f, kInfinity, -kInfinity, kNan};
  expect_pairs<float>("minimum", numbers, arithmetic::minimum, exact_minimum);
  expect_pairs<float>("maximum", numbers, arithmetic::maximum, exact_maximum);
  expect_pairs<float>("add", numbers, arithmetic::add, std::plus<float>());
  expect_pairs<float>("subtract", numbers, arithmetic::subtract, std::minus<float>());
  expect_pairs<float>("multiply", numbers, arithmetic::multiply, std::multiplies<float>());
  expect_pairs<float>("divide", numbers, arithmetic::divide, std::divides<float>());
  const auto chosen = [](Expr (*compare)(const Expr&, const Expr&), const Expr& a, const Expr& b) {
    return Halide::select(compare(a, b), arithmetic::like(a, 1), arithmetic::like(a, 0));
  };
  static Expr (*compare)(const Expr&, const Expr&);
  static const auto choose = chosen;
  const auto run = [](const Expr& a, const Expr& b) -> Expr { return choose(compare, a, b); };
  compare = arithmetic::less;
  expect_pairs<float>("less", numbers, run, [](float a, float b) { return a < b ? 1.0f : 0.0f; });
  compare = arithmetic::less_equal;
  expect_pairs<float>("less_equal", numbers, run, [](float a, float b) { return a <= b ? 1.0f : 0.0f; });
  compare = arithmetic::equal;
  expect_pairs<float>("equal", numbers, run, [](float a, float b) { return a == b ? 1.0f : 0.0f; });
}

TEST(arithmetic, relu_and_clip_keep_nan_when_relaxed) {
  const Buffer<float> x = sweep();
  const auto relu = evaluate<float>(x, arithmetic::relu, false);
  const auto clip = evaluate<float>(x, [](const Expr& e) { return arithmetic::clip(e, Expr(-1.0f), Expr(6.0f)); }, false);
  for (int i = 0; i < x.width(); ++i) {
    if (std::isnan(x(i))) {
      ASSERT_TRUE(std::isnan(relu(i)) && std::isnan(clip(i)));
    } else {
      ASSERT_EQ(relu(i), std::max(x(i), 0.0f));
      ASSERT_EQ(clip(i), std::min(std::max(x(i), -1.0f), 6.0f));
    }
  }
}

/// What C computes where it defines the answer, with wider intermediates elsewhere.
template <typename Number>
class integer_arithmetic : public ::testing::Test {};
using Integers = ::testing::Types<std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t>;
TYPED_TEST_SUITE(integer_arithmetic, Integers);

TYPED_TEST(integer_arithmetic, is_that_of_c) {
  using Limits = std::numeric_limits<TypeParam>;
  using Wide = std::int64_t;
  const std::vector<TypeParam> numbers = {
      0, 1, 2, 3, 7, 31, TypeParam(-1), TypeParam(-3), TypeParam(-7), Limits::min(), Limits::max(), Limits::max() / 2};
  const auto low = [](Wide wide) { return static_cast<TypeParam>(wide); };
  expect_pairs<TypeParam>("add", numbers, arithmetic::add, [&](TypeParam a, TypeParam b) { return low(Wide{a} + Wide{b}); });
  expect_pairs<TypeParam>("subtract", numbers, arithmetic::subtract, [&](TypeParam a, TypeParam b) { return low(Wide{a} - Wide{b}); });
  expect_pairs<TypeParam>("multiply", numbers, arithmetic::multiply, [&](TypeParam a, TypeParam b) {
    return static_cast<TypeParam>(static_cast<std::uint64_t>(Wide{a}) * static_cast<std::uint64_t>(Wide{b}));
  });
  expect_pairs<TypeParam>("divide", numbers, arithmetic::divide,
                          [&](TypeParam a, TypeParam b) { return b == 0 ? low(0) : low(Wide{a} / Wide{b}); });
  expect_pairs<TypeParam>("remainder", numbers, arithmetic::remainder,
                          [&](TypeParam a, TypeParam b) { return b == 0 ? low(0) : low(Wide{a} % Wide{b}); });
  expect_pairs<TypeParam>("floored_remainder", numbers, arithmetic::floored_remainder,
                          [&](TypeParam a, TypeParam b) { return b == 0 ? low(0) : low((Wide{a} % Wide{b} + Wide{b}) % Wide{b}); });
  expect_pairs<TypeParam>("shift_left", numbers, arithmetic::shift_left, [&](TypeParam a, TypeParam b) {
    return b < 0 || Wide{b} >= Limits::digits + Limits::is_signed ? low(0)
                                                                  : static_cast<TypeParam>(static_cast<std::uint64_t>(Wide{a}) << b);
  });
  expect_pairs<TypeParam>("shift_right", numbers, arithmetic::shift_right, [&](TypeParam a, TypeParam b) {
    return b < 0 || Wide{b} >= Limits::digits + Limits::is_signed ? low(a < 0 ? -1 : 0) : low(Wide{a} >> b);
  });
}

/// Large chains must not grow the compiler's work beyond reason: every function reads its operand several times.
TEST(arithmetic, chains_compile_in_linear_time) {
  const Buffer<float> x = sweep();
  const auto chain = [](const Expr& e) {
    Expr y = e;
    for (int i = 0; i < 6; ++i) y = arithmetic::tanh(arithmetic::softplus(arithmetic::erf(y)));
    return y;
  };
  const Buffer<float> y = evaluate<float>(x, chain, false);
  EXPECT_GT(y(0), 0.0f);
}

}  // namespace
}  // namespace calotype::layers
