/// \file
/// Depthwise convolution and the 1x1 convolution after it as one kernel, and before them the 1x1 convolution that widens (together the inverted
/// residual of MobileNetV2) or the network's first convolution: row by row, so that what lies between them never leaves the second cache.
///
///   for each band of rows, one task:
///     for each row of the result:
///       wide:   the rows of the first convolution that the window needs and that the row before did not make
///       taps:   one row of the depthwise convolution, all channels
///       result: one row of the last 1x1 convolution
///
/// Neighbouring bands make the rows that both need twice; so bands are large.
///
/// Pays where a value between the convolutions outgrows the second cache. Measured on Zen 4, us alone > merged, one thread / two threads:
///   first 3x3 3>32, depthwise, 32>16 @112           440 > 404 / 211 > 198
///   16>96, depthwise stride 2, 96>24 @112           626 > 576 / 340 > 293
///   24>144, depthwise, 144>24 @56                   480 > 469 / 276 > 240
///   24>144, depthwise stride 2, 144>32 @56          287 > 299 / 212 > 152
///   depthwise, 144>24 @56                           278 > 277 / 148 > 148, and 497 > 357 where others used the third cache
/// With other maps (28x28 and below) there is nothing to save: arithmetic alone takes over 90% of their time.
#include <fmt/format.h>

#include <algorithm>

#include "schedules/cost.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/depthwise.h"
#include "schedules/cpu/pointwise.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using layers::Window;

layers::Call call_of(const plan::Plan& plan, OpId op) {
  return {*layers::find_layer(plan.graph.op(op).kind), plan.graph, plan.graph.op(op)};
}

/// An f32 convolution of planes with weights that are known.
bool is_convolution(const layers::Call& call) {
  if (call.op().kind != "conv" && call.op().kind != "depthwise") return false;
  const TensorType& x = call.type(0);
  if (x.element != ElementType::f32 || x.rank() != 4 || x.elements() == 0 || !call.operand("weight").data) return false;
  return !call.has("bias") || call.operand("bias").data.has_value();
}

bool is_pointwise(const layers::Call& call) {
  return is_convolution(call) && call.op().kind == "conv" && call.integer("groups") == 1 && is_matrix_product(window_of_convolution(call));
}

/// A first convolution on the caller's few planes.
bool is_stem(const plan::Plan& plan, const layers::Call& call, const plan::Target& target) {
  if (!is_convolution(call) || call.op().kind != "conv" || call.integer("groups") != 1) return false;
  const auto& inputs = plan.graph.inputs;
  const ValueId x = call.op().operands[0];
  const bool planar = std::any_of(inputs.begin(), inputs.end(),
                                  [&](const GraphInput& input) { return input.value == x && !input.declaration.channels_last; });
  const Window window = window_of_convolution(call);
  for (std::size_t d = 0; d < 2; ++d) {
    if (window.begin[d] < 0 || window.end[d] < 0 || window.kernel[d] > 7) return false;
  }
  return planar && call.type(0).extents[1] < target.lanes(4);
}

/// Does the kernel end in ops that read nothing but what was made before?
bool epilogue_reads_nothing(const plan::Plan& plan, const plan::Kernel& kernel) {
  for (std::size_t i = 1; i < kernel.ops.size(); ++i) {
    const auto& operands = plan.graph.op(kernel.ops[i]).operands;
    if (std::count_if(operands.begin(), operands.end(), [](ValueId value) { return value != no_value; }) != 1) return false;
  }
  return true;
}

/// Is `value` read by the kernel's anchor as its first operand and by nothing else of it?
bool only_anchor_reads(const plan::Plan& plan, const plan::Kernel& kernel, ValueId value) {
  if (plan.graph.op(kernel.ops.front()).operands[0] != value) return false;
  std::ptrdiff_t count = 0;
  for (const OpId op : kernel.ops) {
    const auto& operands = plan.graph.op(op).operands;
    count += std::count(operands.begin(), operands.end(), value);
  }
  return count == 1;
}

/// Bytes of a value in channel blocks.
std::int64_t blocked_bytes(const TensorType& type, const plan::Target& target) {
  return type.bytes() / type.extents[1] * rounded_up(type.extents[1], target.lanes(4));
}

/// The share of the first convolution's rows that are made twice if the result's rows are cut into that many bands.
double made_twice(const Window& window, std::int64_t rows, std::int64_t bands) {
  return static_cast<double>(bands - 1) * static_cast<double>(std::max<std::int64_t>(0, window.span(0) - window.stride[0])) /
         static_cast<double>(rows * window.stride[0]);
}

constexpr double most_made_twice = 0.06;

/// Rows of the first convolution that are kept: Halide folds to a power of two.
int ring_of(const Window& window) {
  int ring = 1;
  while (ring < window.span(0)) ring *= 2;
  return ring;
}

/// Bands of the result's rows, tasks of equal size: several, for threads to share, as long as little is made twice.
std::int64_t count_bands(const Window& window, std::int64_t rows, bool has_first) {
  std::int64_t best = 1;
  for (std::int64_t bands = 2; bands <= std::max<std::int64_t>(4, rows / 28); ++bands) {
    if (rows % bands == 0 && (!has_first || made_twice(window, rows, bands) <= most_made_twice)) best = bands;
  }
  return best;
}

}  // namespace

bool merges_inverted_residual(const plan::Plan& plan, const plan::Target& target, const Chain& chain, bool whatever_it_costs) {
  for (std::size_t i = 0; i + 1 < chain.size(); ++i) {
    if (!epilogue_reads_nothing(plan, *chain[i]) || !only_anchor_reads(plan, *chain[i + 1], chain[i]->output_value)) return false;
  }
  const layers::Call first = call_of(plan, chain.front()->ops.front());
  const layers::Call taps = call_of(plan, chain[chain.size() - 2]->ops.front());
  const layers::Call last = call_of(plan, chain.back()->ops.front());
  if (!is_convolution(taps) || !is_depthwise(taps) || !is_pointwise(last)) return false;
  const Window window = window_of_convolution(taps);
  if (window.kernel[0] > 7 || window.kernel[1] > 7) return false;
  const bool has_first = chain.size() == 3, stem = has_first && is_stem(plan, first, target);
  if (has_first && !stem && !(is_pointwise(first) && first.type(0).extents[1] >= target.lanes(4))) return false;
  if (whatever_it_costs) return true;

  // What the first cache holds beside a row, and what a value must be too large for. A widened one is written and read at the speed of the
  // second cache even in a merged kernel.
  const MachineFacts facts = facts_of(target);
  const std::int64_t weights = last.operand("weight").type.bytes() + (has_first ? first.operand("weight").type.bytes() : 0);
  const std::int64_t between = blocked_bytes(has_first ? taps.type(0) : last.type(0), target);
  const double times = has_first && !stem ? 1.5 : 1.0;
  if (has_first && made_twice(window, window.output[0], 2) > most_made_twice) return false;
  const std::int64_t row_of_taps = blocked_bytes(last.type(0), target) / last.type(0).extents[2];
  const std::int64_t wide_rows = has_first ? blocked_bytes(taps.type(0), target) / taps.type(0).extents[2] * ring_of(window) : 0;
  if (wide_rows + row_of_taps > facts.l2_bytes) return false;
  return weights * 8 <= facts.l2_bytes && static_cast<double>(between) > times * static_cast<double>(facts.l2_bytes);
}

namespace {

/// What the stages of a merged kernel are.
struct Stages {
  bool has_first = false;
  std::size_t first = 0, taps = 0, last = 0;  ///< their anchors' positions among the kernel's ops
};

Stages stages_of(const plan::Kernel& kernel) {
  Stages stages;
  stages.has_first = kernel.anchors.size() == 3;
  stages.taps = kernel.anchors[stages.has_first ? 1 : 0];
  stages.last = kernel.anchors.back();
  return stages;
}

/// The wish for the operand of an anchor.
Wish& wish_for(const Question& question, Choice& choice, const layers::Call& call, const char* operand) {
  const auto names = layers::operands_of(call.layer());
  const auto name = std::find_if(names.begin(), names.end(), [&](const layers::Operand& each) { return each.name == operand; });
  const ValueId value = call.op().operands[static_cast<std::size_t>(name - names.begin())];
  const auto& values = question.kernel.input_values;
  return choice.inputs[static_cast<std::size_t>(std::find(values.begin(), values.end(), value) - values.begin())];
}

void wish_for_bias(const Question& question, Choice& choice, const layers::Call& call) {
  if (call.has("bias"))
    wish_for(question, choice, call, "bias") = padded_vector(call.operand("weight").type.extents[0], choice.output.block);
}

/// Parameters of a tile under names that begin so.
void put_tile(Choice& choice, const std::string& name, const PointwiseTile& tile) {
  choice.parameters[name + "channels"] = tile.channels;
  choice.parameters[name + "pixels"] = tile.pixels;
  choice.parameters[name + "parts"] = tile.parts;
}

PointwiseTile get_tile(const KernelBuilder& builder, const std::string& name) {
  PointwiseTile tile;
  tile.channels = builder.parameter((name + "channels").c_str());
  tile.pixels = builder.parameter((name + "pixels").c_str());
  tile.parts = builder.parameter((name + "parts").c_str());
  return tile;
}

/// The weights' wish and the tile of a 1x1 convolution over rows of `width` cells.
void choose_pointwise(const Question& question, Choice& choice, const layers::Call& call, std::int64_t width, const std::string& name) {
  const auto& extents = call.operand("weight").type.extents;
  const PointwiseTile tile = choose_pointwise_tile(extents[0], width, width, question.target);
  wish_for(question, choice, call, "weight") = packed_pointwise_weights(extents[0], extents[1], choice.output.block, tile);
  wish_for_bias(question, choice, call);
  put_tile(choice, name, tile);
}

/// The same for a first convolution on planes.
void choose_stem(const Question& question, Choice& choice, const layers::Call& call, std::int64_t width) {
  const auto& extents = call.operand("weight").type.extents;
  const std::int64_t lanes = choice.output.block;
  const RegisterTile tile = choose_register_tile((extents[0] + lanes - 1) / lanes, width, question.target);
  ConvPacking packing;
  packing.lanes = lanes;
  packing.tile = tile.channels;
  packing.filters = extents[0];
  packing.channels = extents[1];
  packing.input_lanes = extents[1];
  packing.kernel = {extents.begin() + 2, extents.end()};
  wish_for(question, choice, call, "weight") = packed_conv_weights(packing);
  wish_for_bias(question, choice, call);
  put_tile(choice, "first_", {tile.channels, tile.pixels, 1});
}

}  // namespace

std::optional<Choice> choose_inverted_residual(const Question& question) {
  const Stages stages = stages_of(question.kernel);
  const auto call_at = [&](std::size_t op) { return call_of(question.plan, question.kernel.ops[op]); };
  const layers::Call taps = call_at(stages.taps), last = call_at(stages.last);
  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  const layers::Call front = call_at(0);
  const bool stem = stages.has_first && front.type(0).extents[1] < choice.output.block;
  Wish& operand = wish_for(question, choice, front, "x");
  operand.layout = stem ? plan::Layout{} : choice.output;
  operand.any_halo = !stem;

  const std::int64_t wide = taps.type(0).extents[3];
  const std::int64_t width = question.output_type().extents[3];
  if (stages.has_first && stem) choose_stem(question, choice, front, wide);
  if (stages.has_first && !stem) choose_pointwise(question, choice, front, wide, "first_");
  const auto& kernel = taps.operand("weight").type.extents;
  wish_for(question, choice, taps, "weight") = packed_depthwise_weights(kernel[0], choice.output.block, {kernel.begin() + 2, kernel.end()});
  wish_for_bias(question, choice, taps);
  choose_pointwise(question, choice, last, width, "");
  choice.parameters["taps_pixels"] = depthwise_pixels(width, question.target);
  const std::int64_t rows = question.output_type().extents[2];
  choice.parameters["rows"] = rows / count_bands(window_of_convolution(taps), rows, stages.has_first);
  return choice;
}

namespace {

/// The memory of the result of the kernel's op number `op`, in channel blocks.
std::vector<plan::StorageDimension> storage_at(const KernelBuilder& builder, std::size_t op) {
  const Op& node = builder.plan().graph.op(builder.kernel().ops[op]);
  return plan::storage_of(builder.plan().graph.value(node.results.front()).type,
                          builder.output_buffer().layout.has_halo() ? blocked_layout(builder.target()) : builder.output_buffer().layout);
}

/// What a stage makes of its anchor's sum: the ops up to the next anchor, and zero in the lanes of channels that there are not.
Func stage(KernelBuilder& builder, const std::string& name, Expr value, std::size_t anchor, std::size_t next) {
  for (std::size_t op = anchor + 1; op < next; ++op) value = builder.evaluate(static_cast<int>(op), value);
  const Op& node = builder.plan().graph.op(builder.kernel().ops[anchor]);
  const auto channels = static_cast<int>(builder.plan().graph.value(node.results.front()).type.extents[1]);
  if (channels % builder.point().lanes != 0) value = Halide::select(builder.point().channel < channels, value, 0.0F);
  Func made(fmt::format("{}_{}", builder.prefix(), name));
  made(builder.point().variables) = value;
  return made;
}

/// A first convolution on planes: its sums, and their schedule inside of the loop over tiles of `wide`.
struct Stem {
  Func sum;
  Halide::RDom r;  ///< channel, kernel x, y
};

Stem stem_sums(KernelBuilder& builder, const PointwiseTile& tile) {
  const layers::Call call = call_of(builder.plan(), builder.kernel().ops.front());
  const Window window = window_of_convolution(call);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const std::vector<Var>& at = builder.point().variables;
  const auto extent = [&](std::size_t d) { return static_cast<int>(call.type(0).extents[d]); };
  const auto cells = [&](std::size_t d) { return static_cast<int>(window.kernel[d]); };
  Stem stem;
  stem.r = Halide::RDom(0, extent(1), 0, cells(1), 0, cells(0), builder.prefix() + "_stem");
  const auto cell = [&](std::size_t d, const Var& result, const Halide::RVar& k) {
    return result * static_cast<int>(window.stride[d]) + k * static_cast<int>(window.dilation[d]) - static_cast<int>(window.begin[d]);
  };
  const Expr column = cell(1, at[1], stem.r[1]), row = cell(0, at[2], stem.r[2]);
  if (window.leaves_operand(0)) stem.r.where(row >= 0 && row < extent(2));
  const bool edges = window.leaves_operand(1);
  const Expr value = x(edges ? Halide::clamp(column, 0, extent(3) - 1) : column,
                       window.leaves_operand(0) ? Halide::clamp(row, 0, extent(2) - 1) : row, stem.r[0], at.back());
  const Expr block = at[3];
  const auto channels = static_cast<int>(tile.channels);
  stem.sum = Func(builder.prefix() + "_stem_sum");
  stem.sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * builder.point().lanes + at[0]) : Expr(0.0F);
  stem.sum(at) += weight(at[0], block % channels, stem.r[0], stem.r[1], stem.r[2], 0, block / channels) *
                  (edges ? edge_column(column >= 0 && column < extent(3), value) : value);
  return stem;
}

void schedule_stem(Stem& stem, Func& wide, const KernelBuilder& builder, const Var& pixel_outer) {
  const std::vector<Var>& at = builder.point().variables;
  stem.sum.compute_at(wide, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(at[0]).unroll(at[1]).unroll(at[3]);
  stem.sum.update()
      .reorder(at[0], at[3], at[1], stem.r[0], stem.r[1], stem.r[2])
      .vectorize(at[0])
      .unroll(at[3])
      .unroll(at[1])
      .unroll(stem.r[0])
      .unroll(stem.r[1]);
}

/// Makes rows of the first convolution as the bands' loops need them; a ring of rows is kept.
void schedule_wide(Func& wide, Func& output, const KernelBuilder& builder, const std::vector<plan::StorageDimension>& storage,
                   const PointwiseTile& tile, int ring, const Var& task, const Var& row, Var& pixel_outer) {
  const std::vector<Var>& at = builder.point().variables;
  const auto loops = tile_pointwise(wide, builder, storage, tile);
  pixel_outer = loops[0].first;
  wide.reorder(loops[0].first, loops[2].first, loops[1].first, loops[3].first);
  wide.store_at(output, task).compute_at(output, row).fold_storage(at[2], ring);
  wide.bound(at[0], 0, builder.point().lanes).bound(at[1], 0, static_cast<int>(storage[1].extent));
  wide.bound(at[3], 0, static_cast<int>(storage[3].extent));
}

}  // namespace

Func build_inverted_residual(KernelBuilder& builder) {
  const plan::Kernel& kernel = builder.kernel();
  const Stages stages = stages_of(kernel);
  const std::vector<Var>& at = builder.point().variables;
  const std::vector<Expr> here(at.begin(), at.end());
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const bool has_stem = stages.has_first && builder.input_buffer(builder.position_of(0, "x")).layout.family == plan::Layout::Family::planar;

  /* The algorithm. */
  const auto operand_of = [&](const auto& source) {
    return [&at, source](const Expr& lane, const Expr& block) { return Expr(source({lane, at[1], at[2], block, at[4]})); };
  };
  Func wide;
  Pointwise first;
  Stem stem;
  const PointwiseTile first_tile = stages.has_first ? get_tile(builder, "first_") : PointwiseTile{};
  if (has_stem) {
    stem = stem_sums(builder, first_tile);
    wide = stage(builder, "wide", stem.sum(here), 0, stages.taps);
  } else if (stages.has_first) {
    first = pointwise_sums(builder, 0, first_tile, operand_of([&x](const std::vector<Expr>& cell) { return x(cell); }));
    wide = stage(builder, "wide", first.value, 0, stages.taps);
  }
  DepthwiseSums taps = depthwise_sums(builder, stages.taps,
                                      [&](const std::vector<Expr>& cell) { return stages.has_first ? Expr(wide(cell)) : Expr(x(cell)); });
  Func row_of_taps = stage(builder, "row", taps.sum(here), stages.taps, stages.last);
  const PointwiseTile tile = get_tile(builder, "");
  Pointwise sums = pointwise_sums(builder, stages.last, tile, operand_of([&](const std::vector<Expr>& cell) { return row_of_taps(cell); }));
  Func output = builder.make_output(builder.finish(sums.value));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto loops = tile_pointwise(output, builder, storage, tile);  // tiles of cells, rows, tiles of channels, batch
  schedule_pointwise(sums, output, builder, loops[0].first);
  const Var band("band"), row("row"), task("task");
  const auto rows = static_cast<int>(std::min(builder.parameter("rows"), storage[2].extent));
  output.split(at[2], band, row, rows, storage[2].extent % rows == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf);
  output.reorder(loops[0].first, loops[2].first, row, band, at[4]).fuse(band, at[4], task).parallel(task);

  const std::vector<plan::StorageDimension> taps_storage = storage_at(builder, stages.taps);
  const Var pixel_outer("taps_outer"), pixel_inner("taps_inner");
  const auto pixels = static_cast<int>(std::min(builder.parameter("taps_pixels"), taps_storage[1].extent));
  row_of_taps.compute_at(output, row)
      .split(at[1], pixel_outer, pixel_inner, pixels,
             taps_storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards)
      .reorder(at[0], pixel_inner, pixel_outer, at[3], at[2], at[4])
      .vectorize(at[0])
      .unroll(pixel_inner)
      .bound(at[0], 0, builder.point().lanes)
      .bound(at[1], 0, static_cast<int>(taps_storage[1].extent))
      .bound(at[3], 0, static_cast<int>(taps_storage[3].extent));
  schedule_depthwise(taps, row_of_taps, builder, pixel_outer);
  if (!stages.has_first) return output;
  Var wide_outer;
  schedule_wide(wide, output, builder, storage_at(builder, 0), first_tile, ring_of(taps.window), task, row, wide_outer);
  if (has_stem) {
    schedule_stem(stem, wide, builder, wide_outer);
  } else {
    schedule_pointwise(first, wide, builder, wide_outer);
  }
  return output;
}

}  // namespace calotype::schedules::cpu
