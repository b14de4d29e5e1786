/// \file
/// The schedule of every layer that no template takes, and of copies between layouts: the definition, vectorised along the innermost
/// dimension, accumulators in registers for a small tile, shared tables computed first, outer loops cut into tasks.
///
/// Layers that keep their channels apart (pools, elementwise) run on channel-blocked data as it comes; others ask for planar data.
#include <algorithm>

#include "schedules/cpu/cpu_templates.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Func;
using Halide::TailStrategy;
using Halide::Var;
using plan::Layout;
using Role = plan::StorageDimension::Role;

/// Has the anchor weights of its own? Their rows would be read for the pad lanes of the last block too.
bool reads_weights(const Question& question) {
  for (std::size_t i = 0; i < question.kernel.input_values.size(); ++i) {
    if (question.is_weight(i)) return true;
  }
  return false;
}

/// Are the cells that neighbours along the last axis interpolate between anywhere? Then lanes of channels read together what lanes of cells would gather.
bool gathers_cells(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "resize" || call.word("mode") == "nearest" || call.type(0).element != ElementType::f32) return false;
  return call.type(0).extents.back() != question.output_type().extents.back() && call.type(0).extents[1] >= question.target.lanes(4);
}

/// The layout in which the kernel runs: that of operand 0 if its channels stay apart, else planar.
Layout running_layout(const Question& question) {
  const layers::Call call = question.call();
  const layers::Traits& traits = call.layer().traits;
  if (!call.has(0) || question.output_type().rank() < 3 || call.type(0).rank() != question.output_type().rank()) return {};
  if (!traits.is_elementwise && !traits.keeps_channels) return {};
  if (call.type(0).extents[1] != question.output_type().extents[1]) return {};
  Layout layout = gathers_cells(question) ? blocked_layout(question.target) : question.layout_of(call.op().operands[0]);
  if (layout.family != Layout::Family::blocked) return {};
  if (!traits.is_elementwise && call.type(0).extents[1] % layout.block != 0 && reads_weights(question)) return {};
  layout.halo_begin.clear();
  layout.halo_end.clear();
  return layout;
}

/// Operations of the whole kernel, roughly: what the layer counts, else a few for each element.
double work_of(const KernelBuilder& builder) {
  const plan::Kernel& kernel = builder.kernel();
  const auto elements = static_cast<double>(builder.output_buffer().type.elements());
  if (kernel.ops.empty()) return elements * 4;
  const Op& op = builder.plan().graph.op(kernel.ops.front());
  const layers::Layer& layer = *layers::find_layer(op.kind);
  if (layer.multiply_adds != nullptr) return static_cast<double>(layer.multiply_adds({layer, builder.plan().graph, op}));
  return elements * 16;
}

/// Registers: the vectorised dimension and a few cells of the next ones.
struct Tile {
  Var anchor = Var::outermost();  ///< accumulators are computed inside this loop
  std::vector<int> unrolled;  ///< logical dimensions of which the tile has several cells
  std::vector<std::pair<Var, std::int64_t>> outer;  ///< remaining loops, innermost first
};

Tile tile_output(Func& output, KernelBuilder& builder, bool accumulates) {
  const auto& variables = builder.point().variables;
  const auto& storage = builder.point().storage;
  const int lanes = builder.target().lanes(static_cast<int>(bytes_of(builder.output_buffer().type.element)));
  Tile tile;
  const std::int64_t inner = storage.empty() ? 1 : storage[0].extent;
  std::vector<Halide::VarOrRVar> order;
  std::vector<std::pair<Var, std::int64_t>> outer;
  if (inner > lanes) {
    const Var chunk("chunk");
    const Var lane("vector_lane");
    output.split(variables[0], chunk, lane, lanes, inner % lanes == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
    output.vectorize(lane);
    order.push_back(lane);
    outer.emplace_back(chunk, (inner + lanes - 1) / lanes);
  } else if (inner > 1) {
    output.vectorize(variables[0]);
    order.push_back(variables[0]);
  } else if (!storage.empty()) {
    outer.emplace_back(variables[0], inner);
  }
  // Accumulators of a few more cells share the operand's loads: channels of a planar result, pixels of a blocked one.
  for (std::size_t i = 1; i < storage.size(); ++i) {
    const bool shares = storage[i].logical == (storage[0].role == Role::lane ? builder.output_buffer().type.rank() - 1 : 1);
    const std::int64_t cells = accumulates && shares ? best_tile(storage[i].extent, 4) : 1;
    if (cells > 1) {
      const Var next("tile_outer");
      const Var unrolled("tile_inner");
      output.split(variables[i], next, unrolled, static_cast<int>(cells),
                   storage[i].extent % cells == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
      output.unroll(unrolled);
      tile.unrolled.push_back(storage[i].logical);
      order.push_back(unrolled);
      outer.emplace_back(next, (storage[i].extent + cells - 1) / cells);
    } else {
      outer.emplace_back(variables[i], storage[i].extent);
    }
  }
  for (const auto& loop : outer) order.emplace_back(loop.first);
  if (order.size() > 1) output.reorder(order);
  if (!outer.empty()) {
    tile.anchor = outer.front().first;
    outer.erase(outer.begin());
  }
  tile.outer = std::move(outer);
  return tile;
}

/// Accumulators stay in registers: vector along the result's vector dimension, the other cells of the tile unrolled.
void place_accumulator(Func accumulator, Func& output, const Tile& tile, const KernelBuilder& builder) {
  const auto& storage = builder.point().storage;
  accumulator.compute_at(output, tile.anchor).store_in(Halide::MemoryType::Stack);
  if (storage[0].extent <= 1) return;
  const std::vector<Var> arguments = accumulator.args();
  const auto vector_at = arguments.size() - 1 - static_cast<std::size_t>(storage[0].logical);
  const int lanes = builder.target().lanes(static_cast<int>(bytes_of(builder.output_buffer().type.element)));
  const int width = static_cast<int>(std::min<std::int64_t>(storage[0].extent, lanes));
  const Var vector = arguments[vector_at];
  if (vector_at > 0) accumulator.reorder_storage(vector, arguments[0]);
  accumulator.vectorize(vector, width);
  std::vector<Var> cells;  // of the tile
  for (const int logical : tile.unrolled) cells.push_back(arguments[arguments.size() - 1 - static_cast<std::size_t>(logical)]);
  for (const Var& cell : cells) accumulator.unroll(cell);
  for (int i = 0; i < accumulator.num_update_definitions(); ++i) {
    std::vector<Halide::VarOrRVar> order = {vector};
    for (const Var& argument : arguments) {
      if (!argument.same_as(vector) && argument.name() != vector.name()) order.emplace_back(argument);
    }
    for (const Halide::RVar& reduction : accumulator.rvars(i)) order.emplace_back(reduction);
    Halide::Stage update = accumulator.update(i);
    update.reorder(order).vectorize(vector, width);
    for (const Var& cell : cells) update.unroll(cell);
  }
}

/// The extent that a definition stated for the argument of its table, or 0.
std::int64_t stated_extent(const Func& table, const Var& argument) {
  for (const Halide::Internal::Bound& bound : table.function().schedule().bounds()) {
    const auto extent = Halide::Internal::as_const_int(bound.extent);
    if (bound.var == argument.name() && extent) return *extent;
  }
  return 0;
}

/// Does every update write at its own place along the argument? Not along the axis of a running total.
bool keeps_place(const Func& table, std::size_t argument) {
  for (int i = 0; i < table.num_update_definitions(); ++i) {
    const auto* place = table.update_args(i)[argument].as<Halide::Internal::Variable>();
    if (place == nullptr || place->name != table.args()[argument].name()) return false;
  }
  return true;
}

/// A table runs in vectors along the innermost of its dimensions that is wide enough and that its updates keep apart; what is reduced, or runs
/// on, runs inside of that. Not where the lanes of a vector would be scattered over cache lines (a running total along the last axis).
void place_table(Func table, int lanes) {
  table.compute_root();
  const std::vector<Var> arguments = table.args();
  std::size_t widest = 0;
  std::int64_t stride = 1;
  while (widest < arguments.size() && !(stated_extent(table, arguments[widest]) >= lanes && keeps_place(table, widest))) {
    stride *= std::max<std::int64_t>(1, stated_extent(table, arguments[widest++]));
  }
  if (widest == arguments.size() || stride > 16) return;
  const Var& vector = arguments[widest];
  table.vectorize(vector, lanes, TailStrategy::GuardWithIf);
  for (int i = 0; i < table.num_update_definitions(); ++i) {
    const Var chunk("table_chunk"), lane("table_lane");
    Halide::Stage update = table.update(i);
    update.split(vector, chunk, lane, lanes, TailStrategy::GuardWithIf);
    std::vector<Halide::VarOrRVar> order = {lane};
    for (const Halide::RVar& reduction : table.rvars(i)) order.emplace_back(reduction);
    order.emplace_back(chunk);
    update.reorder(order).vectorize(lane);
  }
}

}  // namespace

std::optional<Choice> choose_generic(const Question& question) {
  Choice choice;
  choice.output = running_layout(question);
  choice.inputs = epilogue_wishes(question, choice.output);
  const layers::Call call = question.call();
  for (std::size_t i = 0; i < choice.inputs.size(); ++i) {
    if (question.is_weight(i)) continue;
    const bool own =
        std::find(call.op().operands.begin(), call.op().operands.end(), question.kernel.input_values[i]) != call.op().operands.end();
    const bool first = call.has(0) && call.op().operands[0] == question.kernel.input_values[i];
    if (first) {
      choice.inputs[i].layout = choice.output;
    } else if (own && !call.layer().traits.is_elementwise) {
      choice.inputs[i].layout = {};
    }
  }
  return choice;
}

Halide::Func build_generic(KernelBuilder& builder) {
  /* The algorithm. */
  const bool is_copy = builder.kernel().ops.empty();
  const Halide::Expr anchor = is_copy ? builder.read(0, builder.point().index) : builder.evaluate(0, {});
  Func output = builder.make_output(builder.finish(anchor));

  /* The schedule. */
  layers::Stages& stages = builder.stages();
  const Tile tile = tile_output(output, builder, !stages.accumulators.empty());
  if (!builder.point().variables.empty()) {
    for (const Func& accumulator : stages.accumulators) place_accumulator(accumulator, output, tile, builder);
    make_tasks(output, tile.outer, work_of(builder));
  } else {
    for (Func accumulator : stages.accumulators) accumulator.compute_root();
  }
  const int lanes = builder.target().lanes(static_cast<int>(bytes_of(builder.output_buffer().type.element)));
  for (const Func& table : stages.shared) place_table(table, lanes);
  return output;
}

}  // namespace calotype::schedules::cpu
