/// \file
/// Winograd convolution F(m x m, r x r) on channel-blocked data, stride 1: tiles of m + r - 1 cells are transformed, multiplied plane by plane
/// with filters that were transformed at compile time, and transformed back. 3x3 filters take 36 multiplications for 16 results (m = 4) in
/// place of 144, or 16 for 4 (m = 2) in place of 36.
///
///   V = input^T d input      for each tile t and input channel          (strip of tile rows, or the whole map)
///   M = sum over channels of U * V, a matrix product for each of the planes (a chunk of output channels)
///   Y = output^T M output    for each tile and output channel           (registers)
///
/// Tiles are flattened (t = column + columns * row), so the shape of the matrix product does not depend on the map's. Weights U are interleaved
/// by the register tile and the chunk: the inner loop reads one stream. Large maps go strip by strip, each strip a task, V in L2; small
/// maps are one strip, V made first, each chunk of output channels a task.
///
/// A reformulation: results differ from the direct sum by 1e-6 to 2e-5 of the largest (tests/schedules/winograd_test.cpp holds it to
/// that), so --accuracy exact leaves it out.
///
/// Measured on Zen 5, GF/s counted in direct operations, peak 240: 64@56 782, 128@28 842, 256@14 522 (m = 2), 512@7 326 (m = 2).
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "layers/window.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"
#include "schedules/cpu/winograd_transform.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using layers::Window;
using plan::Layout;

constexpr int taps = 3;

/// What follows from shape and parameters.
struct Tiling {
  std::int64_t results = 4;  ///< m
  std::int64_t columns = 0;  ///< tiles in a row
  std::int64_t rows = 0;  ///< rows of tiles
  std::int64_t planes() const { return (results + taps - 1) * (results + taps - 1); }
};

Tiling tiling_of(const Window& window, std::int64_t results) {
  return {results, (window.output[1] + results - 1) / results, (window.output[0] + results - 1) / results};
}

bool is_candidate(const Question& question) {
  const layers::Call call = question.call();
  if (question.exact || call.op().kind != "conv" || call.integer("groups") != 1 || !has_constant_f32_weights(question)) return false;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  if (x.rank() != 4) return false;
  if (weight.extents[2] != taps || weight.extents[3] != taps) return false;
  const Window window = window_of_convolution(call);
  for (std::size_t d = 0; d < 2; ++d) {
    if (window.stride[d] != 1 || window.dilation[d] != 1 || window.begin[d] < 0 || window.end[d] < 0 || window.output[d] < 4) return false;
  }
  const std::int64_t lanes = question.target.lanes(4);
  return x.extents[1] >= lanes && weight.extents[0] >= lanes;
}

std::int64_t rounded_up(std::int64_t count, std::int64_t multiple) { return (count + multiple - 1) / multiple * multiple; }

/// Bytes of the transformed filters.
std::int64_t transformed_bytes(const TensorType& weight, std::int64_t lanes, std::int64_t results) {
  return rounded_up(weight.extents[0], lanes) * rounded_up(weight.extents[1], lanes) * (results + taps - 1) * (results + taps - 1) * 4;
}

/// Results in a row of a tile: 4 where the map is large enough to fill such tiles and the filters may take the room, else 2, else none.
std::int64_t choose_results(const Question& question, const Window& window) {
  const TensorType& weight = question.call().operand("weight").type;
  const std::int64_t lanes = question.target.lanes(4);
  const std::int64_t least = std::min(window.output[0], window.output[1]);
  const std::int64_t direct = rounded_up(weight.extents[0], lanes) * rounded_up(weight.extents[1], lanes) * taps * taps * 4;
  for (const std::int64_t results : {std::int64_t{4}, std::int64_t{2}}) {
    if (results == 4 && least < 12) continue;
    if (transformed_bytes(weight, lanes, results) - direct <= question.weight_room) return results;
  }
  return 0;
}

/// U[lane, vector in tile, input lane, input block, tile in chunk, plane, chunk] = (filter g filter^T)[plane].
Wish transformed_weights(const TensorType& weight, std::int64_t lanes, std::int64_t results, std::int64_t tile, std::int64_t chunk) {
  const std::int64_t output_blocks = (weight.extents[0] + lanes - 1) / lanes;
  const std::int64_t input_blocks = (weight.extents[1] + lanes - 1) / lanes;
  const WinogradTransform transform = winograd_transform(static_cast<int>(results), taps);
  const std::int64_t points = transform.points;
  Wish wish;
  wish.packed_extents = {lanes, tile, lanes, input_blocks, chunk / tile, points * points, output_blocks / chunk};
  wish.packing = fmt::format("winograd {} {} {} {}", results, lanes, tile, chunk);
  wish.pack = [=, filters = weight.extents[0], channels = weight.extents[1]](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    const std::int64_t plane_stride = lanes * tile * lanes * input_blocks * (chunk / tile);
    for (std::int64_t o = 0; o < filters; ++o) {
      const std::int64_t block = o / lanes;
      for (std::int64_t c = 0; c < channels; ++c) {
        const std::int64_t at =
            o % lanes + lanes * (block % tile + tile * (c % lanes + lanes * (c / lanes + input_blocks * (block / tile % (chunk / tile))))) +
            block / chunk * plane_stride * points * points;
        double g[taps][taps];
        for (int y = 0; y < taps; ++y) {
          for (int x = 0; x < taps; ++x) g[y][x] = static_cast<double>(load<float>(source, ((o * channels + c) * taps + y) * taps + x));
        }
        for (std::int64_t i = 0; i < points; ++i) {
          double row[taps] = {};
          for (int x = 0; x < taps; ++x) {
            for (int y = 0; y < taps; ++y) row[x] += transform.filter[static_cast<std::size_t>(i)][static_cast<std::size_t>(y)] * g[y][x];
          }
          for (std::int64_t j = 0; j < points; ++j) {
            double sum = 0;
            for (int x = 0; x < taps; ++x) sum += transform.filter[static_cast<std::size_t>(j)][static_cast<std::size_t>(x)] * row[x];
            const auto number = static_cast<float>(sum);
            std::memcpy(destination.data() + static_cast<std::size_t>(at + (j + i * points) * plane_stride) * sizeof number, &number,
                        sizeof number);
          }
        }
      }
    }
  };
  return wish;
}

/// Rows of tiles in a strip: enough tiles to use each weight that was loaded several times; all of them where the weights outgrow the caches
/// (each strip reads them anew) or the map is small.
std::int64_t choose_strip(const Tiling& tiling, std::int64_t weight_bytes) {
  constexpr std::int64_t enough_tiles = 14;
  constexpr std::int64_t cached_weights = 16 << 20;
  if (weight_bytes > cached_weights || tiling.columns * tiling.rows <= 64) return tiling.rows;
  std::int64_t strip = std::min(tiling.rows, (enough_tiles + tiling.columns - 1) / tiling.columns);
  while (tiling.rows % strip != 0) ++strip;  // every strip is whole: tiles of registers may not leave it
  return strip;
}

/// The largest divisor of `count` that is a multiple of `step` and at most `most`.
std::int64_t divisor_up_to(std::int64_t count, std::int64_t step, std::int64_t most) {
  std::int64_t best = step;
  for (std::int64_t candidate = step; candidate <= std::min(most, count); candidate += step) {
    if (count % candidate == 0) best = candidate;
  }
  return best;
}

}  // namespace

std::optional<Choice> choose_winograd(const Question& question) {
  if (!is_candidate(question)) return std::nullopt;
  const layers::Call call = question.call();
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  const Window window = window_of_convolution(call);
  const std::int64_t results = choose_results(question, window);
  if (results == 0) return std::nullopt;

  const Tiling tiling = tiling_of(window, results);
  const std::int64_t lanes = question.target.lanes(4);
  const std::int64_t blocks = (weight.extents[0] + lanes - 1) / lanes;
  const std::int64_t strip = choose_strip(tiling, transformed_bytes(weight, lanes, results));
  const RegisterTile tile = choose_register_tile(blocks, strip * tiling.columns, question.target);
  const std::int64_t chunk = divisor_up_to(blocks, tile.channels, strip == tiling.rows ? 4 : 2);

  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = choice.output;
  operand.any_halo = true;
  const std::int64_t counts[] = {tiling.rows, tiling.columns};
  for (std::size_t d = 0; d < 2; ++d) {
    operand.layout.halo_begin.push_back(window.begin[d]);
    operand.layout.halo_end.push_back(std::max<std::int64_t>(0, counts[d] * results + taps - 1 - window.begin[d] - x.extents[d + 2]));
  }
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = transformed_weights(weight, lanes, results, tile.channels, chunk);
  const int bias = question.input_of("bias");
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  choice.parameters = {{"results", results}, {"channels", tile.channels}, {"tiles", tile.pixels}, {"chunk", chunk}, {"strip", strip}};
  return choice;
}

Func build_winograd(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const auto results = static_cast<int>(builder.parameter("results"));
  const auto tile = static_cast<int>(builder.parameter("channels"));
  const auto chunk = static_cast<int>(builder.parameter("chunk"));
  const Tiling tiling = tiling_of(window, results);
  const auto columns = static_cast<int>(tiling.columns);
  const auto strip = static_cast<int>(builder.parameter("strip"));
  const WinogradTransform transform = winograd_transform(results, taps);
  const int points = transform.points;
  const Halide::ImageParam& operand = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const auto& packed = builder.input_buffer(builder.position_of(0, "weight")).packed_extents;
  const int lanes = builder.point().lanes;

  /* The algorithm. */
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at[0], x = at[1], y = at[2], block = at[3], n = at[4];
  const Var t("t"), k("k"), i("i"), j("j"), e("e"), p("p"), q("q");
  const auto name = [&](const char* stage) { return builder.prefix() + stage; };
  const auto product_with = [&](const Var& row, const std::vector<std::vector<double>>& matrix, const auto& weighted, const auto& element) {
    std::vector<Expr> rows;
    for (const auto& weights : matrix) rows.push_back(weighted(weights, element));
    return Halide::mux(row, rows);
  };
  Func rows_transformed(name("_v1")), transformed(name("_v")), sum(name("_sum")), product(name("_m")), columns_back(name("_y1")),
      back(name("_y"));
  const Expr first_x = t % columns * results - static_cast<int>(window.begin[1]);
  const Expr first_y = t / columns * results - static_cast<int>(window.begin[0]);
  rows_transformed(lane, e, i, t, k, n) =
      product_with(i, transform.input, sum_by_parity, [&](int r) { return operand(lane, first_x + e, first_y + r, k, n); });
  transformed(lane, t, k, j, i, n) =
      product_with(j, transform.input, sum_by_parity, [&](int r) { return rows_transformed(lane, r, i, t, k, n); });
  const Halide::RDom r(0, lanes, 0, static_cast<int>(packed[3]), name("_r"));
  sum(lane, t, block, j, i, n) = 0.0F;
  sum(lane, t, block, j, i, n) += weight(lane, block % tile, r.x, r.y, block / tile % (chunk / tile), j + i * points, block / chunk) *
                                  transformed(r.x, t, r.y, j, i, n);
  product(lane, t, block, j, i, n) = sum(lane, t, block, j, i, n);
  columns_back(lane, j, p, t, block, n) =
      product_with(p, transform.output, sum_by_pairs, [&](int s) { return product(lane, t, block, j, s, n); });
  back(lane, q, p, t, block, n) =
      product_with(q, transform.output, sum_by_pairs, [&](int s) { return columns_back(lane, s, p, t, block, n); });
  Expr value = back(lane, x % results, y % results, x / results + columns * (y / results), block, n);
  if (bias_at >= 0) value += builder.input(bias_at)(block * lanes + lane);
  Func output = builder.make_output(builder.finish(value));

  /* The schedule. */
  const Var xo("xo"), xi("xi"), yo("yo"), yi("yi"), yb("yb"), ys("ys"), oo("oo"), oi("oi"), to("to"), ti("ti"), mo("mo"), mi("mi");
  const auto exact_or_guarded = [](std::int64_t extent, std::int64_t factor) {
    return extent % factor == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf;
  };
  output.split(x, xo, xi, results, exact_or_guarded(window.output[1], results))
      .split(y, yo, yi, results, exact_or_guarded(window.output[0], results));
  output.split(yo, yb, ys, strip, TailStrategy::RoundUp).split(block, oo, oi, chunk, TailStrategy::RoundUp);
  output.reorder(lane, xi, yi, xo, ys, oi, oo, yb, n).vectorize(lane).unroll(xi).unroll(yi);
  if (strip >= tiling.rows) {
    transformed.compute_at(output, n).parallel(k);
    output.parallel(oo);
  } else {
    const Var task("task");
    output.fuse(yb, n, task).parallel(task);
    transformed.compute_at(output, task);
  }
  transformed.reorder(lane, j, i, t, k, n).vectorize(lane).unroll(j).unroll(i);
  rows_transformed.compute_at(transformed, t).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(e).unroll(i);
  product.compute_at(output, oo).split(t, to, ti, static_cast<int>(builder.parameter("tiles")), TailStrategy::ShiftInwards);
  product.split(block, mo, mi, tile).reorder(lane, ti, mi, to, mo, j, i, n).vectorize(lane).unroll(ti).unroll(mi);
  sum.compute_at(product, to).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(t).unroll(block);
  const Halide::RVar step("step"), part("part");
  sum.update().split(r.x, part, step, 4).reorder({lane, block, t, step, part, r.y}).vectorize(lane).unroll(block).unroll(t).unroll(step);
  back.compute_at(output, xo).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(q).unroll(p);
  columns_back.compute_at(output, xo).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(j).unroll(p);
  return output;
}

}  // namespace calotype::schedules::cpu
