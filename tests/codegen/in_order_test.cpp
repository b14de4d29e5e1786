/// \file
/// Parts made by several threads arrive whole, in order and within the memory allowed; exceptions arrive too.
#include "codegen/in_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace calotype::codegen {
namespace {

/// 200 parts of 1 to 64 kB: enough for threads.
std::vector<std::int64_t> many_sizes() {
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < 200; ++i) sizes.push_back(1024 * (1 + i * 37 % 64));
  return sizes;
}

TEST(InOrder, PartsAreUsedInOrderAndHoldWhatWasMade) {
  for (const std::int64_t most : {0, 100'000, 100'000'000}) {
    for (const std::size_t count : {std::size_t{0}, std::size_t{3}, std::size_t{200}}) {
      Parts parts;
      parts.sizes = many_sizes();
      parts.sizes.resize(count);
      std::atomic<std::int64_t> held = 0;
      std::size_t next = 0;
      parts.make = [&](std::size_t index, std::byte* part) {
        held += parts.sizes[index];
        std::memset(part, static_cast<int>(index), static_cast<std::size_t>(parts.sizes[index]));
      };
      parts.use = [&](std::size_t index, const std::byte* part) {
        EXPECT_EQ(index, next++);
        EXPECT_LE(held, std::max(most, parts.sizes[index])) << "part " << index;
        for (std::int64_t i = 0; i < parts.sizes[index]; i += 511) EXPECT_EQ(part[i], static_cast<std::byte>(index));
        held -= parts.sizes[index];
      };
      make_in_order(parts, most);
      EXPECT_EQ(next, count);
    }
  }
}

TEST(InOrder, ExceptionsOfEitherSideAreThrownHere) {
  for (const bool while_making : {true, false}) {
    Parts parts;
    parts.sizes = many_sizes();
    std::size_t used = 0;
    const auto fail_at = [](std::size_t index, bool active) {
      if (active && index == 100) throw std::runtime_error("part 100");
    };
    parts.make = [&](std::size_t index, std::byte*) { fail_at(index, while_making); };
    parts.use = [&](std::size_t index, const std::byte*) {
      fail_at(index, !while_making);
      ++used;
    };
    EXPECT_THROW(make_in_order(parts, 1 << 20), std::runtime_error);
    EXPECT_LE(used, 100U);
  }
}

}  // namespace
}  // namespace calotype::codegen
