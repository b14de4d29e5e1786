/// \file
/// Extents and strides of layouts.
#include "plan/layout.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"

namespace calotype::plan {
namespace {

std::int64_t at_or_zero(const std::vector<std::int64_t>& list, int index) {
  return static_cast<std::size_t>(index) < list.size() ? list[static_cast<std::size_t>(index)] : 0;
}

/// The dimensions without strides, innermost first.
std::vector<StorageDimension> dimensions_of(const TensorType& type, const Layout& layout) {
  using Role = StorageDimension::Role;
  const int rank = type.rank();
  std::vector<StorageDimension> dimensions;
  const auto whole = [&](int logical) {
    const std::int64_t begin = logical >= 2 ? at_or_zero(layout.halo_begin, logical - 2) : 0;
    const std::int64_t end = logical >= 2 ? at_or_zero(layout.halo_end, logical - 2) : 0;
    const std::int64_t extent = type.extents[static_cast<std::size_t>(logical)];
    dimensions.push_back({logical, Role::whole, -begin, checked_add(extent, checked_add(begin, end)), 0});
  };
  if (layout.family == Layout::Family::blocked) {
    const std::int64_t blocks = type.extents[1] / layout.block + (type.extents[1] % layout.block != 0 ? 1 : 0);
    dimensions.push_back({1, Role::lane, 0, layout.block, 0});
    for (int logical = rank - 1; logical >= 2; --logical) whole(logical);
    dimensions.push_back({1, Role::block, 0, blocks, 0});
    whole(0);
  } else if (layout.family == Layout::Family::channels_last) {
    whole(1);
    for (int logical = rank - 1; logical >= 2; --logical) whole(logical);
    whole(0);
  } else {
    for (int logical = rank - 1; logical >= 0; --logical) whole(logical);
  }
  return dimensions;
}

}  // namespace

bool Layout::has_halo() const {
  const auto positive = [](std::int64_t cells) { return cells > 0; };
  return std::any_of(halo_begin.begin(), halo_begin.end(), positive) || std::any_of(halo_end.begin(), halo_end.end(), positive);
}

std::vector<StorageDimension> storage_of(const TensorType& type, const Layout& layout) {
  std::vector<StorageDimension> dimensions = dimensions_of(type, layout);
  std::int64_t stride = 1;
  for (StorageDimension& dimension : dimensions) {
    dimension.stride = stride;
    stride = checked_multiply(stride, dimension.extent);
  }
  return dimensions;
}

std::int64_t stored_elements(const TensorType& type, const Layout& layout) {
  std::int64_t elements = 1;
  for (const StorageDimension& dimension : dimensions_of(type, layout)) elements = checked_multiply(elements, dimension.extent);
  return elements;
}

std::int64_t stored_bytes(const TensorType& type, const Layout& layout) {
  return checked_multiply(stored_elements(type, layout), bytes_of(type.element));
}

bool same_memory(const TensorType& type, const Layout& a, const Layout& b) {
  // Dimensions that hold one cell do not matter, and lanes that continue in the next block are one dimension: then the walks must agree.
  const auto walk = [&](const Layout& layout) {
    std::vector<StorageDimension> merged;
    for (const StorageDimension& dimension : storage_of(type, layout)) {
      if (dimension.extent == 1 && dimension.min == 0) continue;
      const bool continues =
          !merged.empty() && merged.back().logical == dimension.logical && merged.back().stride * merged.back().extent == dimension.stride;
      if (continues) {
        merged.back().extent *= dimension.extent;
      } else {
        merged.push_back(dimension);
      }
    }
    return merged;
  };
  const auto agree = [](const StorageDimension& x, const StorageDimension& y) {
    return x.logical == y.logical && x.min == y.min && x.extent == y.extent && x.stride == y.stride;
  };
  const std::vector<StorageDimension> first = walk(a);
  const std::vector<StorageDimension> second = walk(b);
  return std::equal(first.begin(), first.end(), second.begin(), second.end(), agree);
}

std::string to_text(const Layout& layout) {
  std::string text = layout.family == Layout::Family::blocked         ? fmt::format("blocked{}", layout.block)
                     : layout.family == Layout::Family::channels_last ? "channels_last"
                                                                      : "planar";
  if (layout.has_halo()) text += fmt::format(" halo {}+{}", calotype::to_text(layout.halo_begin), calotype::to_text(layout.halo_end));
  return text;
}

}  // namespace calotype::plan
