/// \file
/// Narrow floats: every half and bfloat16 survives the way through float and back, and the numbers between them round to nearest even.
#include "ir/number_format.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace calotype {
namespace {

TEST(Half, EveryNumberSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float number = float_of_half(half);
    if (std::isnan(number)) {
      EXPECT_TRUE(std::isnan(float_of_half(half_of_float(number))));
    } else {
      ASSERT_EQ(half_of_float(number), half) << number;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  // Halfway between neighbours goes to the one whose last bit is 0; anything beyond goes on.
  for (std::uint32_t bits = 0; bits + 1 < 0x7c00U; ++bits) {
    const float low = float_of_half(static_cast<std::uint16_t>(bits));
    const float high = float_of_half(static_cast<std::uint16_t>(bits + 1));
    const float middle = low + (high - low) / 2;  // exact in float
    const std::uint32_t even = bits % 2 == 0 ? bits : bits + 1;
    ASSERT_EQ(half_of_float(middle), even) << middle;
    ASSERT_EQ(half_of_float(std::nextafter(middle, low)), bits) << middle;
    ASSERT_EQ(half_of_float(std::nextafter(middle, high)), bits + 1) << middle;
  }
}

TEST(Half, HasInfinitiesBeyondItsRange) {
  EXPECT_EQ(half_of_float(65504), 0x7bff);
  EXPECT_EQ(half_of_float(65519.996F), 0x7bff);
  EXPECT_EQ(half_of_float(65520), 0x7c00);
  EXPECT_EQ(half_of_float(-1e30F), 0xfc00);
  EXPECT_EQ(half_of_float(std::numeric_limits<float>::infinity()), 0x7c00);
  EXPECT_EQ(half_of_float(-0.0F), 0x8000);
  EXPECT_EQ(half_of_float(1e-30F), 0);
}

TEST(Bfloat16, EveryNumberSurvivesTheWayThroughFloat) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    const auto narrow = static_cast<std::uint16_t>(bits);
    const float number = float_of_bfloat16(narrow);
    if (std::isnan(number)) {
      EXPECT_TRUE(std::isnan(float_of_bfloat16(bfloat16_of_float(number))));
    } else {
      ASSERT_EQ(bfloat16_of_float(number), narrow) << number;
    }
  }
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(bfloat16_of_float(1.0F + 0x1p-8F), 0x3f80);            // halfway, to even
  EXPECT_EQ(bfloat16_of_float(1.0F + 3 * 0x1p-8F), 0x3f82);        // halfway, to even
  EXPECT_EQ(bfloat16_of_float(1.0F + 0x1p-8F + 0x1p-20F), 0x3f81);
  EXPECT_EQ(bfloat16_of_float(std::numeric_limits<float>::max()), 0x7f80);
}

TEST(Store, RefusesWhatAnIntegerCannotHold) {
  std::byte bytes[8] = {};
  EXPECT_TRUE(store_double(bytes, ElementType::i8, 0, -128));
  EXPECT_FALSE(store_double(bytes, ElementType::i8, 0, 128));
  EXPECT_FALSE(store_double(bytes, ElementType::i8, 0, 0.5));
  EXPECT_FALSE(store_double(bytes, ElementType::u8, 0, -1));
  EXPECT_FALSE(store_double(bytes, ElementType::i32, 0, NAN));
  EXPECT_FALSE(store_double(bytes, ElementType::i64, 0, 0x1p63));
  EXPECT_TRUE(store_double(bytes, ElementType::u64, 0, 0x1p63));
  EXPECT_FALSE(store_integer(bytes, ElementType::u64, 0, -1));
  EXPECT_TRUE(store_integer(bytes, ElementType::u32, 0, 4294967295));
  EXPECT_FALSE(store_integer(bytes, ElementType::u32, 0, 4294967296));
}

}  // namespace
}  // namespace calotype
