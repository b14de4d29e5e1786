/// \file
/// Layers that move numbers, resize and reductions: by hand first, then the references, then what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

TEST(moves, by_hand) {
  const std::vector<NamedTensor> x = {{"x", arange({1, 2, 2})}};
  expect_exactly("flatten(x)", x, {tensor({1, 4}, {0, 1, 2, 3})});
  expect_exactly("transpose(x, order=[0, 2, 1])", x, {tensor({1, 2, 2}, {0, 2, 1, 3})});
  expect_exactly("concat(x, x)", x, {tensor({1, 4, 2}, {0, 1, 2, 3, 0, 1, 2, 3})});
  expect_exactly("slice(x, begin=1, end=2, axes=1)", x, {tensor({1, 1, 2}, {2, 3})});
  expect_exactly("split(x)", x, {tensor({1, 1, 2}, {0, 1}), tensor({1, 1, 2}, {2, 3})});
  expect_exactly("pad(x, amount=1)", x, {tensor({1, 2, 4}, {0, 0, 1, 0, 0, 2, 3, 0})});
  expect_exactly("pad(x, amount=1, mode=reflect)", x, {tensor({1, 2, 4}, {1, 0, 1, 0, 3, 2, 3, 2})});
  expect_exactly("depth_to_space(x, block=2)", x, {tensor({1, 1, 4}, {0, 2, 1, 3})});
  expect_exactly("space_to_depth(x, block=2)", x, {tensor({1, 4, 1}, {0, 2, 1, 3})});
}

TEST(resize, by_hand) {
  const std::vector<NamedTensor> x = {{"x", tensor({1, 1, 2}, {0, 4})}};
  expect_exactly("resize(x, scale=2)", x, {tensor({1, 1, 4}, {0, 0, 4, 4})});
  // Centres at -0.25, 0.25, 0.75, 1.25.
  expect_exactly("resize(x, size=4, mode=linear)", x, {tensor({1, 1, 4}, {0, 1, 3, 4})});
  expect_exactly("resize(x, size=5, mode=linear, coordinate_transformation_mode=align_corners)", x, {tensor({1, 1, 5}, {0, 1, 2, 3, 4})});
}

TEST(reductions, by_hand) {
  const std::vector<NamedTensor> x = {{"x", arange({2, 3})}};
  expect_exactly("reduce_sum(x, axes=1)", x, {tensor({2, 1}, {3, 12})});
  expect_exactly("reduce_mean(x, axes=0, keep_dims=false)", x, {tensor({3}, {1.5, 2.5, 3.5})});
  expect_exactly("reduce_max(x)", x, {tensor({1, 1}, {5})});
}

TEST(moves, say_what_would_fit) {
  const std::vector<NamedTensor> x = {{"x", arange({2, 6, 5})}};
  EXPECT_THAT(build_error("reshape(x, shape=[7, -1])", x), HasSubstr("[2, 6, 5] has 60 elements"));
  EXPECT_THAT(build_error("reshape(x, shape=[7, 9])", x), HasSubstr("[2, 6, 5] has 60 elements, but [7, 9] has 63"));
  EXPECT_THAT(build_error("reshape(x, shape=[-1, -1])", x), HasSubstr("only one extent of 'shape' may be -1"));
  EXPECT_THAT(build_error("reshape(x, shape=[2, 6, 5, 0])", x), HasSubstr("has no dimension 3"));
  EXPECT_THAT(build_error("reshape(x, shape=[9223372036854775807, 4])", x), HasSubstr("a size exceeds 64 bits"));
  EXPECT_THAT(build_error("squeeze(x, axes=1)", x), HasSubstr("axis 1 of [2, 6, 5] is 6"));
  EXPECT_THAT(build_error("transpose(x, order=[0, 1])", x), HasSubstr("'order' must name all 3 dimensions"));
  EXPECT_THAT(build_error("split(x, parts=[1, 2])", x), HasSubstr("parts [1, 2] do not add up to the extent 6"));
  EXPECT_THAT(build_error("split(x, parts=3)", x), HasSubstr("split into 3 parts, but the statement names 1 results"));
  EXPECT_THAT(build_error("split(x, parts=7)", x), HasSubstr("cannot split an extent of 6 into 7 parts"));
  EXPECT_THAT(build_error("slice(x, begin=[1, 2], end=3)", x), HasSubstr("one number for each axis"));
  EXPECT_THAT(build_error("slice(x, begin=1, end=3, step=0)", x), HasSubstr("a step of 0"));
  EXPECT_THAT(build_error("pad(x, amount=[1, 2, 3])", x), HasSubstr("'amount' has 3 numbers"));
  EXPECT_THAT(build_error("pad(x, amount=5, mode=reflect)", x), HasSubstr("by at most 4, not 5"));
  EXPECT_THAT(build_error("pad(x, amount=-3)", x), HasSubstr("cuts off more than dimension 2"));
  EXPECT_THAT(build_error("depth_to_space(x, block=4)", x), HasSubstr("6 channels do not make blocks of 4"));
  EXPECT_THAT(build_error("space_to_depth(x, block=2)", x), HasSubstr("blocks of 2 do not divide 5"));
  EXPECT_THAT(build_error("resize(x)", x), HasSubstr("resize wants either size or scale"));
  EXPECT_THAT(build_error("resize(x, scale=0.1)", x), HasSubstr("scale 0.1 makes no extent of 5"));
  EXPECT_THAT(build_error("concat(x, z)", {{"x", arange({2, 6, 5})}, {"z", arange({2, 6, 4})}}),
              HasSubstr("concat cannot join z f32[2, 6, 4] to x f32[2, 6, 5] along axis 1"));
  EXPECT_THAT(build_error("reduce_mean(x)", {{"x", arange({2, 0})}}), HasSubstr("reduce_mean of no elements"));
}

CALOTYPE_LAYER_CASES(moves);
CALOTYPE_LAYER_CASES(resize);
CALOTYPE_LAYER_CASES(reductions);

}  // namespace
}  // namespace calotype::testing
