/// \file
/// Layers that pick or write elements by index, sample by a grid and put windows back: by hand first, then the references, then what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/layer.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

using ::testing::HasSubstr;

const TensorType two_indices = {ElementType::i64, {2}};

TEST(indexing, by_hand) {
  const NamedTensor x = {"x", arange({2, 3})}, i = {"i", tensor(two_indices, {-1, 0})};
  expect_exactly("gather(x, i, axis=1)", {x, i}, {tensor({2, 2}, {2, 0, 5, 3})});
  expect_exactly("gather_nd(x, i)", {x, i}, {tensor(std::vector<std::int64_t>{}, {3})});
  expect_exactly("scatter_nd(x, i, u)", {x, {"i", tensor({ElementType::i64, {1, 1}}, {-1})}, {"u", tensor({1, 3}, {7, 8, 9})}},
                 {tensor({2, 3}, {0, 1, 2, 7, 8, 9})});
  expect_exactly("tile(x, repeats=[1, 2])", {x}, {tensor({2, 6}, {0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5})});
  expect_exactly("trilu(x)", {x}, {tensor({2, 3}, {0, 1, 2, 0, 4, 5})});
  // Blocks of two in steps of one overlap in the middle.
  expect_exactly("col2im(x, image=3, block=2)", {{"x", tensor({1, 2, 2}, {1, 2, 3, 4})}}, {tensor({1, 1, 3}, {1, 5, 4})});
  expect_exactly("lp_pool(x, kernel=2)", {{"x", tensor({1, 1, 2}, {3, 4})}}, {tensor({1, 1, 1}, {5})});
}

TEST(indexing, say_what_would_fit) {
  const NamedTensor x = {"x", arange({2, 3})}, i = {"i", tensor(two_indices, {-1, 0})};
  EXPECT_THAT(build_error("gather(x, x)", {x}), HasSubstr("wants indices of i32 or i64, but x is f32"));
  EXPECT_THAT(build_error("gather(x, i)", {{"x", arange({0, 3})}, i}), HasSubstr("has an extent of 0, so no index is right"));
  EXPECT_THAT(build_error("gather_elements(x, i)", {x, i}), HasSubstr("indices [2] do not fit [2, 3]"));
  EXPECT_THAT(build_error("gather_nd(x, i, batch_dims=1)", {x, i}), HasSubstr("batch_dims 1 must be less than the ranks"));
  EXPECT_THAT(build_error("scatter_nd(x, i, x)", {x, i}), HasSubstr("scatter_nd: indices [2] and updates [2, 3] do not fit [2, 3]"));
  EXPECT_THAT(build_error("expand(x, shape=[2, 4])", {x}), HasSubstr("[2, 3] cannot be expanded to [2, 4]"));
  EXPECT_THAT(build_error("tile(x, repeats=2)", {x}), HasSubstr("'repeats' has 1 numbers, but [2, 3] has 2 dimensions"));
  EXPECT_THAT(build_error("one_hot(i, x, depth=3)", {i, x}), HasSubstr("values must be two numbers"));
  EXPECT_THAT(build_error("col2im(x, image=[4], block=2)", {{"x", arange({1, 2, 2})}}),
              HasSubstr("it must be [batch, a multiple of 2, 3]"));
  EXPECT_THAT(build_error("grid_sample(x, g)", {{"x", arange({1, 2, 3, 4})}, {"g", arange({1, 2, 3, 3})}}),
              HasSubstr("it must be [1, 2 extents, 2]"));
}

CALOTYPE_LAYER_CASES(indexing);

}  // namespace
}  // namespace calotype::testing
