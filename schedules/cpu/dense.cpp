/// \file
/// Dense layers: vectors of output units in accumulators while the input streams past; weights packed (lane, vector, input, tile), so that a
/// tile reads one contiguous stream. At batch 1 the layer is as fast as memory delivers its weights; more rows share each weight that was loaded.
#include <algorithm>

#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;

/// The logical dimension that is walked as rows: the last but one that has several, since a step of a sequence may have one row.
std::size_t row_dimension(const std::vector<std::int64_t>& extents) {
  std::size_t d = extents.size() - 2;
  while (d > 0 && extents[d] == 1) --d;
  return d;
}

}  // namespace

std::optional<Choice> choose_dense(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "dense" || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  const int bias = question.input_of("bias");

  Choice choice;
  choice.inputs = epilogue_wishes(question, {});
  const std::int64_t lanes = question.target.lanes(4);
  const std::int64_t units = weight.extents[0];
  const std::int64_t vectors = (units + lanes - 1) / lanes;
  const std::int64_t rows = x.rank() < 2 ? 1 : x.extents[row_dimension(x.extents)];
  const bool many_registers = question.target.vector_registers >= 32;
  const std::int64_t row_tile = best_tile(rows, many_registers ? 7 : 4);
  const std::int64_t most = row_tile == 1    ? 8
                            : many_registers ? std::max<std::int64_t>(1, 28 / row_tile)
                                             : std::max<std::int64_t>(1, 12 / row_tile);
  const std::int64_t tile = best_tile(vectors, std::min<std::int64_t>(8, most));
  ConvPacking packing;
  packing.lanes = lanes;
  packing.tile = tile;
  packing.filters = units;
  packing.channels = weight.extents[1];
  packing.input_lanes = packing.channels;
  choice.inputs[static_cast<std::size_t>(question.input_of("x"))].layout = {};
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = packed_conv_weights(packing);
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(units, lanes * tile);
  choice.parameters = {{"vectors", tile}, {"rows", row_tile}};
  return choice;
}

Func build_dense(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const auto& packed = builder.input_buffer(builder.position_of(0, "weight")).packed_extents;
  const auto lanes = static_cast<int>(packed[0]);
  const auto vectors = static_cast<int>(packed[1]);

  /* The algorithm: the sum over (lane, vector, tile, rows...), which the result reads by unit = (tile * vectors + vector) * lanes + lane. */
  const std::vector<Var>& at = builder.point().variables;
  const Var unit = at.front();
  const Var lane("lane");
  const Var vector("vector");
  const Var tile("tile");
  const Halide::RDom r(0, static_cast<int>(packed[2]), builder.prefix() + "_r");
  std::vector<Var> sum_at = {lane, vector, tile};
  sum_at.insert(sum_at.end(), at.begin() + 1, at.end());
  layers::Index operand_at = builder.point().index;
  operand_at.back() = r.x;
  Func sum(builder.prefix() + "_sum");
  sum(sum_at) = bias_at >= 0 ? builder.input(bias_at)((tile * vectors + vector) * lanes + lane) : Expr(0.0F);
  sum(sum_at) += weight(lane, vector, r.x, 0, tile) * builder.read(builder.position_of(0, "x"), operand_at);
  std::vector<Expr> read_at = {unit % lanes, unit / lanes % vectors, unit / (lanes * vectors)};
  read_at.insert(read_at.end(), at.begin() + 1, at.end());
  Func output = builder.make_output(builder.finish(sum(read_at)));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const Var unit_outer("unit_outer");
  const Var unit_inner("unit_inner");
  const Var unit_lane("unit_lane");
  const Var unit_vector("unit_vector");
  const bool exact = storage[0].extent % (lanes * vectors) == 0;
  output.split(unit, unit_outer, unit_inner, lanes * vectors, exact ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
  output.split(unit_inner, unit_vector, unit_lane, lanes).vectorize(unit_lane);
  std::vector<Halide::VarOrRVar> order = {unit_lane, unit_vector};
  std::vector<std::pair<Var, std::int64_t>> outer;
  const bool has_rows = at.size() > 1;
  const std::size_t row = has_rows ? at.size() - 1 - row_dimension(builder.output_buffer().type.extents) : 0;
  const Var row_outer("row_outer");
  const Var row_inner("row_inner");
  if (has_rows) {
    const auto rows = static_cast<int>(std::min(builder.parameter("rows"), storage[row].extent));
    output.split(at[row], row_outer, row_inner, rows, storage[row].extent % rows == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
    order.emplace_back(row_inner);
    order.emplace_back(row_outer);
  }
  const std::int64_t tiles = (storage[0].extent + lanes * vectors - 1) / (lanes * vectors);
  outer.emplace_back(unit_outer, tiles);
  for (std::size_t i = 1; i < at.size(); ++i) {
    if (i != row) outer.emplace_back(at[i], storage[i].extent);
  }
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order);

  sum.compute_at(output, has_rows ? row_outer : unit_outer)
      .store_in(Halide::MemoryType::Stack)
      .bound_extent(lane, lanes)
      .bound_extent(vector, vectors);
  sum.vectorize(lane).unroll(vector);
  const RVar chunk("chunk");
  const RVar step("step");
  const int unrolled = packed[2] % 4 == 0 ? 4 : 1;
  sum.update().split(r.x, chunk, step, unrolled);
  std::vector<Halide::VarOrRVar> inner = {lane, vector};
  if (has_rows) inner.emplace_back(at[row]);
  inner.emplace_back(step);
  inner.emplace_back(chunk);
  sum.update().reorder(inner).vectorize(lane).unroll(vector).unroll(step);
  if (has_rows) {
    sum.unroll(at[row]);
    sum.update().unroll(at[row]);
  }
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
