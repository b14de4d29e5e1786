/// \file
/// Weights in the order in which kernels stream them.
#include "schedules/cpu/packing.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>

#include "ir/checked.h"

namespace calotype::schedules::cpu {
namespace {

void store(std::span<std::byte> destination, std::int64_t index, float number) {
  std::memcpy(destination.data() + static_cast<std::size_t>(index) * sizeof(float), &number, sizeof(float));
}

void pack_conv(const ConvPacking& packing, const TensorData& source, std::span<std::byte> destination) {
  std::memset(destination.data(), 0, destination.size());
  const std::int64_t cells = checked_product(packing.kernel);
  const std::int64_t vectors = packing.lanes * packing.tile;
  const std::int64_t block = vectors * packing.input_lanes * cells;  // numbers for one input block and one output tile
  for (std::int64_t o = 0; o < packing.filters; ++o) {
    const std::int64_t output_tile = o / vectors;
    const std::int64_t within = o % vectors;
    for (std::int64_t i = 0; i < packing.channels; ++i) {
      const std::int64_t row =
          (output_tile * packing.input_blocks() + i / packing.input_lanes) * block + i % packing.input_lanes * vectors + within;
      const std::int64_t from = (o * packing.channels + i) * cells;
      for (std::int64_t k = 0; k < cells; ++k) store(destination, row + k * vectors * packing.input_lanes, load<float>(source, from + k));
    }
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
  wish.pack = [packing](const TensorData& source, std::span<std::byte> destination) { pack_conv(packing, source, destination); };
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
