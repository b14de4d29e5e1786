/// \file
/// Linear resizing of planar pictures with many channels, which the generic schedule runs on channel blocks, against a plain loop in double.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

/// Where the result's cell lies in the operand, by half_pixel, as the cell before it and the share of the one after.
struct Between {
  std::int64_t below = 0;
  double share = 0;
};

Between between(std::int64_t cell, std::int64_t from, std::int64_t to) {
  const double place = (static_cast<double>(cell) + 0.5) * static_cast<double>(from) / static_cast<double>(to) - 0.5;
  const double inside = std::clamp(place, 0.0, static_cast<double>(from - 1));
  const auto below = static_cast<std::int64_t>(inside);
  return {below, inside - static_cast<double>(below)};
}

TEST(resize, logits_of_many_classes) {
  for (const std::int64_t channels : {21, 16, 3}) {
    SCOPED_TRACE(channels);
    constexpr std::int64_t height = 5, width = 7, to_height = 12, to_width = 23;
    const TensorData x = random_tensor({2, channels, height, width}, 3);
    const std::string text =
        fmt::format("network test(x: f32[2, {}, 5, 7]) -> y {{\n  y = resize(x, size=12x23, mode=linear)\n}}\n", channels);
    std::vector<double> expected;
    for (std::int64_t plane = 0; plane < 2 * channels; ++plane) {
      for (std::int64_t i = 0; i < to_height; ++i) {
        for (std::int64_t j = 0; j < to_width; ++j) {
          const Between y = between(i, height, to_height), z = between(j, width, to_width);
          const auto at = [&](std::int64_t row, std::int64_t column) {
            return load_as_double(x, (plane * height + std::min(row, height - 1)) * width + std::min(column, width - 1));
          };
          const double upper = at(y.below, z.below) * (1 - z.share) + at(y.below, z.below + 1) * z.share;
          const double lower = at(y.below + 1, z.below) * (1 - z.share) + at(y.below + 1, z.below + 1) * z.share;
          expected.push_back(upper * (1 - y.share) + lower * y.share);
        }
      }
    }
    for (const char* target : {"host", "x86-64-linux-avx2-fma"}) {
      EXPECT_LT(relative_error(compile_and_run(graph_of(text), {x}, 1, target).results[0], expected), 2e-6) << target;
    }
  }
}

}  // namespace
}  // namespace calotype::testing
