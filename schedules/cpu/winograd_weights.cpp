/// \file
/// Filters transformed for Winograd's algorithm: in double, rounded once, when a network is compiled.
#include "schedules/cpu/winograd_weights.h"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "schedules/cpu/winograd_transform.h"

namespace calotype::schedules::cpu {
namespace {

using Matrix = std::vector<std::vector<double>>;

/// What an axis does to its taps: the filter matrix, or nothing.
Matrix filter_matrix(const WinogradAxis& axis) {
  if (axis.is_transformed()) return winograd_transform(static_cast<int>(axis.results), static_cast<int>(axis.taps)).filter;
  Matrix identity;
  for (std::int64_t i = 0; i < axis.taps; ++i) {
    identity.emplace_back(static_cast<std::size_t>(axis.taps), 0.0);
    identity.back()[static_cast<std::size_t>(i)] = 1;
  }
  return identity;
}

/// One axis of a row-major array (outer, columns of `matrix`, inner) multiplied by `matrix`. `result` is room that later calls use again.
void multiply_axis(const Matrix& matrix, std::vector<double>& numbers, std::size_t inner, std::vector<double>& result) {
  const std::size_t columns = matrix.front().size();
  const std::size_t outer = numbers.size() / (columns * inner);
  result.assign(outer * matrix.size() * inner, 0.0);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t row = 0; row < matrix.size(); ++row) {
      for (std::size_t column = 0; column < columns; ++column) {
        for (std::size_t i = 0; i < inner; ++i) {
          result[(o * matrix.size() + row) * inner + i] += matrix[row][column] * numbers[(o * columns + column) * inner + i];
        }
      }
    }
  }
  std::swap(numbers, result);
}

/// For each number of a transformed filter, row-major over its axes, where it lies: elements from the start of its filter and channel.
std::vector<std::int64_t> positions_of(const WinogradForm& form, std::int64_t plane_stride, std::int64_t tap_stride) {
  std::vector<std::int64_t> positions = {0};
  std::int64_t planes = form.planes();
  for (const WinogradAxis& axis : form.axes) {
    const std::int64_t count = axis.is_transformed() ? axis.points() : axis.taps;
    if (axis.is_transformed()) planes /= count;
    std::vector<std::int64_t> next;
    for (const std::int64_t position : positions) {
      for (std::int64_t i = 0; i < count; ++i) next.push_back(position + i * (axis.is_transformed() ? planes * plane_stride : tap_stride));
    }
    positions = std::move(next);
  }
  return positions;
}

void pack(const WinogradForm& form, std::int64_t tile, std::int64_t chunk, const TensorData& source, std::span<std::byte> destination) {
  std::memset(destination.data(), 0, destination.size());
  const std::int64_t lanes = form.lanes;
  const std::int64_t tap_stride = lanes * tile * lanes * form.input_blocks();
  const std::int64_t tile_stride = tap_stride * form.summed_taps();
  const std::int64_t plane_stride = tile_stride * (chunk / tile);
  const std::vector<std::int64_t> positions = positions_of(form, plane_stride, tap_stride);
  std::vector<Matrix> matrices;
  std::size_t taps = 1;
  for (const WinogradAxis& axis : form.axes) {
    matrices.push_back(filter_matrix(axis));
    taps *= static_cast<std::size_t>(axis.taps);
  }
  std::vector<double> numbers;
  std::vector<double> room;
  for (std::int64_t o = 0; o < form.filters; ++o) {
    const std::int64_t block = o / lanes;
    const std::int64_t row =
        o % lanes + lanes * (block % tile) + block / tile % (chunk / tile) * tile_stride + block / chunk * plane_stride * form.planes();
    for (std::int64_t c = 0; c < form.channels; ++c) {
      numbers.clear();
      const std::int64_t from = (o * form.channels + c) * static_cast<std::int64_t>(taps);
      for (std::size_t k = 0; k < taps; ++k)
        numbers.push_back(static_cast<double>(load<float>(source, from + static_cast<std::int64_t>(k))));
      std::size_t inner = 1;
      for (std::size_t d = form.axes.size(); d-- > 0;) {
        if (form.axes[d].is_transformed()) multiply_axis(matrices[d], numbers, inner, room);
        inner *= matrices[d].size();
      }
      const std::int64_t at = row + lanes * tile * (c % lanes + lanes * (c / lanes));
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto number = static_cast<float>(numbers[i]);
        std::memcpy(destination.data() + static_cast<std::size_t>(at + positions[i]) * sizeof number, &number, sizeof number);
      }
    }
  }
}

}  // namespace

Wish winograd_weights(const WinogradForm& form, std::int64_t tile, std::int64_t chunk) {
  Wish wish;
  wish.packed_extents = {form.lanes,         tile,         form.lanes,    form.input_blocks(),
                         form.summed_taps(), chunk / tile, form.planes(), form.output_blocks() / chunk};
  wish.packing = fmt::format("winograd {} {} {} {}", form.digits(), form.lanes, tile, chunk);
  wish.pack = [form, tile, chunk](const TensorData& source, std::span<std::byte> destination) {
    pack(form, tile, chunk, source, destination);
  };
  return wish;
}

}  // namespace calotype::schedules::cpu
