/// \file
/// Layers that move nothing in row-major order (reshape, flatten, dropout): planar memory under another shape, no code.
#include "schedules/cpu/cpu_templates.h"

namespace calotype::schedules::cpu {

std::optional<Choice> choose_identity(const Question& question) {
  if (question.kernel.ops.size() != 1 || !layers::find_layer(question.anchor().kind)->traits.is_identity) return std::nullopt;
  Choice choice;
  choice.is_alias = true;
  for (std::size_t i = 0; i < question.kernel.input_values.size(); ++i) choice.inputs.push_back({});
  return choice;
}

Halide::Func build_identity(KernelBuilder& builder) {
  throw Failure(Fault::bug, "an alias has no code", builder.plan().graph.op(builder.kernel().ops.front()).location);
}

}  // namespace calotype::schedules::cpu
