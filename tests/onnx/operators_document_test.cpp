/// \file
/// docs/onnx-operators.md is generated from the tables of layers: this test writes it down and holds the file against it.
/// CALOTYPE_UPDATE_GOLDENS=1 writes the file anew.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>

#include "layers/argument.h"
#include "layers/layer.h"

namespace calotype::testing {
namespace {

using layers::Argument;
using layers::Layer;
using layers::OnnxForm;

constexpr ElementType all_types[] = {ElementType::f64, ElementType::f32, ElementType::f16,    ElementType::bf16, ElementType::i8,
                                     ElementType::u8,  ElementType::i16, ElementType::u16,    ElementType::i32,  ElementType::u32,
                                     ElementType::i64, ElementType::u64, ElementType::boolean};

/// Arguments with which most layers take a tensor of [2, 4, 4, 4].
const std::map<std::string_view, std::string_view> trial_arguments = {
    {"filters", "4"}, {"kernel", "1"}, {"units", "4"}, {"groups", "1"}, {"block", "1"}, {"size", "4"}, {"amount", "0"}, {"type", "f32"},
};

/// Does the layer take operands of these types, the last one for all that follow? Asks its own rule, on one trial.
bool takes(const Layer& layer, std::vector<ElementType> elements) {
  Graph graph;
  Op op;
  op.name = "trial";
  op.kind = layer.name;
  const auto add = [&](std::size_t place) {
    const ElementType element = elements[std::min(place, elements.size() - 1)];
    Value value;
    value.name = fmt::format("x{}", graph.values.size());
    value.origin = Value::Origin::input;
    value.type = {element, {2, 4, 4, 4}};
    value.typed = true;
    return add_value(graph, std::move(value));
  };
  for (const layers::Operand& operand : layers::operands_of(layer)) {
    if (operand.kind == layers::Operand::Kind::required || operand.kind == layers::Operand::Kind::variadic)
      op.operands.push_back(add(op.operands.size()));
  }
  for (const Argument& argument : layers::arguments_of(layer)) {
    const auto trial = trial_arguments.find(argument.name);
    const bool is_size_of_channels = argument.name != "size" || argument.is_required;
    if (trial != trial_arguments.end() && is_size_of_channels) {
      op.attributes.push_back({std::string(argument.name), layers::attribute_of(trial->second)});
    } else if (argument.is_required) {
      op.attributes.push_back({std::string(argument.name), layers::attribute_of("1")});
    }
  }
  if (layer.name == "resize") op.attributes.push_back({"scale", layers::attribute_of("2")});
  if (layer.name == "reshape") op.attributes = {{"shape", layers::attribute_of("-1")}};
  op.results = {add(0)};
  graph.ops.push_back(op);
  try {
    layer.infer(layers::Call(layer, graph, graph.ops.front()));
    return true;
  } catch (const Failure&) {
    return false;
  }
}

/// As numbers to compute on: beside indices (i64), or chosen by a condition (bool), where the layer wants such.
bool takes(const Layer& layer, ElementType element) {
  return takes(layer, std::vector{element}) || takes(layer, {element, ElementType::i64}) ||
         takes(layer, {element, ElementType::i64, element}) || takes(layer, {ElementType::boolean, element});
}

std::string types_of(const Layer& layer) {
  std::vector<std::string_view> names;
  for (const ElementType element : all_types) {
    if (takes(layer, element)) names.push_back(name_of(element));
  }
  if (names.empty()) return "";
  if (names.size() == std::size(all_types)) return "all";
  if (names.size() + 1 == std::size(all_types) && !takes(layer, ElementType::boolean)) return "all but bool";
  return fmt::format("{}", fmt::join(names, " "));
}

std::string opsets_of(const OnnxForm& form) {
  const int first = std::max(form.since, layers::oldest_onnx_opset);
  if (form.until >= layers::newest_onnx_opset) return fmt::format("{} and later", first);
  return first == form.until ? fmt::format("{}", first) : fmt::format("{} to {}", first, form.until);
}

/// What a form takes no other value of.
std::string restrictions_of(const OnnxForm& form) {
  std::vector<std::string> parts;
  if (form.suppose != nullptr || form.takes_late) parts.emplace_back("late");
  if (!form.note.empty()) parts.emplace_back(form.note);
  for (const layers::OnnxArgument& argument : form.attributes) {
    if (argument.kind == layers::OnnxArgument::Kind::only) parts.push_back(fmt::format("{} = {}", argument.onnx, argument.fallback));
  }
  return fmt::format("{}", fmt::join(parts, "; "));
}

std::string document() {
  std::multimap<std::string, std::string> rows;
  const auto add = [&](const Layer* layer, const OnnxForm& form) {
    if (form.until < layers::oldest_onnx_opset) return;
    const std::string name = layer == nullptr ? "" : fmt::format("`{}`", layer->name);
    rows.emplace(form.op_type, fmt::format("| {} | {} | {} | {} | {} |\n", form.op_type, opsets_of(form), name,
                                           layer == nullptr ? "" : types_of(*layer), restrictions_of(form)));
  };
  for (const Layer* layer : layers::all_layers()) {
    for (const OnnxForm& form : layer->onnx) add(layer, form);
  }
  for (const OnnxForm& form : layers::onnx_expansions()) add(nullptr, form);
  std::size_t operators = 0;
  for (auto row = rows.begin(); row != rows.end(); row = rows.upper_bound(row->first)) ++operators;
  std::string text = fmt::format(
      "# ONNX operators\n"
      "The {} operators of the domain ai.onnx that are read, in opsets {} to {}. Generated from the tables of layers by a test "
      "(tests/onnx); how an\n"
      "operator is added stands at the top of `compiler/layers/onnx.h`.\n\n"
      "An operator without a layer concerns shapes or constants alone, or becomes several layers. Types are those that are computed on, "
      "f16 and bf16\n"
      "stored as such and computed in f32; empty where several are mixed. Whatever else a file holds is refused with exit status 3: all "
      "unsupported\n"
      "operators of the file at once, and attributes, element types and outputs that the operator's layer has not. Numbers that decide "
      "shapes are\n"
      "known at compile time: constants, computed from shapes, or given with `--bind NAME=FILE.npy`. Operators marked *late* take them at "
      "run time, "
      "too, where the\n"
      "file declares the shape of the result: the library is compiled for that shape, and `run` returns CALOTYPE_SHAPE_MISMATCH where the "
      "numbers give another.\n\n"
      "| operator | opsets | layer | types | restrictions |\n| --- | --- | --- | --- | --- |\n",
      operators, layers::oldest_onnx_opset, layers::newest_onnx_opset);
  for (const auto& [name, row] : rows) text += row;
  return text;
}

TEST(OnnxDocument, ListsWhatIsRead) {
  const std::string path = std::string(CALOTYPE_SOURCE_DIR) + "/docs/onnx-operators.md";
  const std::string text = document();
  if (std::getenv("CALOTYPE_UPDATE_GOLDENS") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  const std::string written{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_TRUE(written == text) << "docs/onnx-operators.md is not what the tables of layers say; CALOTYPE_UPDATE_GOLDENS=1 writes it";
}

TEST(OnnxDocument, NoTwoFormsReadTheSameNode) {
  std::map<std::string_view, std::vector<const OnnxForm*>> forms;
  for (const Layer* layer : layers::all_layers()) {
    for (const OnnxForm& form : layer->onnx) forms[form.op_type].push_back(&form);
  }
  for (const OnnxForm& form : layers::onnx_expansions()) forms[form.op_type].push_back(&form);
  for (const auto& [name, list] : forms) {
    for (int opset = layers::oldest_onnx_opset; opset <= layers::newest_onnx_opset; ++opset) {
      const auto reads = [&](const OnnxForm* form) { return form->since <= opset && opset <= form->until; };
      EXPECT_LE(std::count_if(list.begin(), list.end(), reads), 1) << name << " at opset " << opset;
    }
  }
}

}  // namespace
}  // namespace calotype::testing
