/// \file
/// Nested lists of numbers as tensors, and NumPy's broadcasting of them.
#include "ir/inline_tensor.h"

#include <gtest/gtest.h>

namespace calotype {
namespace {

Attribute number(double value) { return {.value = value}; }
Attribute whole(std::int64_t value) { return {.value = value}; }
Attribute list(Attribute::List entries) { return {.value = std::move(entries)}; }

std::vector<double> numbers_of(const TensorData& data) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

std::vector<double> broadcast(const Attribute& attribute, const std::vector<std::int64_t>& extents) {
  TensorData data = inline_tensor(attribute, ElementType::f32);
  return broadcast_to(data, extents) ? numbers_of(data) : std::vector<double>{};
}

const Attribute column = list({list({number(0.25)}), list({number(0.5)})});  // [[0.25], [0.5]]

TEST(InlineTensor, ReadsNestedListsRowByRow) {
  const Attribute matrix = list({list({whole(1), whole(2), number(2.5)}), list({whole(4), whole(5), whole(6)})});
  EXPECT_EQ(inline_extents(matrix), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(numbers_of(inline_tensor(matrix, ElementType::f32)), (std::vector<double>{1, 2, 2.5, 4, 5, 6}));
  EXPECT_EQ(inline_extents(whole(7)), std::vector<std::int64_t>{});
  EXPECT_EQ(inline_extents(list({})), std::vector<std::int64_t>{0});
}

TEST(InlineTensor, RefusesRaggedAndMixedLists) {
  EXPECT_THROW(inline_extents(list({list({whole(1), whole(2)}), list({whole(3)})})), Failure);
  EXPECT_THROW(inline_extents(list({list({whole(1)}), whole(3)})), Failure);
  EXPECT_THROW(inline_extents(list({whole(1), list({whole(3)})})), Failure);
  EXPECT_THROW(inline_extents(list({{.value = Word{"relu"}}})), Failure);
  EXPECT_THROW(inline_tensor(list({whole(300)}), ElementType::u8), Failure);
  EXPECT_THROW(inline_tensor(list({number(0.5)}), ElementType::i32), Failure);
}

TEST(InlineTensor, BroadcastsAsNumPyDoes) {
  EXPECT_EQ(broadcast(column, {2, 3}), (std::vector<double>{0.25, 0.25, 0.25, 0.5, 0.5, 0.5}));
  EXPECT_EQ(broadcast(column, {2, 2, 1}), (std::vector<double>{0.25, 0.5, 0.25, 0.5}));
  EXPECT_EQ(broadcast(number(3), {2, 2}), (std::vector<double>{3, 3, 3, 3}));
  EXPECT_EQ(broadcast(list({whole(1), whole(2)}), {2, 2}), (std::vector<double>{1, 2, 1, 2}));
  EXPECT_TRUE(broadcast(column, {3, 3}).empty());
  EXPECT_TRUE(broadcast(column, {2}).empty());
}

}  // namespace
}  // namespace calotype
