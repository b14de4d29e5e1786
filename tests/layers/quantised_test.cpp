/// \file
/// quantize_linear, dequantize_linear, dynamic_quantize_linear, einsum, det and deform_conv.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

TEST(einsum, says_what_does_not_fit) {
  EXPECT_THAT(build_error("einsum(a, equation=\"ij,jk->ik\")", {{"a", arange({2, 3})}}), HasSubstr("more terms than the 1 operands"));
  EXPECT_THAT(build_error("einsum(a, equation=\"ijk\")", {{"a", arange({2, 3})}}), HasSubstr("does not fit a [2, 3]"));
  EXPECT_THAT(build_error("einsum(a, equation=\"ii\")", {{"a", arange({2, 3})}}), HasSubstr("both the extents 2 and 3"));
}

TEST(det, wants_square_matrices) { EXPECT_THAT(build_error("det(x)", {{"x", arange({2, 3})}}), HasSubstr("square matrices, not [2, 3]")); }

TEST(quantize_linear, wants_a_scale_that_fits) {
  EXPECT_THAT(build_error("quantize_linear(x, s)", {{"x", arange({2, 3})}, {"s", arange({2})}}),
              HasSubstr("wants one number or [3], not [2]"));
}

}  // namespace

CALOTYPE_LAYER_CASES(deform_conv);
CALOTYPE_LAYER_CASES(det);
CALOTYPE_LAYER_CASES(einsum);
CALOTYPE_LAYER_CASES(quantize);

}  // namespace calotype::testing
