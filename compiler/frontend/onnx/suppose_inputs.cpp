/// \file
/// Tries extents of the declared results, one choice after another.
#include "frontend/onnx/suppose_inputs.h"

#include <algorithm>

#include "frontend/onnx/declared_shapes.h"

namespace calotype::frontend::onnx {
namespace {

using Shape = std::vector<std::int64_t>;

/// Each choice is a conversion of the whole network.
constexpr std::size_t choice_limit = 20;

/// All choices of `count` extents in order, added to `choices`.
void choose(const Shape& shape, std::int64_t count, std::set<Shape>& choices) {
  if (count < 1 || count > std::ssize(shape) || shape.size() > 8) return;
  std::vector<bool> chosen(shape.size(), false);
  std::fill_n(chosen.begin(), count, true);
  do {
    Shape choice;
    for (std::size_t i = 0; i < shape.size(); ++i) {
      if (chosen[i]) choice.push_back(shape[i]);
    }
    choices.insert(std::move(choice));
  } while (std::prev_permutation(chosen.begin(), chosen.end()));
}

/// The input of that name if it is a list of integers, as shapes are; else null.
const GraphInput* list_of_integers(const Graph& graph, const std::string& name) {
  for (const GraphInput& input : graph.inputs) {
    const Declaration& declaration = input.declaration;
    const bool is_integer = declaration.element == ElementType::i64 || declaration.element == ElementType::i32;
    if (graph.value(input.value).name == name && is_integer && declaration.dimensions.size() == 1) return &input;
  }
  return nullptr;
}

TensorData as_list(ElementType element, const Shape& numbers) {
  if (element == ElementType::i64) return own({element, {std::ssize(numbers)}}, numbers);
  return own({element, {std::ssize(numbers)}}, std::vector<std::int32_t>(numbers.begin(), numbers.end()));
}

}  // namespace

std::optional<Graph> with_supposed_input(const Model& model, const Graph& graph, const std::set<std::string>& unknown,
                                         const ConvertWith& convert) {
  if (unknown.size() != 1) return std::nullopt;
  const std::string& name = *unknown.begin();
  const GraphInput* input = list_of_integers(graph, name);
  if (input == nullptr) return std::nullopt;
  const DeclaredShapes declared = declared_shapes(model, graph);
  std::set<Shape> choices;
  for (const GraphResult& result : graph.results) {
    const auto shape = declared.find(result.name);
    if (shape == declared.end()) return std::nullopt;
    choose(shape->second, std::get<std::int64_t>(input->declaration.dimensions.front()), choices);
  }
  if (choices.size() > choice_limit) return std::nullopt;

  const auto is_as_declared = [&](const Graph& converted) {
    return std::all_of(converted.results.begin(), converted.results.end(),
                       [&](const GraphResult& result) { return converted.value(result.value).type.extents == declared.at(result.name); });
  };
  std::optional<Graph> only;
  for (const Shape& choice : choices) {
    try {
      Graph converted = convert(name, as_list(input->declaration.element, choice));
      if (!is_as_declared(converted)) continue;
      if (only) return std::nullopt;
      only = std::move(converted);
    } catch (const Failure&) {
      // Not what the input can hold.
    }
  }
  return only;
}

}  // namespace calotype::frontend::onnx
