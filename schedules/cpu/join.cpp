/// \file
/// concat without copies: the producers of its operands write straight into their part of the result. That works where each part is one stretch
/// of memory: along the first dimension of extent above 1, the channels at most, and at whole channel blocks.
/// An operand whose producer cannot write there (a network input, or a value that is part of two results) is copied by insert_reorders.
#include "schedules/cpu/cpu_templates.h"

namespace calotype::schedules::cpu {
namespace {

using plan::Layout;

/// Does every operand lie in blocks of that many channels, and do all but the last fill their blocks?
bool blocks_fit(const Question& question, int block) {
  const layers::Call call = question.call();
  for (int i = 0; i < call.operand_count(); ++i) {
    const Layout layout = question.layout_of(call.op().operands[static_cast<std::size_t>(i)]);
    if (layout.family != Layout::Family::blocked || layout.block != block) return false;
    if (i + 1 < call.operand_count() && call.type(i).extents[1] % block != 0) return false;
  }
  return true;
}

}  // namespace

std::optional<Choice> choose_join(const Question& question) {
  const layers::Call call = question.call();
  if (question.kernel.ops.size() != 1 || !call.layer().traits.joins_operands || question.output_type().elements() == 0) return std::nullopt;
  const TensorType& type = question.output_type();
  const auto axis = static_cast<std::size_t>(call.axis("axis", type.rank()));
  if (axis > 1 || (axis == 1 && type.extents[0] != 1)) return std::nullopt;
  if (static_cast<int>(question.kernel.input_values.size()) != call.operand_count()) return std::nullopt;  // one value twice
  Choice choice;
  choice.is_join = true;
  const Layout first = question.layout_of(call.op().operands[0]);
  if (axis == 1 && blocks_fit(question, first.block)) {
    choice.output.family = Layout::Family::blocked;
    choice.output.block = first.block;
  }
  for (std::size_t i = 0; i < question.kernel.input_values.size(); ++i) {
    if (question.is_weight(i)) return std::nullopt;
    choice.inputs.push_back({.layout = choice.output, .any_halo = true});
  }
  return choice;
}

Halide::Func build_join(KernelBuilder& builder) {
  throw Failure(Fault::bug, "a join has no code", builder.plan().graph.op(builder.kernel().ops.front()).location);
}

}  // namespace calotype::schedules::cpu
