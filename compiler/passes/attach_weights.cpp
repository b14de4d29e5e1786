/// \file
/// Tensors of the weight files become the numbers of the graph's weights, by name.
#include <fmt/format.h>

#include <map>
#include <set>

#include "ir/number_format.h"
#include "layers/layer.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

/// Does every number of `from` keep its value in `to`?
bool widens(ElementType from, ElementType to) {
  if (!is_float(from) || !is_float(to)) return false;
  return bytes_of(from) < bytes_of(to);
}

TensorData widen(const TensorData& data, ElementType element) {
  if (element == ElementType::f32) return to_float32(data);
  const TensorType type{element, data.type.extents};
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  for (std::int64_t i = 0; i < type.elements(); ++i) store_double(bytes, element, i, load_as_double(data, i));
  return own(type, std::move(bytes));
}

/// Up to five names, and how many more there are.
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t most = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < most; ++i) text += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  if (names.size() > most) text += fmt::format(" and {} more", names.size() - most);
  return text;
}

Diagnostic missing(const Value& value, const WeightStore& store) {
  Diagnostic diagnostic{Fault::input, value.location, fmt::format("tensor {} ({}) is in no weight file", value.name, to_text(value.type))};
  if (store.tensors.empty()) {
    diagnostic.notes.push_back("no weights were given; write `weights \"FILE\"` in the network, or use --weights-from FILE or random:SEED");
  } else {
    std::vector<std::string_view> names;
    for (const auto& [name, tensor] : store.tensors) names.push_back(name);
    const std::string nearest = layers::nearest_name(value.name, names);
    if (!nearest.empty()) diagnostic.notes.push_back(fmt::format("the nearest is {}", nearest));
  }
  return diagnostic;
}

}  // namespace

std::vector<std::string> attach_weights(Graph& graph, const WeightStore& store) {
  std::vector<Diagnostic> diagnostics;
  std::set<std::string_view> used;
  std::size_t missing_count = 0;
  constexpr std::size_t missing_limit = 10;  // a wrong file misses every tensor: the first few say it
  for (Value& value : graph.values) {
    if (value.origin != Value::Origin::weight || value.data) continue;
    const auto found = store.tensors.find(value.name);
    if (found == store.tensors.end()) {
      if (++missing_count <= missing_limit) diagnostics.push_back(missing(value, store));
      continue;
    }
    used.insert(found->first);
    const Numbers& data = found->second.data;
    if (data.type().extents != value.type.extents) {
      diagnostics.push_back({Fault::input, value.location,
                             fmt::format("tensor {} is {} in {}, but must be {}", value.name, to_text(data.type()), found->second.file,
                                         to_text(value.type))});
    } else if (data.type().element == value.type.element) {
      value.data = data;
    } else if (widens(data.type().element, value.type.element)) {
      value.data = Numbers(value.type, [data, element = value.type.element] { return widen(data.read(), element); });
    } else {
      diagnostics.push_back({Fault::input, value.location,
                             fmt::format("tensor {} holds {} in {}, which {} cannot hold", value.name, name_of(data.type().element),
                                         found->second.file, name_of(value.type.element))});
    }
  }
  if (missing_count > missing_limit) {
    diagnostics.back().notes.push_back(fmt::format("{} more tensors are missing", missing_count - missing_limit));
  }
  if (!diagnostics.empty()) throw Failure(std::move(diagnostics));

  std::map<std::string, std::vector<std::string>> surplus;
  for (const auto& [name, tensor] : store.tensors) {
    if (!used.contains(name)) surplus[tensor.file].push_back(name);
  }
  std::vector<std::string> notes;
  for (const auto& [file, names] : surplus) {
    notes.push_back(
        fmt::format("{}: {} {} not used: {}", file, names.size(), names.size() == 1 ? "tensor is" : "tensors are", some_of(names)));
  }
  return notes;
}

}  // namespace calotype::passes
