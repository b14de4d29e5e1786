/// \file
/// Winograd convolution on channel-blocked data, stride 1: tiles of m + r - 1 cells along one or two axes are transformed, multiplied plane by
/// plane with filters that were transformed at compile time, and transformed back. 3x3 filters take 36 multiplications for 4x4 results in
/// place of 144, 1x7 filters 12 for 6 in place of 42. The taps of one more axis may be summed as input channels are: 3x3x3 filters.
///
///   V = input^T d input      for each tile t, summed cell s and input channel    (a strip of tiles, or the whole map)
///   M = sum over channels and summed taps of U * V, a matrix product for each plane    (a chunk of output channels)
///   Y = output^T M output    for each tile and output channel                    (registers)
///
/// Tiles are flattened, so the shape of the matrix product does not depend on the map's. Weights U are interleaved by the register tile and the
/// chunk: the inner loop reads one stream. Large maps go strip by strip, each strip a task, V in the second cache; small maps are one strip, V
/// made first, each chunk of output channels a task. Forms and strips are chosen by cost (winograd_form.h), within the bytes that
/// transformed filters may take in the whole network (choose.h).
///
/// A reformulation: results differ from the direct sum by 1e-6 to 2e-5 of the largest (tests/schedules/winograd_test.cpp holds each form to
/// that), so --accuracy exact leaves it out.
#include <algorithm>

#include <fmt/format.h>

#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"
#include "schedules/cpu/winograd_form.h"
#include "schedules/cpu/winograd_transform.h"
#include "schedules/cpu/winograd_weights.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;

/// The convolution without any axis transformed; no axes where the template does not match.
WinogradForm plain_form(const Question& question) {
  const layers::Call call = question.call();
  if (question.exact || call.op().kind != "conv" || !has_constant_f32_weights(question)) return {};
  return form_of(call, window_of_convolution(call), question.target.lanes(4));
}

/// One transformed axis as the algorithm walks it.
struct Stage {
  std::size_t axis = 0;
  WinogradTransform transform;
};

/// Everything that the algorithm and the schedule need to know, in Halide's terms.
struct Geometry {
  WinogradForm form;
  std::vector<Stage> stages;  ///< the axes that are transformed, outermost first: one or two
  std::vector<Var> cells;  ///< of the result, along each axis
  std::vector<int> tile_strides;  ///< of each axis in the flattened tiles; 0 for the summed one
  std::vector<int> tile_counts;
  bool has_short_strip = false;  ///< the last strip ends beyond the tiles: it makes the last tile again
  int outermost = 0;  ///< the first axis that is not summed: its tile is t / stride, without a remainder
  Var lane, block, n;
  /// Tile, cell of the summed axis, input block, point of the first and of the last transformed axis, cell and place in a tile along these.
  Var t{"t"}, s{"s"}, k{"k"}, i{"i"}, j{"j"}, e{"e"}, p{"p"}, q{"q"};
};

Geometry geometry_of(const KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const std::vector<Var>& at = builder.point().variables;
  Geometry g;
  g.form = with_digits(form_of(call, window_of_convolution(call), builder.point().lanes), builder.parameter("results"));
  const std::size_t rank = g.form.axes.size();
  g.lane = at.front();
  g.block = at[rank + 1];
  g.n = at.back();
  g.cells.resize(rank);
  g.tile_strides.resize(rank);
  g.tile_counts.resize(rank);
  int stride = 1;
  for (std::size_t d = rank; d-- > 0;) {
    const WinogradAxis& axis = g.form.axes[d];
    g.cells[d] = at[rank - d];
    g.tile_counts[d] = static_cast<int>(axis.tiles());
    if (axis.is_summed()) continue;
    g.tile_strides[d] = stride;
    stride *= g.tile_counts[d];
    g.outermost = static_cast<int>(d);
  }
  g.has_short_strip =
      g.tile_counts[static_cast<std::size_t>(builder.parameter("axis"))] % static_cast<int>(builder.parameter("strip")) != 0;
  for (std::size_t d = 0; d < rank; ++d) {
    const WinogradAxis& axis = g.form.axes[d];
    if (axis.is_transformed()) g.stages.push_back({d, winograd_transform(static_cast<int>(axis.results), static_cast<int>(axis.taps))});
  }
  return g;
}

/// Rows of a matrix times elements, the row chosen by a variable that is unrolled.
template <typename Weighted, typename Element>
Expr product_with(const Var& row, const std::vector<std::vector<double>>& matrix, const Weighted& weighted, const Element& element) {
  std::vector<Expr> rows;
  for (const auto& weights : matrix) rows.push_back(weighted(weights, element));
  return Halide::mux(row, rows);
}

/// The Funcs, innermost variable first: lane, then as named.
struct Funcs {
  Func half;  ///< (e, i, t, s, k, n) input transformed along the first of two axes; undefined if there is one
  Func transformed;  ///< (t, s, k, j, i, n)
  Func sum;  ///< (t, s, block, j, i, n)
  Func product;  ///< the same, stored for a chunk
  Func half_back;  ///< (j, p, t, s, block, n)
  Func back;  ///< (q, p, t, s, block, n)
  Halide::RDom r;
};

/// The operand at tile t and cell s of the summed axis, `offsets` cells from the tile's first along the transformed axes.
Expr operand_at(const Geometry& g, const Halide::ImageParam& operand, const std::vector<std::pair<std::size_t, Expr>>& offsets) {
  std::vector<Expr> at = {g.lane};
  for (std::size_t d = g.form.axes.size(); d-- > 0;) {
    const WinogradAxis& axis = g.form.axes[d];
    Expr cell = g.s;
    if (!axis.is_summed()) {
      const Expr t = g.has_short_strip ? Halide::min(g.t, static_cast<int>(g.form.tiles()) - 1) : Expr(g.t);
      const Expr tile = static_cast<int>(d) == g.outermost ? t / g.tile_strides[d] : t / g.tile_strides[d] % g.tile_counts[d];
      cell = tile * static_cast<int>(axis.is_transformed() ? axis.results : axis.stride);
    }
    cell -= static_cast<int>(axis.begin);
    for (const auto& offset : offsets) cell = offset.first == d ? cell + offset.second : cell;
    at.push_back(cell);
  }
  at.insert(at.end(), {g.k, g.n});
  return operand(at);
}

Funcs algorithm(const KernelBuilder& builder, const Geometry& g) {
  const Halide::ImageParam& operand = builder.input(builder.position_of(0, "x"));
  const int weight_at = builder.position_of(0, "weight");
  const Halide::ImageParam& weight = builder.input(weight_at);
  const auto& packed = builder.input_buffer(weight_at).packed_extents;
  const auto name = [&](const char* stage) { return builder.prefix() + stage; };
  const auto tile = static_cast<int>(packed[1]);
  const auto tiles_in_chunk = static_cast<int>(packed[5]);
  const bool two = g.stages.size() == 2;
  const Stage& inner = g.stages.back();
  const Stage& outer = g.stages.front();

  Funcs f{Func(name("_v1")),
          Func(name("_v")),
          Func(name("_sum")),
          Func(name("_m")),
          Func(name("_y1")),
          Func(name("_y")),
          Halide::RDom(0, builder.point().lanes, 0, static_cast<int>(packed[3]), 0, static_cast<int>(packed[4]), name("_r"))};
  if (two) {
    f.half(g.lane, g.e, g.i, g.t, g.s, g.k, g.n) = product_with(
        g.i, outer.transform.input, sum_by_parity, [&](int r) { return operand_at(g, operand, {{inner.axis, g.e}, {outer.axis, r}}); });
  }
  f.transformed(g.lane, g.t, g.s, g.k, g.j, g.i, g.n) = product_with(g.j, inner.transform.input, sum_by_parity, [&](int r) {
    return two ? f.half(g.lane, r, g.i, g.t, g.s, g.k, g.n) : operand_at(g, operand, {{inner.axis, r}});
  });

  const int summed = g.form.summed_axis();
  const WinogradAxis axis = summed < 0 ? WinogradAxis{} : g.form.axes[static_cast<std::size_t>(summed)];
  const Expr cell = g.s * static_cast<int>(axis.stride) + f.r.z * static_cast<int>(axis.dilation);
  const Expr plane = two ? g.j + g.i * inner.transform.points : Expr(g.j);
  f.sum(g.lane, g.t, g.s, g.block, g.j, g.i, g.n) = 0.0F;
  f.sum(g.lane, g.t, g.s, g.block, g.j, g.i, g.n) +=
      weight(g.lane, g.block % tile, f.r.x, f.r.y, f.r.z, g.block / tile % tiles_in_chunk, plane, g.block / (tile * tiles_in_chunk)) *
      f.transformed(f.r.x, g.t, cell, f.r.y, g.j, g.i, g.n);
  f.product(g.lane, g.t, g.s, g.block, g.j, g.i, g.n) = f.sum(g.lane, g.t, g.s, g.block, g.j, g.i, g.n);

  if (two) {
    f.half_back(g.lane, g.j, g.p, g.t, g.s, g.block, g.n) =
        product_with(g.p, outer.transform.output, sum_by_pairs, [&](int r) { return f.product(g.lane, g.t, g.s, g.block, g.j, r, g.n); });
  }
  f.back(g.lane, g.q, g.p, g.t, g.s, g.block, g.n) = product_with(g.q, inner.transform.output, sum_by_pairs, [&](int r) {
    return two ? f.half_back(g.lane, r, g.p, g.t, g.s, g.block, g.n) : f.product(g.lane, g.t, g.s, g.block, r, 0, g.n);
  });
  return f;
}

/// The result of tile and place in it that hold the point.
Expr result_at(const Geometry& g, const Funcs& f) {
  Expr tile = 0;
  Expr summed = 0;
  std::vector<Expr> within;
  for (std::size_t d = 0; d < g.form.axes.size(); ++d) {
    const WinogradAxis& axis = g.form.axes[d];
    const auto results = static_cast<int>(axis.results);
    if (axis.is_summed()) {
      summed = g.cells[d];
      continue;
    }
    tile += g.cells[d] / results * g.tile_strides[d];
    if (axis.is_transformed()) within.push_back(g.cells[d] % results);
  }
  const bool two = g.stages.size() == 2;
  return f.back(g.lane, within.back(), two ? within.front() : Expr(0), tile, summed, g.block, g.n);
}

/// The result's loops, from the innermost: cells of a tile (unrolled), tiles of a strip, cells of the summed axis, blocks of a chunk, chunks, strips.
struct Loops {
  std::vector<Halide::VarOrRVar> order;
  Var tile;  ///< the innermost loop over tiles
  Var chunk;
  Var strip;  ///< not used where the whole map is one strip
};

Loops loops_of(Func& output, const KernelBuilder& builder, const Geometry& g) {
  const auto rank = g.form.axes.size();
  const bool whole = builder.parameter("whole") != 0;
  const auto strip_axis = static_cast<std::size_t>(builder.parameter("axis"));
  std::vector<Var> unrolled, tiles, summed, strips;
  for (std::size_t d = rank; d-- > 0;) {
    const WinogradAxis& axis = g.form.axes[d];
    Var tile = g.cells[d];
    if (axis.is_transformed()) {
      const Var outer(fmt::format("tile{}", d)), inner(fmt::format("in{}", d));
      output.split(g.cells[d], outer, inner, static_cast<int>(axis.results),
                   axis.output % axis.results == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
      output.unroll(inner);
      unrolled.push_back(inner);
      tile = outer;
    }
    std::vector<Var>& within = axis.is_summed() ? summed : tiles;
    if (whole || (!axis.is_summed() && d > strip_axis)) {
      within.push_back(tile);
    } else if (!axis.is_summed() && d < strip_axis) {
      strips.push_back(tile);
    } else {
      const Var outer(fmt::format("strip{}", d)), inner(fmt::format("part{}", d));
      output.split(tile, outer, inner, static_cast<int>(builder.parameter(axis.is_summed() ? "depth" : "strip")),
                   g.has_short_strip && !axis.is_summed() ? TailStrategy::GuardWithIf : TailStrategy::RoundUp);
      strips.push_back(outer);
      within.push_back(inner);
    }
  }
  Loops loops;
  const Var part("part_of_chunk");
  loops.chunk = Var("chunk");
  loops.tile = tiles.front();
  output.split(g.block, loops.chunk, part, static_cast<int>(builder.parameter("chunk")), TailStrategy::RoundUp);
  loops.order.emplace_back(g.lane);
  loops.order.insert(loops.order.end(), unrolled.begin(), unrolled.end());
  loops.order.insert(loops.order.end(), tiles.begin(), tiles.end());
  loops.order.insert(loops.order.end(), summed.begin(), summed.end());
  loops.order.insert(loops.order.end(), {part, loops.chunk});
  loops.order.insert(loops.order.end(), strips.begin(), strips.end());
  loops.order.emplace_back(g.n);
  output.reorder(loops.order).vectorize(g.lane);
  if (whole) return loops;
  loops.strip = strips.front();
  strips.push_back(g.n);
  for (std::size_t d = 1; d < strips.size(); ++d) {
    const Var task(fmt::format("task{}", d));
    output.fuse(loops.strip, strips[d], task);
    loops.strip = task;
  }
  output.parallel(loops.strip);
  return loops;
}

int tiles_in_strip(const KernelBuilder& builder, const Geometry& g) {
  if (builder.parameter("whole") != 0) return static_cast<int>(g.form.tiles());
  return static_cast<int>(builder.parameter("strip")) * g.tile_strides[static_cast<std::size_t>(builder.parameter("axis"))];
}

void schedule(Func& output, Funcs& f, const KernelBuilder& builder, const Geometry& g) {
  const Loops loops = loops_of(output, builder, g);
  const bool two = g.stages.size() == 2;
  // Where tiles hang over the map's end, Halide does not see that the number of tiles is the same in every strip.
  f.transformed.bound_extent(g.t, tiles_in_strip(builder, g));
  f.product.bound_extent(g.t, tiles_in_strip(builder, g));
  if (two) f.half_back.bound_extent(g.t, 1);
  f.back.bound_extent(g.t, 1);
  if (builder.parameter("whole") != 0) {
    f.transformed.compute_at(output, g.n).parallel(g.k);
    output.parallel(loops.chunk);
  } else {
    f.transformed.compute_at(output, loops.strip);
  }
  f.transformed.reorder(g.lane, g.j, g.i, g.t, g.s, g.k, g.n).vectorize(g.lane).unroll(g.j);
  if (two) {
    f.transformed.unroll(g.i);
    f.half.compute_at(f.transformed, g.t).store_in(Halide::MemoryType::Stack).vectorize(g.lane).unroll(g.e).unroll(g.i);
  }

  const Var to("to"), ti("ti"), mo("mo"), mi("mi");
  f.product.compute_at(output, loops.chunk).split(g.t, to, ti, static_cast<int>(builder.parameter("tiles")), TailStrategy::ShiftInwards);
  f.product.split(g.block, mo, mi, static_cast<int>(builder.parameter("channels")));
  f.product.reorder(g.lane, ti, mi, to, g.s, mo, g.j, g.i, g.n).vectorize(g.lane).unroll(ti).unroll(mi);
  f.sum.compute_at(f.product, to).store_in(Halide::MemoryType::Stack).vectorize(g.lane).unroll(g.t).unroll(g.block);
  const Halide::RVar step("step"), part("part");
  f.sum.update().split(f.r.x, part, step, 4).reorder({g.lane, g.block, g.t, step, part, f.r.y, f.r.z});
  f.sum.update().vectorize(g.lane).unroll(g.block).unroll(g.t).unroll(step);

  f.back.compute_at(output, loops.tile).store_in(Halide::MemoryType::Stack).vectorize(g.lane).unroll(g.q).unroll(g.p);
  if (two) f.half_back.compute_at(output, loops.tile).store_in(Halide::MemoryType::Stack).vectorize(g.lane).unroll(g.j).unroll(g.p);
}

}  // namespace

std::vector<Variant> winograd_variants(const Question& question) {
  const WinogradForm plain = plain_form(question);
  if (plain.axes.empty()) return {};
  const double direct = direct_cost(plain, question.all_weights, question.target);
  std::vector<Variant> variants;
  for (const WinogradForm& form : forms_of(plain)) {
    // What is gained by less than a twentieth is not worth the memory.
    const double saved = 0.95 * direct - choose_walk(form, question.all_weights, question.target).cost;
    variants.push_back({form.digits(), saved, form.weight_bytes() - plain.weight_bytes()});
  }
  return variants;
}

std::optional<Choice> choose_winograd(const Question& question) {
  if (question.variant == 0) return std::nullopt;
  const WinogradForm plain = plain_form(question);
  if (plain.axes.empty()) return std::nullopt;
  const WinogradForm form = with_digits(plain, question.variant);
  const WinogradWalk walk = choose_walk(form, question.all_weights, question.target);

  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = choice.output;
  operand.any_halo = true;
  for (const WinogradAxis& axis : form.axes) {
    operand.layout.halo_begin.push_back(axis.begin);
    operand.layout.halo_end.push_back(std::max<std::int64_t>(0, axis.cells_read() - axis.begin - axis.input));
  }
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = winograd_weights(form, walk.tile.channels, walk.chunk);
  const int bias = question.input_of("bias");
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(form.filters, form.lanes);
  choice.parameters = {{"results", form.digits()},
                       {"channels", walk.tile.channels},
                       {"tiles", walk.tile.pixels},
                       {"chunk", walk.chunk},
                       {"axis", static_cast<std::int64_t>(walk.axis)},
                       {"strip", walk.strip},
                       {"depth", walk.depth},
                       {"whole", walk.is_whole_map ? 1 : 0}};
  return choice;
}

Func build_winograd(KernelBuilder& builder) {
  const Geometry g = geometry_of(builder);
  Funcs f = algorithm(builder, g);
  Expr value = result_at(g, f);
  const int bias_at = builder.position_of(0, "bias");
  if (bias_at >= 0) value += builder.input(bias_at)(g.block * builder.point().lanes + g.lane);
  Func output = builder.make_output(builder.finish(value));
  schedule(output, f, builder, g);
  return output;
}

}  // namespace calotype::schedules::cpu
