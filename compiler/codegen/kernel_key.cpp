/// \file
/// The text that says everything on which a kernel's code depends: ops, arguments, wiring, types, layouts, schedule, target. No names.
#include "codegen/kernel_key.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "codegen/code_version.h"

namespace calotype::codegen {
namespace {

std::string text_of(const Attribute& attribute) {
  struct Printer {
    std::string operator()(std::int64_t number) const { return fmt::format("{}", number); }
    std::string operator()(double number) const { return fmt::format("{:a}", number); }
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(const Word& word) const { return word.text; }
    std::string operator()(const std::string& text) const { return fmt::format("{:?}", text); }
    std::string operator()(const Attribute::List& list) const {
      std::string text = "[";
      for (const Attribute& item : list) text += text_of(item) + ",";
      return text + "]";
    }
    std::string operator()(const ExpressionPointer& expression) const { return to_text(*expression); }
  };
  return std::visit(Printer{}, attribute.value);
}

/// in0, in1... for inputs, `before` for the value of the op before, `_` for an absent operand.
std::string operand_text(const plan::Kernel& kernel, ValueId operand) {
  if (operand == no_value) return "_";
  const auto found = std::find(kernel.input_values.begin(), kernel.input_values.end(), operand);
  return found == kernel.input_values.end() ? "before" : fmt::format("in{}", found - kernel.input_values.begin());
}

std::string op_text(const plan::Plan& plan, const plan::Kernel& kernel, const Op& op) {
  std::string text = op.kind + "(";
  for (const ValueId operand : op.operands) text += operand_text(kernel, operand) + ",";
  // Weights are inputs; an inline one would make equal layers differ.
  for (const NamedAttribute& attribute : op.attributes) {
    if (attribute.name != "weight") text += fmt::format("{}={},", attribute.name, text_of(attribute.value));
  }
  text += ")->";
  for (const ValueId result : op.results) text += to_text(plan.graph.value(result).type);
  return text;
}

std::string buffer_text(const plan::Buffer& buffer) {
  if (!buffer.packed_extents.empty())
    return fmt::format("{} packed {} ({})", to_text(buffer.type), to_text(buffer.packed_extents), buffer.packing);
  return fmt::format("{} {}", to_text(buffer.type), plan::to_text(buffer.layout));
}

}  // namespace

std::string kernel_key(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target) {
  std::string key = fmt::format("calotype kernel {}\ntarget {}\nschedule {}", code_version(), target.text, kernel.schedule);
  for (const auto& [name, value] : kernel.parameters) key += fmt::format(" {}={}", name, value);
  key += fmt::format("\nresult {}\n", kernel.result);
  for (const OpId op : kernel.ops) key += op_text(plan, kernel, plan.graph.op(op)) + "\n";
  for (const plan::BufferId input : kernel.inputs) key += "in " + buffer_text(plan.buffer(input)) + "\n";
  key += "out " + buffer_text(plan.buffer(kernel.output)) + "\n";
  return key;
}

}  // namespace calotype::codegen
