/// \file
/// Truth, bits, positions and trigonometry: by hand first, then the references, then what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

TensorData integers(ElementType element, const std::vector<double>& numbers) {
  return tensor(TensorType{element, {static_cast<std::int64_t>(numbers.size())}}, numbers);
}

TEST(logic, where_chooses_by_hand) {
  LayerCase layer_case;
  layer_case.statement = "where(c, x, z)";
  layer_case.inputs = {{"c", integers(ElementType::boolean, {1, 0})}, {"x", tensor({2}, {1, 2})}, {"z", tensor({2, 1}, {10, 20})}};
  layer_case.expected = {tensor({2, 2}, {1, 10, 1, 20})};
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
}

TEST(positions, top_k_by_hand) {
  LayerCase layer_case;
  layer_case.statement = "top_k(x, k=3)";
  layer_case.inputs = {{"x", tensor({5}, {2, 7, 1, 7, 3})}};
  layer_case.expected = {tensor({3}, {7, 7, 3}), integers(ElementType::i64, {1, 3, 4})};
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
}

TEST(logic, refuses_types_without_meaning) {
  const std::vector<NamedTensor> floats = {{"x", arange({3})}};
  EXPECT_THAT(build_error("logical_not(x)", floats), HasSubstr("logical_not wants bool, but x is f32"));
  EXPECT_THAT(build_error("logical_not(x)", floats), HasSubstr("cast(x, type=bool)"));
  EXPECT_THAT(build_error("bitwise_not(x)", floats), HasSubstr("bitwise_not is not defined for f32"));
  EXPECT_THAT(build_error("mod(x, x)", floats), HasSubstr("mod of f32 wants fmod=true"));
  EXPECT_THAT(build_error("where(x, x, x)", floats), HasSubstr("where wants bool, but x is f32"));
  const std::vector<NamedTensor> signed_ones = {{"x", integers(ElementType::i32, {1, 2})}};
  EXPECT_THAT(build_error("bit_shift(x, x, direction=left)", signed_ones), HasSubstr("defined for unsigned integers, not i32"));
  EXPECT_THAT(build_error("is_nan(x)", signed_ones), HasSubstr("is_nan computes floating-point types"));
  EXPECT_THAT(build_error("reduce_log_sum(x)", signed_ones), HasSubstr("reduce_log_sum computes floating-point types"));
}

TEST(positions, there_is_none_among_no_elements) {
  EXPECT_THAT(build_error("arg_max(x, axis=1)", {{"x", arange({2, 0})}}), HasSubstr("arg_max of no elements"));
}

CALOTYPE_LAYER_CASES(logic);
CALOTYPE_LAYER_CASES(positions);
CALOTYPE_LAYER_CASES(trigonometry);

}  // namespace
}  // namespace calotype::testing
