/// \file
/// Weights in the order in which kernels stream them.
#include "schedules/cpu/packing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "ir/checked.h"

namespace calotype::schedules::cpu {
namespace {

void store(std::span<std::byte> destination, std::int64_t index, float number) {
  std::memcpy(destination.data() + static_cast<std::size_t>(index) * sizeof(float), &number, sizeof(float));
}

/// Writes value(filter, channel, kernel cell) in order of memory. Of `products` such weights, those of one output tile lie together; this is number `product`.
template <typename Value>
void pack_conv(const ConvPacking& packing, std::span<std::byte> destination, Value value, std::int64_t product = 0,
               std::int64_t products = 1) {
  const std::int64_t cells = checked_product(packing.kernel);
  const std::int64_t vectors = packing.lanes * packing.tile;
  const std::int64_t block = vectors * packing.input_lanes * cells;  // numbers for one input block and one output tile
  for (std::int64_t first = 0; first < packing.filters; first += vectors) {
    const std::int64_t tile = (first / vectors * products + product) * packing.input_blocks();
    const std::int64_t end = std::min(first + vectors, packing.filters);
    for (std::int64_t i = 0; i < packing.channels; ++i) {
      const std::int64_t row = (tile + i / packing.input_lanes) * block + i % packing.input_lanes * vectors;
      for (std::int64_t k = 0; k < cells; ++k) {
        const std::int64_t at = row + k * vectors * packing.input_lanes;
        for (std::int64_t o = first; o < end; ++o) store(destination, at + o - first, value(o, i, k));
      }
    }
  }
}

/// The weights' factors of the products in the order of schedules/cpu/strassen.cpp: A11, A12, S2, S1, S4, S3, -A22.
void pack_strassen(const ConvPacking& packing, const TensorData& source, std::span<std::byte> destination) {
  const std::int64_t cells = checked_product(packing.kernel);
  ConvPacking half = packing;
  half.filters /= 2;
  half.channels /= 2;
  struct Quarters {
    double a11, a12, a21, a22;
  };
  using Factor = double (*)(const Quarters&);
  static constexpr std::array<Factor, 7> factors = {
      [](const Quarters& a) { return a.a11; },
      [](const Quarters& a) { return a.a12; },
      [](const Quarters& a) { return a.a21 + a.a22 - a.a11; },
      [](const Quarters& a) { return a.a21 + a.a22; },
      [](const Quarters& a) { return a.a12 - (a.a21 + a.a22 - a.a11); },
      [](const Quarters& a) { return a.a11 - a.a21; },
      [](const Quarters& a) { return -a.a22; },
  };
  const auto weight = [&](std::int64_t o, std::int64_t i, std::int64_t k) {
    return static_cast<double>(load<float>(source, (o * packing.channels + i) * cells + k));
  };
  for (std::size_t product = 0; product < factors.size(); ++product) {
    const auto value = [&](std::int64_t o, std::int64_t i, std::int64_t k) {
      const Quarters a = {weight(o, i, k), weight(o, i + half.channels, k), weight(o + half.filters, i, k),
                          weight(o + half.filters, i + half.channels, k)};
      return static_cast<float>(factors[product](a));
    };
    pack_conv(half, destination, value, static_cast<std::int64_t>(product), static_cast<std::int64_t>(factors.size()));
  }
}

}  // namespace

Wish packed_conv_weights(const ConvPacking& packing) {
  Wish wish;
  wish.packed_extents = {packing.lanes, packing.tile, packing.input_lanes};
  wish.packed_extents.insert(wish.packed_extents.end(), packing.kernel.rbegin(), packing.kernel.rend());
  wish.packed_extents.push_back(packing.input_blocks());
  wish.packed_extents.push_back(packing.output_tiles());
  wish.packing = fmt::format("conv {} {} {}", packing.lanes, packing.tile, packing.input_lanes);
  wish.pack = [packing](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    const std::int64_t cells = checked_product(packing.kernel);
    pack_conv(packing, destination,
              [&](std::int64_t o, std::int64_t i, std::int64_t k) { return load<float>(source, (o * packing.channels + i) * cells + k); });
  };
  return wish;
}

Wish packed_strassen_weights(const ConvPacking& packing) {
  const std::int64_t vectors = packing.lanes * packing.tile;
  Wish wish;
  wish.packed_extents = {packing.lanes, packing.tile, packing.input_lanes};
  wish.packed_extents.insert(wish.packed_extents.end(), packing.kernel.rbegin(), packing.kernel.rend());
  wish.packed_extents.push_back(packing.channels / 2 / packing.input_lanes);
  wish.packed_extents.push_back(7);
  wish.packed_extents.push_back(packing.filters / 2 / vectors);
  wish.packing = fmt::format("strassen {} {}", packing.lanes, packing.tile);
  wish.pack = [packing](const TensorData& source, std::span<std::byte> destination) { pack_strassen(packing, source, destination); };
  return wish;
}

Wish padded_vector(std::int64_t count, std::int64_t multiple) {
  Wish wish;
  wish.packed_extents = {(count + multiple - 1) / multiple * multiple};
  wish.packing = fmt::format("padded {}", multiple);
  wish.pack = [count](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    std::memcpy(destination.data(), source.bytes.data(), static_cast<std::size_t>(count) * sizeof(float));
  };
  return wish;
}

Wish packed_depthwise_weights(std::int64_t channels, std::int64_t lanes, const std::vector<std::int64_t>& kernel) {
  Wish wish;
  wish.packed_extents = {lanes};
  wish.packed_extents.insert(wish.packed_extents.end(), kernel.rbegin(), kernel.rend());
  wish.packed_extents.push_back((channels + lanes - 1) / lanes);
  wish.packing = fmt::format("depthwise {}", lanes);
  const std::int64_t cells = checked_product(kernel);
  wish.pack = [channels, lanes, cells](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    for (std::int64_t c = 0; c < channels; ++c) {
      for (std::int64_t k = 0; k < cells; ++k)
        store(destination, (c / lanes * cells + k) * lanes + c % lanes, load<float>(source, c * cells + k));
    }
  };
  return wish;
}

}  // namespace calotype::schedules::cpu
