/// \file
/// 1x1 convolutions whose last block of output channels is at most half full, with the lanes of that block put to use (schedules/cpu/pointwise.h).
/// Rows are tasks: few output channels are one tile, which direct_conv would give to one thread.
///
/// Measured on Zen 4, GF/s of a peak of 118, padding not counted: 96>24@56 and 144>24@56 87 by direct_conv, 109 here; 144>40@28 95 and 107. With
/// one loop for the whole vectors and another for the parts, which reads the operand twice, 97.
#include <algorithm>

#include "layers/window.h"
#include "schedules/cpu/convolution.h"
#include "schedules/cpu/cpu_templates.h"
#include "schedules/cpu/pointwise.h"

namespace calotype::schedules::cpu {

std::optional<Choice> choose_half_block(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv" || call.integer("groups") != 1 || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  const TensorType& weight = call.operand("weight").type;
  if (x.rank() < 3 || x.rank() > 5 || !is_matrix_product(window_of_convolution(call))) return std::nullopt;
  Choice choice;
  choice.output = blocked_layout(question.target);
  const std::int64_t lanes = choice.output.block;
  const bool few = x.extents[1] < lanes && question.layout_of(call.op().operands[0]).family != plan::Layout::Family::blocked;
  if (few) return std::nullopt;
  const TensorType& y = question.output_type();
  const PointwiseTile tile =
      choose_pointwise_tile(weight.extents[0], y.extents.back(), y.elements() / (y.extents[0] * y.extents[1]), question.target);
  if (tile.parts == 1) return std::nullopt;

  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = choice.output;
  operand.any_halo = true;
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] =
      packed_pointwise_weights(weight.extents[0], weight.extents[1], lanes, tile);
  if (const int bias = question.input_of("bias"); bias >= 0) {
    choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  }
  choice.parameters = {{"channels", tile.channels}, {"pixels", tile.pixels}, {"parts", tile.parts}};
  return choice;
}

Halide::Func build_half_block(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  PointwiseTile tile;
  tile.channels = builder.parameter("channels");
  tile.pixels = builder.parameter("pixels");
  tile.parts = builder.parameter("parts");

  const std::vector<Halide::Var>& at = builder.point().variables;
  const auto operand = [&](const Halide::Expr& lane, const Halide::Expr& block) {
    std::vector<Halide::Expr> from(at.begin(), at.end());
    from.front() = lane;
    from[at.size() - 2] = block;
    return Halide::Expr(x(from));
  };
  Pointwise sums = pointwise_sums(builder, 0, tile, operand);
  Halide::Func output = builder.make_output(builder.finish(sums.value));
  auto outer = tile_pointwise(output, builder, builder.point().storage, tile);
  schedule_pointwise(sums, output, builder, outer.front().first);
  outer.erase(outer.begin());
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
