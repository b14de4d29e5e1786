/// \file
/// Grouped convolution whose groups are as wide as they are deep and smaller than a channel block (ResNeXt's 4 or 8 channels), on
/// channel-blocked data. A vector of output channels spans several groups, and for channel i of the groups each lane wants channel i of its own:
/// that is the operand's vector with its lanes moved, one instruction. Moved once, a vector serves the whole row of the kernel: the tile's pixels
/// are computed together, so the moves of neighbouring windows are the same.
///
/// Halide reads the lanes that are wanted one by one; a pass over the lowered kernel makes that a load of the whole block, and LLVM makes one move of
/// the rest.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ir/checked.h"
#include "layers/window.h"
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
using layers::Window;

/// Loads of some lanes of a block become loads of the whole block of which some lanes are taken. A block starts at a multiple of its lanes.
class WholeBlocks : public Halide::Internal::IRMutator {
 public:
  WholeBlocks(std::string buffer, int lanes) : buffer_(std::move(buffer)), lanes_(lanes) {}

 private:
  using Halide::Internal::IRMutator::visit;
  std::string buffer_;
  int lanes_;
  Halide::Internal::Scope<Halide::Internal::ModulusRemainder> alignments_;  ///< of what is defined around

  Halide::Internal::Stmt visit(const Halide::Internal::LetStmt* node) override {
    if (node->value.type() != Halide::Int(32)) return IRMutator::visit(node);
    const Halide::Internal::ScopedBinding<Halide::Internal::ModulusRemainder> bound(
        alignments_, node->name, Halide::Internal::modulus_remainder(node->value, alignments_));
    return IRMutator::visit(node);
  }
  Expr visit(const Halide::Internal::Load* node) override {
    using namespace Halide::Internal;
    const Ramp* ramp = node->name == buffer_ ? node->index.as<Ramp>() : nullptr;
    const auto stride = ramp != nullptr ? as_const_int(ramp->stride) : std::nullopt;
    if (!stride) return IRMutator::visit(node);
    const ModulusRemainder base = modulus_remainder(ramp->base, alignments_);
    if (base.modulus % lanes_ != 0) return IRMutator::visit(node);
    const auto first = static_cast<int>(base.remainder % lanes_);
    if (first + *stride * (ramp->lanes - 1) >= lanes_) return IRMutator::visit(node);
    const Expr whole = Load::make(node->type.with_lanes(lanes_), node->name, Ramp::make(ramp->base - first, 1, lanes_), node->image,
                                  node->param, const_true(lanes_), ModulusRemainder());
    std::vector<int> some;
    for (int i = 0; i < ramp->lanes; ++i) some.push_back(first + static_cast<int>(*stride) * i);
    return Shuffle::make({whole}, some);
  }
};

/// Weights in the order (lane, channel of a group, kernel reversed..., block).
Wish packed_weights(std::int64_t filters, std::int64_t group, std::int64_t lanes, const std::vector<std::int64_t>& kernel) {
  Wish wish;
  wish.packed_extents = {lanes, group};
  wish.packed_extents.insert(wish.packed_extents.end(), kernel.rbegin(), kernel.rend());
  wish.packed_extents.push_back((filters + lanes - 1) / lanes);
  wish.packing = fmt::format("small groups {}", lanes);
  const std::int64_t cells = checked_product(kernel);
  wish.pack = [filters, group, lanes, cells](const TensorData& source, std::span<std::byte> destination) {
    std::memset(destination.data(), 0, destination.size());
    for (std::int64_t o = 0; o < filters; ++o) {
      for (std::int64_t i = 0; i < group; ++i) {
        for (std::int64_t k = 0; k < cells; ++k) {
          const float number = load<float>(source, (o * group + i) * cells + k);
          const std::int64_t at = ((o / lanes * cells + k) * group + i) * lanes + o % lanes;
          std::memcpy(destination.data() + static_cast<std::size_t>(at) * sizeof(float), &number, sizeof(float));
        }
      }
    }
  };
  return wish;
}

}  // namespace

std::optional<Choice> choose_small_groups(const Question& question) {
  const layers::Call call = question.call();
  if (call.op().kind != "conv" || call.integer("groups") == 1 || !has_constant_f32_weights(question)) return std::nullopt;
  const TensorType& x = call.type(0);
  if (x.rank() < 3 || x.rank() > 5) return std::nullopt;
  const TensorType& weight = call.operand("weight").type;
  const std::int64_t group = weight.extents[1];
  Choice choice;
  choice.output = blocked_layout(question.target);
  const std::int64_t lanes = choice.output.block;
  if (group < 2 || group >= lanes || lanes % group != 0 || weight.extents[0] != x.extents[1]) return std::nullopt;
  const Window window = window_of_convolution(call);
  if (crops_operand(window)) return std::nullopt;

  choice.inputs = epilogue_wishes(question, choice.output);
  Wish& operand = choice.inputs[static_cast<std::size_t>(question.input_of("x"))];
  operand.layout = with_halo_for(window, x, choice.output);
  operand.any_halo = true;
  choice.inputs[static_cast<std::size_t>(question.input_of("weight"))] =
      packed_weights(weight.extents[0], group, lanes, {weight.extents.begin() + 2, weight.extents.end()});
  const int bias = question.input_of("bias");
  if (bias >= 0) choice.inputs[static_cast<std::size_t>(bias)] = padded_vector(weight.extents[0], lanes);
  // Registers for as many sums, as many moved vectors, and weights.
  choice.parameters = {{"pixels", best_tile(question.output_type().extents.back(), question.target.vector_registers >= 32 ? 10 : 5)}};
  return choice;
}

Func build_small_groups(KernelBuilder& builder) {
  const Op& op = builder.plan().graph.op(builder.kernel().ops.front());
  const layers::Call call(*layers::find_layer(op.kind), builder.plan().graph, op);
  const Window window = window_of_convolution(call);
  const Halide::ImageParam& x = builder.input(builder.position_of(0, "x"));
  const Halide::ImageParam& weight = builder.input(builder.position_of(0, "weight"));
  const int bias_at = builder.position_of(0, "bias");
  const int lanes = builder.point().lanes;
  const auto group = static_cast<int>(call.operand("weight").type.extents[1]);
  const auto rank = window.rank();

  /* The algorithm. Variables: lane, x, y, z, block, n; reduction: kernel x, channel of the group, kernel y, z. */
  const std::vector<Var>& at = builder.point().variables;
  const Var lane = at.front(), pixel = at[1], block = at[rank + 1];
  Halide::Region domain = {{0, static_cast<int>(window.kernel[rank - 1])}, {0, group}};
  for (std::size_t i = 1; i < rank; ++i) domain.emplace_back(0, static_cast<int>(window.kernel[rank - 1 - i]));
  Halide::RDom r(domain, builder.prefix() + "_r");
  std::vector<Expr> operand_at = {lane / group * group + r[1]};
  std::vector<Expr> weight_at = {lane, r[1]};
  for (std::size_t i = 0; i < rank; ++i) {
    const std::size_t d = rank - 1 - i;  // x first
    const RVar cell = r[i == 0 ? 0 : static_cast<int>(i) + 1];
    operand_at.push_back(at[1 + i] * static_cast<int>(window.stride[d]) + cell * static_cast<int>(window.dilation[d]) -
                         static_cast<int>(window.begin[d]));
    weight_at.emplace_back(cell);
  }
  operand_at.emplace_back(block);
  operand_at.emplace_back(at.back());
  weight_at.emplace_back(block);

  Func sum(builder.prefix() + "_sum");
  sum(at) = bias_at >= 0 ? builder.input(bias_at)(block * lanes + lane) : Expr(0.0F);
  sum(at) += weight(weight_at) * x(operand_at);
  Func output = builder.make_output(builder.finish(sum(std::vector<Expr>(at.begin(), at.end()))));

  /* The schedule. */
  const auto& storage = builder.point().storage;
  const auto pixels = static_cast<int>(std::min(builder.parameter("pixels"), storage[1].extent));
  const Var pixel_outer("pixel_outer"), pixel_inner("pixel_inner");
  output.split(pixel, pixel_outer, pixel_inner, pixels,
               storage[1].extent % pixels == 0 ? TailStrategy::RoundUp : TailStrategy::ShiftInwards);
  std::vector<Halide::VarOrRVar> order = {lane, pixel_inner, pixel_outer};
  std::vector<std::pair<Var, std::int64_t>> outer;
  for (std::size_t i = 2; i < at.size(); ++i) outer.emplace_back(at[i], storage[i].extent);
  for (const auto& loop : outer) order.emplace_back(loop.first);
  output.reorder(order).vectorize(lane).unroll(pixel_inner);

  sum.compute_at(output, pixel_outer).store_in(Halide::MemoryType::Stack).vectorize(lane).unroll(pixel);
  std::vector<Halide::VarOrRVar> inner = {lane, pixel};
  for (int k = 0; k < r.dimensions(); ++k) inner.emplace_back(r[k]);
  sum.update().reorder(inner).vectorize(lane).unroll(pixel).unroll(r[1]);
  if (window.kernel[rank - 1] <= 7) sum.update().unroll(r[0]);
  output.add_custom_lowering_pass(new WholeBlocks(x.name(), lanes));
  make_tasks(output, outer, static_cast<double>(call.layer().multiply_adds(call)));
  return output;
}

}  // namespace calotype::schedules::cpu
