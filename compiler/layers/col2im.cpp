/// \file
/// Layers that put windows back where they were taken from.
///
///   col2im       blocks [batch, channels * block's cells, blocks] summed into images of `image` cells: the reverse of cutting every block out of a padded
///                image in steps of `stride`, as ONNX's Col2Im and PyTorch's fold. `padding` is a number, extents or [begin..., end...].
///   max_unpool   zeros of the shape `shape`, with each element of x at the place that max_pool's indices name: a position in [batch, channels,
///                cells...], counted row by row in a result of the shape `counted` (by default `shape`)
#include <fmt/format.h>

#include <algorithm>

#include "ir/checked.h"
#include "layers/arithmetic.h"
#include "layers/indexing.h"
#include "layers/reduction.h"
#include "layers/suppositions.h"
#include "layers/weights.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

/// The blocks that were cut: for each dimension of the image.
struct Blocks {
  Extents image, kernel, stride, dilation, begin, count;
  std::int64_t cells = 1;  ///< of a block
};

Blocks blocks_of(const Call& call) {
  Blocks blocks;
  blocks.image = call.integers("image");
  const int rank = static_cast<int>(blocks.image.size());
  if (rank == 0) call.fail("image", "'image' must have at least one extent");
  blocks.kernel = call.extents("block", rank);
  blocks.stride = call.extents("stride", rank);
  blocks.dilation = call.extents("dilation", rank);
  const Padding padding = call.padding("padding", rank);
  if (padding.mode != Padding::Mode::explicit_cells && padding.mode != Padding::Mode::valid) {
    call.fail("padding", "'padding' of col2im wants numbers of cells");
  }
  const bool is_padded = padding.mode == Padding::Mode::explicit_cells;
  blocks.begin = is_padded ? padding.begin : Extents(blocks.image.size(), 0);
  const Extents end = is_padded ? padding.end : blocks.begin;
  blocks.cells = checked_product(blocks.kernel);
  const TensorType& x = call.type(0);
  if (x.rank() != 3) call.fail(fmt::format("col2im wants [batch, channels * block's cells, blocks], not {}", to_text(x.extents)));
  for (std::size_t d = 0; d < blocks.image.size(); ++d) {
    const std::int64_t span = checked_add(checked_multiply(blocks.kernel[d] - 1, blocks.dilation[d]), 1);
    const std::int64_t room = checked_add(checked_add(blocks.image[d], blocks.begin[d]), end[d]) - span;
    if (blocks.image[d] < 1 || room < 0)
      call.fail("block", fmt::format("blocks {} do not fit an image {}", times(blocks.kernel), to_text(blocks.image)));
    blocks.count.push_back(room / blocks.stride[d] + 1);
  }
  const std::int64_t count = checked_product(blocks.count);
  if (x.extents[1] % blocks.cells != 0 || x.extents[2] != count) {
    call.fail(fmt::format("col2im: {} does not hold blocks {} of an image {}: it must be [batch, a multiple of {}, {}]", to_text(x.extents),
                          times(blocks.kernel), to_text(blocks.image), blocks.cells, count));
  }
  return blocks;
}

std::vector<TensorType> infer_col2im(const Call& call) {
  if (call.type(0).element == ElementType::boolean) call.unsupported("col2im of bool");
  const Blocks blocks = blocks_of(call);
  TensorType result = {call.type(0).element, {call.type(0).extents[0], call.type(0).extents[1] / blocks.cells}};
  result.extents.insert(result.extents.end(), blocks.image.begin(), blocks.image.end());
  return {result};
}

/// Each cell gathers from the blocks that cover it.
Expr define_col2im(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Blocks blocks = blocks_of(call);
  const Tensor& x = operands[0];
  const Domain r = domain_over(blocks.kernel, "r");
  const std::vector<Halide::Var> at = index_variables(call.result().rank());
  Expr cell = 0, block = 0, counts = Halide::Internal::const_true();
  for (std::size_t d = 0; d < blocks.image.size(); ++d) {
    const Expr from = at[d + 2] + narrow(blocks.begin[d]) - r.variables[d] * narrow(blocks.dilation[d]);
    const Expr step = from / narrow(blocks.stride[d]);  // rounds down
    counts = counts && from % narrow(blocks.stride[d]) == 0 && step >= 0 && step < narrow(blocks.count[d]);
    cell = cell * narrow(blocks.kernel[d]) + r.variables[d];
    block = block * narrow(blocks.count[d]) + clamp(step, 0, narrow(blocks.count[d]) - 1);
  }
  const Expr element = x({at[0], at[1] * narrow(blocks.cells) + cell, block});
  const Halide::Type stored = halide_type(x.type.element);
  const Halide::Type type = stored.is_float() ? accumulator_type(x.type.element) : stored;
  Halide::Func sum("col2im_sum");
  sum(storage_order(at)) = Halide::Internal::make_zero(type);
  const Expr widened = Halide::cast(type, arithmetic::widen(element));
  sum(storage_order(at)) = arithmetic::add(sum(storage_order(at)), Halide::select(counts, widened, Halide::Internal::make_zero(type)));
  stages.accumulators.push_back(sum);
  return arithmetic::narrow(stored, sum(storage_order(index)));
}

void adapt_col2im(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t> image = builder.integers(1), block = builder.integers(2);
  Attributes attributes = {named("image", image), named("block", block)};
  if (const auto stride = node.integers("strides"); !stride.empty()) attributes.push_back(named("stride", stride));
  if (const auto dilation = node.integers("dilations"); !dilation.empty()) attributes.push_back(named("dilation", dilation));
  if (const auto pads = node.integers("pads"); std::any_of(pads.begin(), pads.end(), [](std::int64_t cells) { return cells != 0; })) {
    attributes.push_back(named("padding", pads));
  }
  builder.bind(0, builder.emit("col2im", {builder.input(0)}, std::move(attributes)));
}

/// The image's extents are declared; the block's are factors of its number of cells, in every order.
std::vector<Supposition> suppose_blocks(const OnnxNode&, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* to = builder.declared(0);
  const std::vector<std::int64_t> from = builder.extents(builder.input(0));
  const std::int64_t rank = entries_of(builder, 1);
  if (to == nullptr || from.size() != 3 || rank < 1 || std::ssize(*to) != rank + 2 || entries_of(builder, 2) != rank || (*to)[1] < 1)
    return {};
  const std::vector<std::int64_t> image(to->begin() + 2, to->end());
  const std::int64_t cells = from[1] / (*to)[1];
  if (cells < 1 || cells > 10000) return {};
  const Supposition of_image = suppose_equal(builder, 1, image);
  std::vector<Supposition> list;
  std::vector<std::int64_t> block;
  const std::function<void(std::int64_t)> extend = [&](std::int64_t left) {
    if (std::ssize(block) == rank - 1) {
      block.push_back(left);
      Supposition both = suppose_equal(builder, 2, block);
      both.inputs.insert(of_image.inputs.begin(), of_image.inputs.end());
      both.holds.push_back(of_image.holds.front());
      list.push_back(std::move(both));
      block.pop_back();
      return;
    }
    for (std::int64_t extent = 1; extent <= left && list.size() < 100; ++extent) {
      if (left % extent != 0) continue;
      block.push_back(extent);
      extend(left / extent);
      block.pop_back();
    }
  };
  extend(cells);
  return list;
}

Extents counted_shape(const Call& call) { return call.integers(call.has_argument("counted") ? "counted" : "shape"); }

std::vector<TensorType> infer_unpool(const Call& call) {
  const TensorType& x = call.type(0);
  require_indices(call, 1);
  if (call.type(1).extents != x.extents) {
    call.fail(
        fmt::format("max_unpool: indices {} do not fit {}: the shapes must be equal", to_text(call.type(1).extents), to_text(x.extents)));
  }
  const TensorType result = {x.element, call.integers("shape")};
  const Extents counted = counted_shape(call);
  const bool is_shape = std::all_of(result.extents.begin(), result.extents.end(), [](std::int64_t extent) { return extent >= 0; });
  if (result.rank() != x.rank() || !is_shape)
    call.fail("shape", fmt::format("{} is no shape for {}", to_text(result.extents), to_text(x.extents)));
  for (std::size_t i = 0; i < result.extents.size(); ++i) {
    if (counted.size() != result.extents.size() || counted[i] < 1 || counted[i] > result.extents[i]) {
      call.fail("counted", fmt::format("'counted' {} must lie within 'shape' {}", to_text(counted), to_text(result.extents)));
    }
  }
  narrow(checked_product(counted));
  return {result};
}

Expr define_unpool(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Tensor& x = operands[0];
  const Halide::Type stored = halide_type(x.type.element);
  const Extents counted = counted_shape(call);
  const std::vector<Halide::Var> at = index_variables(call.result().rank());
  if (x.type.elements() == 0) return Halide::Internal::make_zero(stored);
  Halide::Func table("max_unpool_written");
  table(storage_order(at)) = Halide::Internal::make_zero(stored);
  const Domain r = domain_over(x.type.extents, "r");
  const Index cell(r.variables.begin(), r.variables.end());
  const Expr number = operands[1](cell);
  const std::int64_t elements = checked_product(counted);
  const Expr inside = number >= 0 && number < Halide::Internal::make_const(number.type(), elements);
  Expr position = Halide::cast<int>(
      Halide::clamp(number, Halide::Internal::make_zero(number.type()), arithmetic::like(number, static_cast<double>(elements - 1))));
  Index place(counted.size());
  for (std::size_t d = counted.size(); d-- > 0;) {
    place[d] = clamp(position % narrow(counted[d]), 0, narrow(counted[d]) - 1);
    position = position / narrow(counted[d]);
  }
  table(storage_order(place)) = Halide::select(inside, x(cell), table(storage_order(place)));
  stages.shared.push_back(table);
  return table(storage_order(index));
}

std::vector<IndexRange> places_of_unpool(const Call& call) { return {{1, {0}, {checked_product(counted_shape(call)) - 1}}}; }

/// Without output_shape the shape is that of what was pooled, as far as the window says; indices always count in that one.
void adapt_unpool(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t>& extents = builder.extents(builder.input(0));
  const std::vector<std::int64_t> kernel = node.integers("kernel_shape");
  std::vector<std::int64_t> stride = node.integers("strides"), pads = node.integers("pads");
  const std::size_t rank = kernel.size();
  if (stride.empty()) stride.assign(rank, 1);
  if (pads.empty()) pads.assign(2 * rank, 0);
  if (extents.size() != rank + 2 || stride.size() != rank || pads.size() != 2 * rank) {
    builder.fail(fmt::format("a window of {} does not fit {}", to_text(kernel), to_text(extents)));
  }
  std::vector<std::int64_t> pooled = {extents[0], extents[1]};
  for (std::size_t d = 0; d < rank; ++d) pooled.push_back((extents[d + 2] - 1) * stride[d] - pads[d] - pads[rank + d] + kernel[d]);
  const std::vector<std::int64_t> shape = builder.has(2) ? builder.integers(2) : pooled;
  Attributes attributes = {named("shape", shape)};
  if (shape != pooled) attributes.push_back(named("counted", pooled));
  builder.bind(0, builder.emit("max_unpool", {builder.input(0), builder.input(1)}, std::move(attributes)));
}

constexpr OnnxForm col2im_onnx[] = {{
    .op_type = "Col2Im",
    .attributes = {onnx::adapted_attribute("strides"), onnx::adapted_attribute("dilations"), onnx::adapted_attribute("pads")},
    .adapt = adapt_col2im,
    .suppose = suppose_blocks,
}};
constexpr OnnxForm unpool_onnx[] = {{
    .op_type = "MaxUnpool",
    .attributes = {onnx::adapted_attribute("kernel_shape"), onnx::adapted_attribute("strides"), onnx::adapted_attribute("pads")},
    .adapt = adapt_unpool,
    .suppose = suppose_shape<2>,
}};

}  // namespace

extern constinit const Layer col2im = {
    .name = "col2im",
    .operands = {{"x"}},
    .arguments = {required("image", ArgumentKind::integers), required("block", ArgumentKind::extents),
                  optional("stride", ArgumentKind::extents, "1"), optional("dilation", ArgumentKind::extents, "1"),
                  optional("padding", ArgumentKind::padding, "valid")},
    .infer = infer_col2im,
    .onnx = col2im_onnx,
};
extern constinit const Layer max_unpool = {
    .name = "max_unpool",
    .operands = {{"x"}, {"indices"}},
    .arguments = {required("shape", ArgumentKind::integers), optional("counted", ArgumentKind::integers)},
    .infer = infer_unpool,
    .indices = places_of_unpool,
    .onnx = unpool_onnx,
};

extern constinit const Definition col2im_definition = {"col2im", define_col2im};
extern constinit const Definition max_unpool_definition = {"max_unpool", define_unpool};

}  // namespace calotype::layers
