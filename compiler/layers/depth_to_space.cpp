/// \file
/// depth_to_space: blocks of channels become blocks of pixels, for any number of spatial dimensions; space_to_depth: the reverse.
///
/// With block b in two dimensions, output pixel (b p + i, b q + j) of channel c takes input channel (i b + j) C + c of pixel (p, q) in ONNX's and
/// TensorFlow's order (DCR, C channels in the output), or c b b + i b + j in that of PyTorch's pixel_shuffle (CRD).
#include <fmt/format.h>

#include "ir/checked.h"
#include "layers/reduction.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

std::int64_t block_of(const Call& call) {
  spatial_rank(call, call.type(0));
  const std::int64_t block = call.integer("block");
  if (block < 1) call.fail("block", fmt::format("'block' must be at least 1, not {}", block));
  return block;
}

/// Pixels of a block.
std::int64_t cells_of(const Call& call) { return checked_product(Extents(call.type(0).extents.size() - 2, block_of(call))); }

std::vector<TensorType> infer_depth_to_space(const Call& call) {
  const std::int64_t block = block_of(call), cells = cells_of(call);
  TensorType result = call.type(0);
  if (result.extents[1] % cells != 0) {
    call.fail("block", fmt::format("{} channels do not make blocks of {}", result.extents[1], cells), shape_notes(call));
  }
  result.extents[1] /= cells;
  for (std::size_t i = 2; i < result.extents.size(); ++i) result.extents[i] = checked_multiply(result.extents[i], block);
  return {result};
}

std::vector<TensorType> infer_space_to_depth(const Call& call) {
  const std::int64_t block = block_of(call);
  TensorType result = call.type(0);
  for (std::size_t i = 2; i < result.extents.size(); ++i) {
    if (result.extents[i] % block != 0) {
      call.fail("block", fmt::format("blocks of {} do not divide {}", block, times(spatial_extents(call.type(0)))), shape_notes(call));
    }
    result.extents[i] /= block;
  }
  result.extents[1] = checked_multiply(result.extents[1], cells_of(call));
  return {result};
}

Halide::Expr define_depth_to_space(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const int block = narrow(block_of(call)), channels = narrow(call.result().extents[1]);
  Index read = index;
  Halide::Expr cell = 0;
  for (std::size_t i = 2; i < index.size(); ++i) {
    cell = cell * block + index[i] % block;
    read[i] = index[i] / block;
  }
  read[1] = call.word("mode") == "CRD" ? index[1] * narrow(cells_of(call)) + cell : cell * channels + index[1];
  return operands[0](read);
}

Halide::Expr define_space_to_depth(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages&, int) {
  const int block = narrow(block_of(call)), channels = narrow(call.type(0).extents[1]), cells = narrow(cells_of(call));
  const bool cells_innermost = call.word("mode") == "CRD";
  Index read = index;
  read[1] = cells_innermost ? index[1] / cells : index[1] % channels;
  Halide::Expr cell = cells_innermost ? index[1] % cells : index[1] / channels;
  for (std::size_t i = index.size(); i-- > 2;) {
    read[i] = index[i] * block + cell % block;
    cell = cell / block;
  }
  return operands[0](read);
}

constexpr OnnxForm depth_to_space_onnx[] = {{
    .op_type = "DepthToSpace",
    .attributes = {onnx::attribute("blocksize", "block"), onnx::word("mode", "mode")},
}};
constexpr OnnxForm space_to_depth_onnx[] = {{.op_type = "SpaceToDepth", .attributes = {onnx::attribute("blocksize", "block")}}};

constexpr Layer block_layer(std::string_view name, std::vector<TensorType> (*infer)(const Call&), std::span<const OnnxForm> onnx) {
  return {.name = name,
          .operands = {{"x"}},
          .arguments = {required("block", ArgumentKind::integer), optional("mode", ArgumentKind::word, "DCR", "DCR CRD")},
          .infer = infer,
          .onnx = onnx};
}

}  // namespace

extern constinit const Layer depth_to_space = block_layer("depth_to_space", infer_depth_to_space, depth_to_space_onnx);
extern constinit const Layer space_to_depth = block_layer("space_to_depth", infer_space_to_depth, space_to_depth_onnx);

extern constinit const Definition depth_to_space_definition = {"depth_to_space", define_depth_to_space};
extern constinit const Definition space_to_depth_definition = {"space_to_depth", define_space_to_depth};

}  // namespace calotype::layers
