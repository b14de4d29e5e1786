/// \file
/// activation=NAME becomes an op of its own, so that fusion sees one kind of elementwise op only.
#include <fmt/format.h>

#include "passes/graph_edit.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

/// The activation's name, or empty.
std::string activation_of(const Op& op) {
  const Attribute* attribute = find(op.attributes, "activation");
  const Word* word = attribute == nullptr ? nullptr : std::get_if<Word>(&attribute->value);
  return word == nullptr || word->text == "none" ? std::string() : word->text;
}

}  // namespace

void expand_activations(Graph& graph) {
  std::vector<Op> ops;
  for (Op& op : graph.ops) {
    const std::string activation = activation_of(op);
    if (activation.empty()) {
      ops.push_back(std::move(op));
      continue;
    }
    const ValueId activated = op.results.front();
    Value before = graph.value(activated);
    before.name = unused_name(graph, fmt::format("{}.linear", op.name));
    const ValueId linear = add_value(graph, std::move(before));
    std::erase_if(op.attributes, [](const NamedAttribute& attribute) { return attribute.name == "activation"; });
    op.results.front() = linear;
    Op after{.name = op.name, .kind = activation, .operands = {linear}, .results = {activated}, .attributes = {}, .location = op.location};
    ops.push_back(std::move(op));
    ops.push_back(std::move(after));
  }
  replace_ops(graph, std::move(ops));
}

}  // namespace calotype::passes
