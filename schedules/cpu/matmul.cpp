/// \file
/// Products of matrices that are both known only at run time (attention's queries by keys, probabilities by values), batch by batch: a register tile
/// of rows by vectors of columns. Where many rows meet them, the columns of a tile are copied together first, so that every row tile streams
/// them from one place, whatever the stride of b is.
///
/// Measured on Zen 4, one thread, FMA peak 118 GF/s: 512x512x512 116 GF/s, 12 heads of 197x64x197 98, of 197x197x64 110; a row by 512x512 53 GB/s.
///
/// Products by weights are dense layers (schedules/cpu/dense.cpp), whose weights are packed when the network is compiled.
#include <algorithm>

#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// The extents of one product.
struct Product {
  std::int64_t rows = 0, depth = 0, columns = 0;
  std::int64_t batches = 1;
};

Product product_of(const layers::Call& call) {
  const std::vector<std::int64_t>& a = call.type(0).extents;
  const std::vector<std::int64_t>& y = call.result().extents;
  Product product = {y[y.size() - 2], a.back(), y.back()};
  for (std::size_t i = 0; i + 2 < y.size(); ++i) product.batches *= y[i];
  return product;
}

double rounding(std::int64_t extent, std::int64_t tile) {
  return static_cast<double>((extent + tile - 1) / tile * tile) / static_cast<double>(extent);
}

}  // namespace

std::optional<Choice> choose_matmul(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "matmul" || call.type(0).rank() < 2 || call.type(1).rank() < 2) return std::nullopt;
  if (call.type(0).element != ElementType::f32 || question.output_type().element != ElementType::f32) return std::nullopt;
  const Product product = product_of(call);
  const std::int64_t lanes = question.target.lanes(4);
  if (product.columns < lanes || product.rows < 1 || product.depth < 1 || product.batches < 1) return std::nullopt;

  Choice choice;
  choice.inputs = epilogue_wishes(question, {});
  choice.inputs[static_cast<std::size_t>(question.input_of("a"))] = {};
  choice.inputs[static_cast<std::size_t>(question.input_of("b"))] = {};
  RegisterTile tile;
  double best = 1e30;
  const std::int64_t most = product.rows == 1 ? 8 : 4;
  // Rows whose distance is a multiple of 4096 bytes share one set of the first cache, which has room for 8.
  const std::int64_t most_rows = product.depth % 1024 == 0 ? 7 : product.rows;
  for (std::int64_t vectors = 1; vectors <= std::min(most, product.columns / lanes); ++vectors) {
    const std::int64_t rows = product.rows == 1 ? 1 : choose_pixels(vectors, std::min(product.rows, most_rows), question.target);
    const double cost = tile_cost(rounding(product.rows, rows) * rounding(product.columns, vectors * lanes),
                                  static_cast<double>(vectors * rows), static_cast<double>(vectors + rows));
    if (cost < best - 1e-9) tile = {vectors, rows}, best = cost;
  }
  const bool many_rows = product.rows >= 4 * tile.pixels && product.rows >= 16;
  choice.parameters = {{"rows", tile.pixels}, {"vectors", tile.channels}, {"copies_columns", many_rows ? 1 : 0}};
  return choice;
}

Func build_matmul(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Product product = product_of(call);
  const auto rows = static_cast<int>(builder.parameter("rows")), vectors = static_cast<int>(builder.parameter("vectors"));
  const bool copies_columns = builder.parameter("copies_columns") != 0;
  const int lanes = builder.target().lanes(4);
  const auto depth = static_cast<int>(product.depth);

  /* The algorithm. Variables: column, row, batches. */
  const std::vector<Var>& at = builder.point().variables;
  const Var column = at[0], row = at[1], k("k");
  const layers::Index& index = builder.point().index;
  const TensorType batch_type = {ElementType::f32, {call.result().extents.begin(), call.result().extents.end() - 2}};
  const layers::Index batch(index.begin(), index.end() - 2);
  const auto read = [&](const char* name, const Expr& i, const Expr& j) {
    const TensorType& type = call.operand(name).type;
    layers::Index from = layers::broadcast_index({type.element, {type.extents.begin(), type.extents.end() - 2}}, batch_type, batch);
    from.insert(from.end(), {i, j});
    return builder.read(builder.position_of(0, name), from);
  };
  std::vector<Var> columns_at = {column, k};
  columns_at.insert(columns_at.end(), at.begin() + 2, at.end());
  Func columns(builder.prefix() + "_columns");
  columns(columns_at) = read("b", k, column);
  const Halide::RDom r(0, depth, builder.prefix() + "_r");
  std::vector<Expr> from(columns_at.begin(), columns_at.end());
  from[1] = r.x;
  const Expr right = copies_columns ? columns(from) : read("b", r.x, column);
  Func sum(builder.prefix() + "_sum");
  sum(at) = 0.0F;
  sum(at) += read("a", row, r.x) * right;
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. Where there are few tiles of columns, the rows are cut into several tasks. */
  const Var column_outer("column_outer"), column_once("column_once"), column_inner("column_inner"), lane("lane"), vector("vector");
  const Var row_chunk("row_chunk"), row_in_chunk("row_in_chunk"), row_outer("row_outer"), row_inner("row_inner");
  const auto fits = [](std::int64_t extent, std::int64_t tile) {
    return extent % tile == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards;
  };
  const std::int64_t column_tiles = (product.columns + vectors * lanes - 1) / (vectors * lanes);
  const std::int64_t row_tiles = (product.rows + rows - 1) / rows;
  const std::int64_t chunks = std::clamp<std::int64_t>(8 / (column_tiles * product.batches), 1, std::max<std::int64_t>(1, row_tiles / 4));
  const std::int64_t chunk = std::min(product.rows, (row_tiles + chunks - 1) / chunks * rows);
  output.split(column, column_outer, column_inner, vectors * lanes, fits(product.columns, vectors * lanes))
      .split(column_inner, vector, lane, lanes)
      .split(column_outer, column_outer, column_once, 1)  // a place for the copy: tasks take the outer loops
      .split(row, row_chunk, row_in_chunk, static_cast<int>(chunk), fits(product.rows, chunk))
      .split(row_in_chunk, row_outer, row_inner, rows, fits(chunk, rows));
  std::vector<Halide::VarOrRVar> order = {lane, vector, row_inner, row_outer, column_once};
  std::vector<std::pair<Var, std::int64_t>> outer = {{column_outer, column_tiles}, {row_chunk, (product.rows + chunk - 1) / chunk}};
  for (std::size_t i = 2; i < at.size(); ++i) outer.emplace_back(at[i], builder.point().storage[i].extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(vector).unroll(row_inner);

  const Var sum_vector("sum_vector"), sum_lane("sum_lane");
  sum.compute_at(output, row_outer).store_in(Halide::MemoryType::Stack).bound_extent(column, vectors * lanes).bound_extent(row, rows);
  sum.split(column, sum_vector, sum_lane, lanes).vectorize(sum_lane).unroll(sum_vector).unroll(row);
  const RVar step("step"), steps("steps");
  sum.update()
      .split(r.x, steps, step, depth % 4 == 0 ? 4 : 1)
      .split(column, sum_vector, sum_lane, lanes)
      .reorder({sum_lane, sum_vector, row, step, steps})
      .vectorize(sum_lane)
      .unroll(sum_vector)
      .unroll(row)
      .unroll(step);
  const Var copy_vector("copy_vector"), copy_lane("copy_lane");
  if (copies_columns) {
    columns.compute_at(output, column_once).bound_extent(column, vectors * lanes);
    columns.split(column, copy_vector, copy_lane, lanes).vectorize(copy_lane).unroll(copy_vector);
  }
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
