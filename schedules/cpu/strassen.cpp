/// \file
/// Convolution by one level of Strassen's algorithm, in Winograd's form with 15 additions: output channels, input channels and output cells
/// are each cut in half, and the four quarters of the result are made from seven products of quarters in place of eight. A convolution is
/// linear in both of its operands, so the same holds for kernels larger than 1x1: halves of the cells are halves of the rows.
///
///   U1 = A11 B11              T1 = B12 - B11     with A the weights (rows: output channels), B the operand (columns: cells).
///   U2 = U1 + S2 T2           T2 = B22 - T1      The sums S of weights are made when the network is compiled,
///   U3 = U2 + S3 T3           T3 = B22 - B12     the sums T of operands once for each strip of cells,
///   U5 = S1 T1                T4 = T2 - B21      and those of products where a product begins: with what was made before.
///   C11 = U1 + A12 B21, C12 = U2 + U5 + S4 B22, C21 = U3 - A22 T4, C22 = U3 + U5
///
/// Cells are done strip by strip, so that T stays in the second cache, and there one tile of output channels after the other: the products
/// of a tile lie in small arrays. Kept in registers from one product to the next they would be spilled inside of the sums: 10% slower than
/// no Strassen at all where the stack happened to lie badly. While one product is summed, the next one's weights are fetched.
///
/// A reformulation: results differ from the direct sum by 1e-6 to 3e-6 of the largest, twice the direct sum's own error (tests/schedules/strassen_test.cpp).
///
/// Measured on Zen 4 (FMA peak 118 GF/s), GF/s counted in direct operations, direct 117: 512>512@14 and 1024>256@14 130, 256>256@28 128,
/// 512>128@28 126, 128>128@56 121. What is lost of the eighth is 5.5 * (1 / output channels + 1 / input channels). At 7x7 the weights, which
/// grow by 3/4, come from memory too slowly for any gain.
#include <algorithm>

#include "layers/window.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/packing.h"
#include "schedules/cpu/stream_ahead.h"

namespace calotype::schedules::cpu {
namespace {

using Halide::Expr;
using Halide::Func;
using Halide::RVar;
using Halide::TailStrategy;
using Halide::Var;
using layers::Window;

/// How cells are cut: along one dimension, in strips of two halves. The second half starts `offset` cells after the first; where an only
/// strip has an odd number of cells, the halves share the middle one.
struct Strips {
  std::int64_t half = 0, offset = 0, count = 0;

  /// Then both write the middle cell, with different roundings: one task must do it in its own order.
  bool halves_overlap() const { return offset != half; }
};

constexpr std::int64_t strips_that_are_tasks = 8;  ///< so many share out well; each then makes its own sums of operands

/// Strips along a dimension of `length`, where each cell stands for `across` cells of the other dimensions: enough strips to be tasks, or else
/// long ones.
Strips cut(std::int64_t length, std::int64_t across) {
  constexpr std::int64_t least_cells = 48, most_cells = 200;  // in a half: seven products of a tile then take about 100 KB
  Strips longest;
  for (std::int64_t half = std::max<std::int64_t>(1, most_cells / across); half >= 1 && half * across >= least_cells; --half) {
    if (length % (2 * half) != 0) continue;
    const Strips strips = {half, half, length / (2 * half)};
    if (strips.count >= strips_that_are_tasks) return strips;
    if (longest.count == 0) longest = strips;
  }
  if (longest.count != 0) return longest;
  const std::int64_t half = (length + 1) / 2;
  return {half, length - half, 1};
}

/// The share of the direct sum's time that is saved, less a twenty-fifth that would not be worth the memory; not positive where it does not pay.
double gain(const TensorType& weight, const Window& window) {
  const auto filters = static_cast<double>(weight.extents[0]);
  const auto channels = static_cast<double>(weight.extents[1]);
  // Halves of the rows where a buffer has a halo, which is not known yet: few odd rows would overlap too much.
  const std::int64_t rows = window.output.front();
  if (rows * window.output.back() < 128 || (rows % 2 != 0 && rows < 13)) return 0;
  return 1.0 / 8 - 5.5 * (1 / filters + 1 / channels) - 1.0 / 25;
}

/// f32 1x1 convolutions whose channels fill whole blocks and tiles in all quarters.
bool matches(const Question& question) {
  const layers::Call call = question.call();
  if (question.exact || call.op().kind != "conv" || call.integer("groups") != 1 || !has_constant_f32_weights(question)) return false;
  const TensorType& weight = call.operand("weight").type;
  const std::int64_t lanes = question.target.lanes(4);
  if (call.type(0).rank() != 4 || weight.extents[0] % (4 * lanes) != 0 || weight.extents[1] % (2 * lanes) != 0) return false;
  return is_matrix_product(window_of_convolution(call));
}

constexpr std::int64_t seven_products = -7;  ///< the variant's id

}  // namespace

std::vector<Variant> strassen_variants(const Question& question) {
  if (!matches(question)) return {};
  const layers::Call call = question.call();
  const TensorType& weight = call.operand("weight").type;
  const double direct = static_cast<double>(call.layer().multiply_adds(call)) / question.target.lanes(4);
  return {{seven_products, direct * gain(weight, window_of_convolution(call)), weight.bytes() / 4 * 3}};
}

std::optional<Choice> choose_strassen(const Question& question) {
  if (question.variant != seven_products || !matches(question)) return std::nullopt;
  const layers::Call call = question.call();
  const TensorType& weight = call.operand("weight").type;
  const Window window = window_of_convolution(call);
  const std::int64_t lanes = question.target.lanes(4);

  Choice choice;
  choice.output = blocked_layout(question.target);
  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = choice.output;
  operand.any_halo = true;
  const Strips strips = cut(window.output[0] * window.output[1], 1);
  const std::int64_t half_blocks = weight.extents[0] / lanes / 2;
  // Halves that share a cell are not cut into tasks: two tiles of channels at least, then.
  const bool two_tiles = strips.halves_overlap() && half_blocks % 2 == 0;
  const RegisterTile tile = choose_register_tile(two_tiles ? half_blocks / 2 : half_blocks, strips.half, question.target);
  choice.parameters = {{"channels", tile.channels}, {flat_parameter, 1}};
  ConvPacking packing;
  packing.lanes = lanes;
  packing.tile = tile.channels;
  packing.filters = weight.extents[0];
  packing.channels = weight.extents[1];
  packing.input_lanes = lanes;
  packing.kernel = {weight.extents.begin() + 2, weight.extents.end()};
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] = packed_strassen_weights(packing);
  if (const int bias = question.input_of("bias"); bias >= 0) {
    choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  }
  return choice;
}

namespace {

/// The variables of the loops over one result: a cell is (x, y) within its half of a strip, a channel block within its half.
struct Place {
  Var lane{"lane"}, x{"half_x"}, y{"half_y"}, right{"right"}, strip{"strip"}, block{"half_block"}, lower{"lower"}, n{"batch"};
};

/// What the build functions share.
struct Shape {
  Strips strips;
  int cut_at = 1;  ///< the dimension of memory that is cut: 1 (x) or 2 (y)
  int half_blocks = 0;  ///< blocks in half of the output channels
  int half_input = 0;  ///< blocks in half of the input channels
  int tile = 1, pixels = 1;
};

int number(std::int64_t value) { return static_cast<int>(value); }

Shape shape_of(const KernelBuilder& builder) {
  const auto& storage = builder.point().storage;
  const auto& packed = builder.input_buffer(builder.position_of(0, "weight")).packed_extents;
  Shape shape;
  shape.cut_at = storage[2].extent > 1 ? 2 : 1;
  shape.strips = shape.cut_at == 2 ? cut(storage[2].extent, storage[1].extent) : cut(storage[1].extent, 1);
  shape.tile = number(packed[1]);
  shape.half_blocks = number(storage[3].extent / 2);
  shape.half_input = number(packed[packed.size() - 3]);
  const std::int64_t width = shape.cut_at == 1 ? shape.strips.half : storage[1].extent;
  shape.pixels = number(choose_pixels(shape.tile, width, builder.target()));
  return shape;
}

/// How much of a half of `cells` cells, along the dimension that is cut, makes a task together with one of `tiles` tiles of channels. Parts much
/// shorter than a few register tiles would fetch weights faster than the second cache gives them.
std::int64_t cells_of_part(const Shape& shape, std::int64_t tiles, std::int64_t cells, double work) {
  if (shape.strips.halves_overlap()) return shape.strips.half;
  constexpr std::int64_t least_cells = 24;
  const std::int64_t parts = parts_for_tasks(tiles, std::max<std::int64_t>(1, cells / least_cells), work, 0.04);
  return (shape.strips.half - 1) / parts + 1;
}

/// The cell of the result's memory dimension `dimension` (1: x, 2: y).
Expr cell_of(const Shape& shape, const Place& at, int dimension, const Expr& within, const Expr& right) {
  if (dimension != shape.cut_at) return within;
  return within + right * number(shape.strips.offset) + at.strip * number(2 * shape.strips.half);
}

/// One of the seven products with what it is added to, made in arrays; `number` tells its place among the weights.
struct Product {
  Func sum, array;
};

Product product(const std::string& name, const Expr& before, const Expr& weight, const Expr& operand, const Place& at) {
  Product made{Func(name + "_sum"), Func(name)};
  const std::vector<Var> arguments = {at.lane, at.x, at.y, at.block, at.strip, at.n};
  made.sum(arguments) = before;
  made.sum(arguments) += weight * operand;
  made.array(arguments) = made.sum(std::vector<Expr>(arguments.begin(), arguments.end()));
  return made;
}

void schedule(Product& made, Func& output, const Var& tile_loop, const Place& at, const Shape& shape, const Halide::RDom& r) {
  const Var outer("pixel_outer"), inner("pixel_inner");
  const RVar chunk("chunk"), step("step");
  made.array.compute_at(output, tile_loop)
      .split(at.x, outer, inner, shape.pixels, TailStrategy::ShiftInwards)
      .reorder(at.lane, inner, at.block, outer, at.y)
      .vectorize(at.lane)
      .unroll(inner)
      .unroll(at.block);
  made.sum.compute_at(made.array, outer).store_in(Halide::MemoryType::Stack).vectorize(at.lane).unroll(at.x).unroll(at.block);
  made.sum.update()
      .split(r[0], chunk, step, 4)
      .reorder(at.lane, at.block, at.x, step, chunk, r[1])
      .vectorize(at.lane)
      .unroll(at.block)
      .unroll(at.x)
      .unroll(step);
}

}  // namespace

Func build_strassen(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const auto& storage = builder.point().storage;
  const std::vector<Var>& point = builder.point().variables;
  Shape shape = shape_of(builder);
  const int lanes = builder.point().lanes;
  const Place at;

  /* The algorithm. `operand(right, lower)` is B with its columns' and rows' half. */
  const Var input_block("input_block");
  const auto operand = [&](int right, int lower, const Expr& lane, const Expr& block) {
    return x(lane, cell_of(shape, at, 1, at.x, right), cell_of(shape, at, 2, at.y, right), block + lower * shape.half_input, at.n);
  };
  Func sums(builder.prefix() + "_operands");
  const Expr t1 = operand(1, 0, at.lane, input_block) - operand(0, 0, at.lane, input_block);
  const Expr t2 = operand(1, 1, at.lane, input_block) - t1;
  const Expr t3 = operand(1, 1, at.lane, input_block) - operand(1, 0, at.lane, input_block);
  const Expr t4 = t2 - operand(0, 1, at.lane, input_block);
  sums(at.lane, at.x, at.y, input_block, at.strip, at.n) = Halide::Tuple(t1, t2, t3, t4);

  const Halide::RDom r(0, lanes, 0, shape.half_input, builder.prefix() + "_r");
  const auto from = [&](int right, int lower) { return operand(right, lower, r[0], r[1]); };
  const auto sum = [&](int number) { return Expr(sums(r[0], at.x, at.y, r[1], at.strip, at.n)[number]); };
  const auto weights = [&](int product) {
    return weight(at.lane, at.block % shape.tile, r[0], 0, 0, r[1], product, at.block / shape.tile);
  };
  const auto value = [&](const Product& made) { return made.array(at.lane, at.x, at.y, at.block, at.strip, at.n); };
  const std::string& prefix = builder.prefix();
  Product u1 = product(prefix + "_u1", 0.0F, weights(0), from(0, 0), at);
  Product c11 = product(prefix + "_c11", value(u1), weights(1), from(0, 1), at);
  Product u2 = product(prefix + "_u2", value(u1), weights(2), sum(1), at);
  Product u5 = product(prefix + "_u5", 0.0F, weights(3), sum(0), at);
  Product c12 = product(prefix + "_c12", value(u2) + value(u5), weights(4), from(1, 1), at);
  Product u3 = product(prefix + "_u3", value(u2), weights(5), sum(2), at);
  Product c21 = product(prefix + "_c21", value(u3), weights(6), sum(3), at);
  Expr anchor = Halide::select(at.lower == 0, Halide::select(at.right == 0, value(c11), value(c12)),
                               Halide::select(at.right == 0, value(c21), value(u3) + value(u5)));
  const Var block = point[3];
  if (bias_at >= 0) anchor += builder.input(bias_at)(block * lanes + at.lane);
  const std::map<std::string, Expr> places = {{point[0].name(), at.lane},
                                              {point[1].name(), cell_of(shape, at, 1, at.x, at.right)},
                                              {point[2].name(), cell_of(shape, at, 2, at.y, at.right)},
                                              {block.name(), at.block + at.lower * shape.half_blocks},
                                              {point[4].name(), at.n}};
  Func output(prefix + "_out");
  const std::vector<Var> arguments = {at.lane, at.x, at.y, at.right, at.strip, at.block, at.lower, at.n};
  output(arguments) = Halide::Internal::substitute(places, builder.finish(anchor));

  /* The result's memory, seen with the halves and strips as dimensions of their own. */
  const std::int64_t along = storage[static_cast<std::size_t>(shape.cut_at)].stride;
  const std::int64_t width = shape.cut_at == 1 ? shape.strips.half : storage[1].extent;
  const std::int64_t height = shape.cut_at == 2 ? shape.strips.half : storage[2].extent;
  const std::vector<std::pair<std::int64_t, std::int64_t>> view = {{lanes, 1},
                                                                   {width, storage[1].stride},
                                                                   {height, storage[2].stride},
                                                                   {2, shape.strips.offset * along},
                                                                   {shape.strips.count, 2 * shape.strips.half * along},
                                                                   {shape.half_blocks, storage[3].stride},
                                                                   {2, shape.half_blocks * storage[3].stride},
                                                                   {storage[4].extent, storage[4].stride}};
  for (std::size_t i = 0; i < view.size(); ++i) {
    output.output_buffer()
        .dim(number(static_cast<std::int64_t>(i)))
        .set_bounds(0, number(view[i].first))
        .set_stride(number(view[i].second));
    output.bound(arguments[i], 0, number(view[i].first));
  }

  /* The schedule. */
  const Var outer("tile_outer"), inner("tile_inner"), part("part"), task("task");
  const Var cells = shape.cut_at == 1 ? at.x : at.y;
  const auto work = static_cast<double>(call.layer().multiply_adds(call));
  const std::int64_t strips = shape.strips.count * storage[4].extent;
  const bool strips_are_tasks = strips >= strips_that_are_tasks;
  const std::int64_t tiles = shape.half_blocks / shape.tile;
  const std::int64_t length =
      strips_are_tasks ? shape.strips.half : cells_of_part(shape, tiles, width * height, work / static_cast<double>(strips));
  if (shape.cut_at == 1) shape.pixels = number(choose_pixels(shape.tile, length, builder.target()));
  output.split(at.block, outer, inner, shape.tile, TailStrategy::RoundUp)
      .split(cells, part, cells, number(length), shape.strips.half % length == 0 ? TailStrategy::RoundUp : TailStrategy::GuardWithIf)
      .reorder(at.lane, at.x, at.y, inner, at.right, at.lower, part, outer, at.strip, at.n)
      .vectorize(at.lane)
      .unroll(inner)
      .unroll(at.right)
      .unroll(at.lower);
  if (strips_are_tasks) {
    output.fuse(at.strip, at.n, task);
    sums.compute_at(output, task);
    make_tasks(output, {{task, strips}}, work);
  } else {
    // Few strips: their sums are made together, then tiles of channels and parts of cells are tasks.
    output.fuse(part, outer, task).parallel(task);
    sums.compute_at(output, at.strip).parallel(input_block);
  }
  sums.vectorize(at.lane);
  const std::int64_t panel = std::int64_t{lanes} * shape.tile * lanes * shape.half_input;
  for (Product* made : {&u1, &c11, &u2, &u5, &c12, &u3, &c21}) {
    made->array.bound_storage(cells, number(length));  // the last part may be shorter
    schedule(*made, output, strips_are_tasks ? outer : task, at, shape, r);
    stream_ahead(output, {made->array.name() + ".s0." + at.x.name() + ".pixel_outer", made->sum.name() + ".s1." + r[1].name()}, weight,
                 panel);
  }
  return output;
}

}  // namespace calotype::schedules::cpu
