/// \file
/// Layouts against element addresses worked out one by one: every logical element has a cell of its own inside the memory, and two layouts are the
/// same memory exactly if every element has the same cell in both.
#include "plan/layout.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "ir/failure.h"

namespace calotype::testing {
namespace {

using plan::Layout;
using Extents = std::vector<std::int64_t>;

Layout layout(Layout::Family family, int block = 1, Extents begin = {}, Extents end = {}) {
  return {family, block, std::move(begin), std::move(end)};
}

Layout blocked(int block, Extents begin = {}, Extents end = {}) {
  return layout(Layout::Family::blocked, block, std::move(begin), std::move(end));
}

const Layout planar = {};
const Layout channels_last = layout(Layout::Family::channels_last);

/// The cell of the logical element at `index`, from the words of plan/layout.h: the position of each coordinate in the order of the memory.
std::int64_t address(const Extents& extents, const Layout& layout, const Extents& index) {
  const auto halo = [](const Extents& list, std::size_t d) { return d < list.size() ? list[d] : 0; };
  Extents sizes, at;  // outermost first
  const auto push = [&](std::int64_t size, std::int64_t position) {
    sizes.push_back(size);
    at.push_back(position);
  };
  const auto push_spatial = [&] {
    for (std::size_t d = 2; d < extents.size(); ++d) {
      const std::int64_t begin = halo(layout.halo_begin, d - 2);
      push(begin + extents[d] + halo(layout.halo_end, d - 2), index[d] + begin);
    }
  };
  if (layout.family == Layout::Family::blocked) {
    push(extents[0], index[0]);
    push((extents[1] + layout.block - 1) / layout.block, index[1] / layout.block);
    push_spatial();
    push(layout.block, index[1] % layout.block);
  } else if (layout.family == Layout::Family::channels_last) {
    push(extents[0], index[0]);
    push_spatial();
    push(extents[1], index[1]);
  } else {
    for (std::size_t d = 0; d < std::min<std::size_t>(2, extents.size()); ++d) push(extents[d], index[d]);
    push_spatial();
  }
  std::int64_t position = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) position = position * sizes[i] + at[i];
  return position;
}

/// Calls `visit` with each index inside the extents.
template <typename Visit>
void for_each_index(const Extents& extents, Visit visit) {
  for (const std::int64_t extent : extents) {
    if (extent == 0) return;
  }
  Extents index(extents.size(), 0);
  while (true) {
    visit(index);
    std::size_t d = extents.size();
    while (d > 0 && ++index[d - 1] == extents[d - 1]) index[--d] = 0;
    if (d == 0) return;
  }
}

/// The cell as storage_of says: sum of (coordinate - min) * stride.
std::int64_t stored_address(const TensorType& type, const Layout& layout, const Extents& index) {
  using Role = plan::StorageDimension::Role;
  std::int64_t position = 0;
  for (const plan::StorageDimension& dimension : storage_of(type, layout)) {
    std::int64_t coordinate = index[static_cast<std::size_t>(dimension.logical)];
    if (dimension.role == Role::lane) coordinate %= layout.block;
    if (dimension.role == Role::block) coordinate /= layout.block;
    EXPECT_GE(coordinate, dimension.min);
    EXPECT_LT(coordinate, dimension.min + dimension.extent);
    position += (coordinate - dimension.min) * dimension.stride;
  }
  return position;
}

const std::vector<Extents>& shapes() {
  static const std::vector<Extents> list = {{1, 1, 1, 1}, {1, 5, 1, 1}, {1, 8, 1, 1},    {1, 16, 1, 1},  {1, 1, 3, 4},
                                            {1, 3, 1, 7}, {1, 8, 3, 5}, {2, 8, 1, 1},    {2, 5, 2, 3},   {3, 4, 1, 6},
                                            {1, 9, 2},    {2, 1, 5},    {1, 4, 2, 3, 2}, {2, 8, 1, 1, 1}};
  return list;
}

std::vector<Layout> layouts_for(const Extents& extents) {
  std::vector<Layout> list = {planar, channels_last, blocked(1), blocked(4), blocked(8)};
  const Extents none(extents.size() - 2, 0), one(extents.size() - 2, 1);
  Extents last = none;
  last.back() = 2;
  for (const Layout& plain : std::vector<Layout>{planar, blocked(4)}) {
    for (const auto& [begin, end] : std::vector<std::pair<Extents, Extents>>{{none, none}, {one, one}, {one, none}, {none, last}}) {
      Layout with = plain;
      with.halo_begin = begin;
      with.halo_end = end;
      list.push_back(with);
    }
  }
  return list;
}

TEST(layout, every_element_has_a_cell_of_its_own) {
  for (const Extents& extents : shapes()) {
    const TensorType type{ElementType::f32, extents};
    for (const Layout& where : layouts_for(extents)) {
      SCOPED_TRACE(to_text(type) + " " + to_text(where));
      const std::int64_t elements = stored_elements(type, where);
      EXPECT_EQ(stored_bytes(type, where), elements * 4);
      std::set<std::int64_t> taken;
      for_each_index(extents, [&](const Extents& index) {
        const std::int64_t cell = stored_address(type, where, index);
        EXPECT_EQ(cell, address(extents, where, index));
        EXPECT_TRUE(cell >= 0 && cell < elements);
        EXPECT_TRUE(taken.insert(cell).second) << "two elements in one cell";
      });
    }
  }
}

/// Every pair of layouts of every shape. The size counts too: a smaller memory is no substitute for one with pad lanes or a halo.
TEST(layout, same_memory_is_what_the_addresses_say) {
  int same = 0;
  for (const Extents& extents : shapes()) {
    const TensorType type{ElementType::f32, extents};
    const std::vector<Layout> layouts = layouts_for(extents);
    for (const Layout& a : layouts) {
      for (const Layout& b : layouts) {
        bool equal = stored_elements(type, a) == stored_elements(type, b);
        for_each_index(extents, [&](const Extents& index) { equal = equal && address(extents, a, index) == address(extents, b, index); });
        EXPECT_EQ(same_memory(type, a, b), equal) << to_text(type) << ": " << to_text(a) << " and " << to_text(b);
        same += equal && !(a == b) ? 1 : 0;
      }
    }
  }
  EXPECT_GT(same, 100) << "the shapes must make both answers possible";
}

TEST(layout, storage_of_a_blocked_tensor) {
  const std::vector<plan::StorageDimension> storage = storage_of({ElementType::f32, {2, 19, 5, 7}}, blocked(8, {1, 2}, {0, 3}));
  using Role = plan::StorageDimension::Role;
  const auto expect = [&](std::size_t i, int logical, Role role, std::int64_t min, std::int64_t extent, std::int64_t stride) {
    EXPECT_EQ(storage[i].logical, logical);
    EXPECT_EQ(storage[i].role, role);
    EXPECT_EQ(storage[i].min, min);
    EXPECT_EQ(storage[i].extent, extent);
    EXPECT_EQ(storage[i].stride, stride);
  };
  ASSERT_EQ(storage.size(), 5U);
  expect(0, 1, Role::lane, 0, 8, 1);
  expect(1, 3, Role::whole, -2, 12, 8);
  expect(2, 2, Role::whole, -1, 6, 96);
  expect(3, 1, Role::block, 0, 3, 576);
  expect(4, 0, Role::whole, 0, 2, 1728);
}

TEST(layout, scalars_and_empty_tensors) {
  EXPECT_EQ(stored_elements({ElementType::f32, {}}, planar), 1);
  EXPECT_TRUE(storage_of({ElementType::f32, {}}, planar).empty());
  EXPECT_EQ(stored_bytes({ElementType::f64, {0, 3, 4}}, planar), 0);
  EXPECT_EQ(stored_elements({ElementType::f32, {1, 0, 4}}, blocked(8)), 0);
}

TEST(layout, sizes_beyond_64_bits_are_refused) {
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  EXPECT_THROW(stored_bytes({ElementType::f32, {1, 1, huge}}, planar), Failure);
  EXPECT_THROW(stored_elements({ElementType::i8, {1, 1, huge}}, blocked(16)), Failure);
  EXPECT_THROW(stored_elements({ElementType::i8, {1, std::numeric_limits<std::int64_t>::max(), 1}}, blocked(16)), Failure);
  EXPECT_THROW(storage_of({ElementType::i8, {1, 1, huge}}, layout(Layout::Family::planar, 1, {huge}, {huge})), Failure);
}

TEST(layout, text) {
  EXPECT_EQ(to_text(planar), "planar");
  EXPECT_EQ(to_text(channels_last), "channels_last");
  EXPECT_EQ(to_text(blocked(16, {1, 2}, {0, 0})), "blocked16 halo [1, 2]+[0, 0]");
  EXPECT_EQ(to_text(blocked(16, {0, 0}, {0, 0})), "blocked16") << "a halo of nothing is none";
}

}  // namespace
}  // namespace calotype::testing
