/// \file
/// The sums of a 1x1 convolution over rows of cells.
#include "schedules/cpu/pointwise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "ir/checked.h"
#include "schedules/cpu/convolution.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// All vectors in one tile, the last one with parts of the sum.
PointwiseTile with_parts(std::int64_t filters, std::int64_t width, const plan::Target& target) {
  const std::int64_t lanes = target.lanes(4);
  PointwiseTile best;
  best.channels = filters / lanes;
  const std::int64_t rest = filters % lanes;
  if (rest == 0 || rest * 2 > lanes || best.channels == 0) return best;
  best.parts = rest * 4 <= lanes ? 4 : 2;
  const std::int64_t most_accumulators = target.vector_registers >= 32 ? 28 : 10;
  const std::int64_t products = best.channels * best.parts + 1;  // of vectors for one cell in a step
  for (std::int64_t pixels = 1; pixels <= std::min(width, most_accumulators / (best.channels + 1)); ++pixels) {
    const double waste = static_cast<double>(rounded_up(width, pixels)) / static_cast<double>(width);
    const auto accumulators = static_cast<double>((best.channels + 1) * pixels);
    const auto loads = static_cast<double>(products + (best.parts + 1) * pixels) / static_cast<double>(products * pixels);
    const double cost =
        static_cast<double>(products) / static_cast<double>(best.parts) * tile_cost(waste, accumulators, loads * accumulators);
    if (cost >= best.cost - 1e-9) continue;
    best.pixels = pixels;
    best.cost = cost;
  }
  return best;
}

/// Input channels of a block that are summed: all, or the part of it of which the channels are a multiple, in whole steps.
std::int64_t summed_lanes(std::int64_t channels, std::int64_t lanes, std::int64_t parts) {
  const std::int64_t part = std::gcd(channels, lanes);
  return part >= 4 && part % parts == 0 ? part : lanes;
}

}  // namespace

PointwiseTile choose_pointwise_tile(std::int64_t filters, std::int64_t width, std::int64_t cells, const plan::Target& target) {
  const std::int64_t vectors = divided_up(filters, target.lanes(4));
  const RegisterTile register_tile = choose_register_tile(vectors, cells, target);
  PointwiseTile whole;
  whole.channels = register_tile.channels;
  whole.pixels = register_tile.pixels;
  const double waste = static_cast<double>(rounded_up(cells, whole.pixels)) / static_cast<double>(cells);
  whole.cost = static_cast<double>(vectors) *
               tile_cost(waste, static_cast<double>(whole.channels * whole.pixels), static_cast<double>(whole.channels + whole.pixels));
  const PointwiseTile parted = with_parts(filters, width, target);
  return parted.cost < whole.cost ? parted : whole;
}

Wish packed_pointwise_weights(std::int64_t filters, std::int64_t channels, std::int64_t lanes, const PointwiseTile& tile) {
  const std::int64_t parts = tile.parts;
  const std::int64_t summed = summed_lanes(channels, lanes, parts);
  const std::int64_t vectors = tile.channels * parts + (parts > 1 ? 1 : 0);
  const std::int64_t tiles = parts > 1 ? 1 : divided_up(filters, lanes * tile.channels);
  Wish wish;
  wish.packed_extents = {lanes, vectors, summed / parts, divided_up(channels, summed), tiles};
  wish.packing = fmt::format("pointwise {} {} {} {}", lanes, tile.channels, parts, summed);
  const std::int64_t whole = tile.channels;
  wish.pack = [filters, channels, lanes, parts, whole, vectors, tiles](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    const std::int64_t tile_numbers = static_cast<std::int64_t>(destination.size() / sizeof(float)) / tiles;
    for (std::int64_t o = 0; o < filters; ++o) {
      const std::int64_t vector = o / lanes;
      for (std::int64_t i = 0; i < channels; ++i) {
        const std::int64_t step = i / parts * vectors * lanes;
        const std::int64_t within = parts > 1 && vector == whole ? whole * parts * lanes + o % lanes * parts + i % parts
                                                                 : (i % parts * whole + vector % whole) * lanes + o % lanes;
        const std::int64_t tile_start = parts > 1 ? 0 : vector / whole * tile_numbers;
        const auto number = load<float>(source, o * channels + i);
        std::memcpy(destination.data() + static_cast<std::size_t>(tile_start + step + within) * sizeof(float), &number, sizeof(float));
      }
    }
  };
  return wish;
}

Pointwise pointwise_sums(const KernelBuilder& builder, std::size_t op, const PointwiseTile& tile, const PointwiseOperand& operand) {
  const auto position = static_cast<int>(op);
  const int weight_at = builder.position_of(position, "weight"), bias_at = builder.position_of(position, "bias");
  const std::string prefix = fmt::format("{}_{}", builder.prefix(), op);
  const Halide::ImageParam& weight = builder.input(weight_at);
  const std::vector<std::int64_t>& packed = builder.input_buffer(weight_at).packed_extents;
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front();
  const Var block = at[at.size() - 2];
  const int lanes = builder.point().lanes;
  const auto steps = static_cast<int>(packed[2]);
  Pointwise sums;
  sums.parts = static_cast<int>(tile.parts);
  sums.channels = static_cast<int>(tile.channels);
  sums.unrolled = std::gcd(steps, sums.parts > 1 ? 2 : 4);
  sums.step = Halide::RDom(0, steps, 0, static_cast<int>(packed[3]), prefix + "_r");
  const int summed = steps * sums.parts;
  const Halide::RDom& r = sums.step;
  // Input channels [icb * summed, ...) lie in one block of the operand, because `summed` divides its lanes.
  const auto value_of = [&](const Expr& part) {
    const int each = lanes / summed;
    return operand(r[1] % each * summed + r[0] * sums.parts + part, r[1] / each);
  };

  sums.whole = Func(prefix + "_sum");
  const Expr bias = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  sums.whole(at) = sums.parts > 1 && bias_at >= 0 ? builder.input(bias_at)(Halide::min(block, sums.channels - 1) * lanes + lane) : bias;
  Expr total = sums.whole(at);
  for (int p = 0; p < sums.parts; ++p) {
    total +=
        weight(lane, block % sums.channels + p * sums.channels, r[0], r[1], sums.parts > 1 ? Expr(0) : block / sums.channels) * value_of(p);
  }
  sums.whole(at) = total;
  sums.value = sums.whole(std::vector<Expr>(at.begin(), at.end()));
  if (sums.parts > 1) {
    const int channels = lanes / sums.parts;
    const Var part("part"), channel("channel");
    std::vector<Var> cells(at.begin() + 1, at.end() - 2);
    cells.push_back(at.back());
    std::vector<Var> partial_at = {part, channel}, folded_at = {channel};
    partial_at.insert(partial_at.end(), cells.begin(), cells.end());
    folded_at.insert(folded_at.end(), cells.begin(), cells.end());
    sums.partial = Func(prefix + "_partial");
    sums.partial(partial_at) = 0.0F;
    sums.partial(partial_at) += weight(part + channel * sums.parts, sums.parts * sums.channels, r[0], r[1], 0) * value_of(part);
    sums.folded = Func(prefix + "_folded");
    total = 0.0F;
    for (int p = 0; p < sums.parts; ++p) {
      std::vector<Expr> from(partial_at.begin(), partial_at.end());
      from.front() = p;
      total = p == 0 ? sums.partial(from) : total + sums.partial(from);
    }
    sums.folded(folded_at) = total;
    std::vector<Expr> whole_at(at.begin(), at.end()), read_at(folded_at.begin(), folded_at.end());
    whole_at[at.size() - 2] = Halide::min(block, sums.channels - 1);
    read_at.front() = lane % channels;
    sums.value = Halide::select(block < sums.channels, sums.whole(whole_at), sums.folded(read_at) + bias);
  }
  return sums;
}

void schedule_pointwise(Pointwise& sums, Func& output, const KernelBuilder& builder, const Var& pixel_outer) {
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front(), pixel = at[1], block = at[at.size() - 2];
  const RVar chunk("chunk"), step("step");
  const Halide::RDom& r = sums.step;
  // Cells of the other dimensions, of which a tile has one, stand inside: the loops that both sums share come last.
  std::vector<Halide::VarOrRVar> whole_order = {lane, block}, shared(at.begin() + 1, at.end() - 2);
  shared.insert(shared.end(), {at.back(), step, chunk, r[1]});
  whole_order.insert(whole_order.end(), shared.begin(), shared.end());
  sums.whole.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(pixel).unroll(block);
  sums.whole.update().split(r[0], chunk, step, sums.unrolled).reorder(whole_order).vectorize(lane).unroll(block).unroll(pixel).unroll(step);
  if (sums.parts == 1) return;
  const Var part = sums.partial.args()[0], channel = sums.partial.args()[1];
  std::vector<Halide::VarOrRVar> partial_order = {part, channel};
  partial_order.insert(partial_order.end(), shared.begin(), shared.end());
  sums.partial.compute_at(output, pixel_outer)
      .store_in(Halide::MemoryType::Stack)
      .bound_extent(part, sums.parts)
      .bound_extent(channel, builder.point().lanes / sums.parts)
      .vectorize(part)
      .vectorize(channel)
      .unroll(pixel);
  sums.partial.update()
      .split(r[0], chunk, step, sums.unrolled)
      .reorder(partial_order)
      .vectorize(part)
      .vectorize(channel)
      .unroll(pixel)
      .unroll(step);
  sums.partial.update().compute_with(sums.whole.update(), chunk);
  sums.folded.compute_at(output, pixel_outer)
      .store_in(Halide::MemoryType::Stack)
      .bound_extent(channel, builder.point().lanes / sums.parts)
      .vectorize(channel)
      .unroll(pixel);
}

std::vector<std::pair<Var, std::int64_t>> tile_pointwise(Func& output, const KernelBuilder& builder,
                                                         const std::vector<plan::StorageDimension>& storage, const PointwiseTile& tile) {
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front(), pixel = at[1], block = at[at.size() - 2];
  const Var pixel_outer("pixel_outer"), pixel_inner("pixel_inner"), block_outer("block_outer"), block_inner("block_inner");
  const auto pixels = static_cast<int>(tile.pixels);
  const std::int64_t blocks = storage[at.size() - 2].extent;
  const std::int64_t vectors = tile.parts > 1 ? blocks : tile.channels;
  output.split(pixel, pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  output.split(block, block_outer, block_inner, static_cast<int>(vectors), TailStrategy::RoundUp);
  std::vector<Halide::VarOrRVar> order;
  if (tile.parts > 1) {
    const Var group("lane_group"), channel("lane_inner");
    output.split(lane, group, channel, builder.point().lanes / static_cast<int>(tile.parts), TailStrategy::RoundUp);
    output.vectorize(channel).vectorize(group);
    order = {channel, group};
  } else {
    output.vectorize(lane);
    order = {lane};
  }
  order.insert(order.end(), {pixel_inner, block_inner});
  std::vector<std::pair<Var, std::int64_t>> outer = {{pixel_outer, divided_up(storage[1].extent, pixels)}};
  for (std::size_t i = 2; i + 2 < at.size(); ++i) outer.emplace_back(at[i], storage[i].extent);
  outer.emplace_back(block_outer, blocks / vectors);
  outer.emplace_back(at.back(), storage.back().extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).unroll(pixel_inner).unroll(block_inner);
  return outer;
}

}  // namespace calotype::schedules::cpu
