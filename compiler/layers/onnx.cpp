/// \file
/// Finding forms, reading attributes of nodes, and the numbers that ONNX gives to element types.
#include "layers/onnx.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "layers/layer.h"

namespace calotype::layers {
namespace {

/// Every form by operator. A form of a layer comes before those of expansions.
const std::multimap<std::string_view, OnnxMatch>& forms() {
  static const std::multimap<std::string_view, OnnxMatch> map = [] {
    std::multimap<std::string_view, OnnxMatch> all;
    for (const Layer* layer : all_layers()) {
      for (const OnnxForm& form : layer->onnx) all.emplace(form.op_type, OnnxMatch{layer, &form});
    }
    for (const OnnxForm& form : onnx_expansions()) all.emplace(form.op_type, OnnxMatch{nullptr, &form});
    return all;
  }();
  return map;
}

template <typename T>
const T* value_of(const OnnxNode& node, std::string_view name, const char* wanted) {
  const OnnxAttribute* attribute = node.find(name);
  if (attribute == nullptr) return nullptr;
  const T* value = std::get_if<T>(&attribute->value);
  if (value == nullptr) throw Failure(Fault::input, fmt::format("attribute {} must be {}", name, wanted));
  return value;
}

struct ElementNumber {
  ElementType element;
  std::int64_t number;
};
/// onnx.proto, TensorProto.DataType.
constexpr ElementNumber element_numbers[] = {
    {ElementType::f32, 1},  {ElementType::u8, 2},   {ElementType::i8, 3},      {ElementType::u16, 4},  {ElementType::i16, 5},
    {ElementType::i32, 6},  {ElementType::i64, 7},  {ElementType::boolean, 9}, {ElementType::f16, 10}, {ElementType::f64, 11},
    {ElementType::u32, 12}, {ElementType::u64, 13}, {ElementType::bf16, 16},
};

}  // namespace

const OnnxAttribute* OnnxNode::find(std::string_view attribute) const {
  const auto found = std::find_if(attributes.begin(), attributes.end(), [&](const OnnxAttribute& a) { return a.name == attribute; });
  return found == attributes.end() ? nullptr : &*found;
}

std::int64_t OnnxNode::integer(std::string_view attribute, std::int64_t fallback) const {
  const auto* value = value_of<std::int64_t>(*this, attribute, "an integer");
  return value == nullptr ? fallback : *value;
}

double OnnxNode::real(std::string_view attribute, double fallback) const {
  const auto* value = value_of<double>(*this, attribute, "a float");
  return value == nullptr ? fallback : *value;
}

std::string OnnxNode::text(std::string_view attribute, std::string_view fallback) const {
  const auto* value = value_of<std::string>(*this, attribute, "a string");
  return value == nullptr ? std::string(fallback) : *value;
}

std::vector<std::int64_t> OnnxNode::integers(std::string_view attribute) const {
  const auto* value = value_of<std::vector<std::int64_t>>(*this, attribute, "a list of integers");
  return value == nullptr ? std::vector<std::int64_t>() : *value;
}

std::vector<double> OnnxNode::reals(std::string_view attribute) const {
  const auto* value = value_of<std::vector<double>>(*this, attribute, "a list of floats");
  return value == nullptr ? std::vector<double>() : *value;
}

OnnxMatch find_onnx_form(std::string_view op_type, int opset) {
  const auto [first, last] = forms().equal_range(op_type);
  for (auto match = first; match != last; ++match) {
    if (match->second.form->since <= opset && opset <= match->second.form->until) return match->second;
  }
  return {};
}

bool is_onnx_operator(std::string_view op_type) { return forms().contains(op_type); }

std::optional<ElementType> element_type_of_onnx(std::int64_t number) {
  for (const ElementNumber& entry : element_numbers) {
    if (entry.number == number) return entry.element;
  }
  return std::nullopt;
}

NamedAttribute named(std::string_view name, std::int64_t number) { return {std::string(name), {number}}; }
NamedAttribute named(std::string_view name, double number) { return {std::string(name), {number}}; }
NamedAttribute named(std::string_view name, bool flag) { return {std::string(name), {flag}}; }
NamedAttribute named_word(std::string_view name, std::string_view word) { return {std::string(name), {Word{std::string(word)}}}; }

NamedAttribute named(std::string_view name, const std::vector<std::int64_t>& numbers) {
  Attribute::List list;
  for (const std::int64_t number : numbers) list.push_back({number});
  return {std::string(name), {std::move(list)}};
}

NamedAttribute named(std::string_view name, const std::vector<double>& numbers) {
  Attribute::List list;
  for (const double number : numbers) list.push_back({number});
  return {std::string(name), {std::move(list)}};
}

void adapt_padding(const OnnxNode& node, const OnnxBuilder& builder, std::size_t rank, Attributes& attributes) {
  const std::string mode = node.text("auto_pad", "NOTSET");
  if (mode == "SAME_UPPER") return attributes.push_back(named_word("padding", "same"));
  if (mode == "SAME_LOWER") return attributes.push_back(named_word("padding", "same_lower"));
  if (mode == "VALID") return;
  if (mode != "NOTSET") builder.fail(fmt::format("auto_pad is NOTSET, SAME_UPPER, SAME_LOWER or VALID, not {}", mode));
  const std::vector<std::int64_t> pads = node.integers("pads");
  if (pads.empty()) return;
  if (pads.size() != 2 * rank) builder.fail(fmt::format("pads must hold {} numbers, not {}", 2 * rank, pads.size()));
  const std::vector<std::int64_t> begin(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(rank));
  const std::vector<std::int64_t> end(pads.begin() + static_cast<std::ptrdiff_t>(rank), pads.end());
  const bool is_uniform = std::all_of(pads.begin(), pads.end(), [&](std::int64_t pad) { return pad == pads.front(); });
  if (is_uniform && pads.front() == 0) return;
  if (is_uniform) return attributes.push_back(named("padding", pads.front()));
  attributes.push_back(named("padding", begin == end ? begin : pads));
}

}  // namespace calotype::layers
