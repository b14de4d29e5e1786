/// \file
/// Arrays from files and from a generator.
#include "commands/arrays.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <random>

#include "formats/npy.h"
#include "ir/number_format.h"
#include "layers/layer.h"

namespace calotype::commands {
namespace {

const std::string& name_of_input(const Graph& graph, std::size_t index) { return graph.value(graph.inputs[index].value).name; }

std::vector<std::string_view> input_names(const Graph& graph) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) names.push_back(name_of_input(graph, i));
  return names;
}

/// Where the logical dimensions of a declaration lie in the caller's buffer.
std::vector<Dimension> memory_dimensions(const Declaration& declaration) {
  std::vector<Dimension> dimensions = declaration.dimensions;
  if (declaration.channels_last && dimensions.size() > 2) std::rotate(dimensions.begin() + 1, dimensions.begin() + 2, dimensions.end());
  return dimensions;
}

}  // namespace

InputArrays read_inputs(const Graph& graph, const std::vector<std::string>& written) {
  InputArrays arrays(graph.inputs.size());
  const std::vector<std::string_view> names = input_names(graph);
  std::size_t next = 0;  // for those without a name
  for (const std::string& text : written) {
    const std::size_t equals = text.find('=');
    const std::string_view name = std::string_view(text).substr(0, equals == std::string::npos ? 0 : equals);
    const auto found = std::find(names.begin(), names.end(), name);
    auto index = static_cast<std::size_t>(found - names.begin());
    std::string path = text.substr(equals == std::string::npos ? 0 : equals + 1);
    if (found == names.end() || equals == std::string::npos) {
      // A path may hold a '=' of its own.
      if (equals != std::string::npos && !std::filesystem::exists(text)) {
        std::vector<std::string> notes;
        const std::string nearest = layers::nearest_name(name, names);
        if (!nearest.empty()) notes.push_back(fmt::format("did you mean '{}'?", nearest));
        throw Failure(Fault::usage, fmt::format("--input {}: the network has no input of that name", text), {}, std::move(notes));
      }
      while (next < arrays.size() && arrays[next]) ++next;
      if (next == arrays.size())
        throw Failure(Fault::usage, fmt::format("--input {}: the network has {} inputs only", text, arrays.size()));
      index = next;
      path = text;
    } else if (arrays[index]) {
      throw Failure(Fault::usage, fmt::format("--input {}: that input was given already", text));
    }
    arrays[index] = formats::read_npy(path);
  }
  return arrays;
}

void read_inputs_from(const Graph& graph, const std::filesystem::path& folder, InputArrays& arrays) {
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::filesystem::path path = folder / (file_stem(name_of_input(graph, i)) + ".npy");
    if (!arrays[i] && std::filesystem::exists(path)) arrays[i] = formats::read_npy(path.string());
  }
}

void require_all(const Graph& graph, const InputArrays& arrays) {
  std::string missing;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i]) missing += fmt::format("{}{}", missing.empty() ? "" : ", ", name_of_input(graph, i));
  }
  if (missing.empty()) return;
  throw Failure(Fault::usage, fmt::format("no array was given for {}", missing), {}, {"give --input NAME=FILE.npy"});
}

Symbols symbols_from(const Graph& graph, const InputArrays& arrays) {
  Symbols symbols;
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i]) continue;
    const std::vector<Dimension> dimensions = memory_dimensions(graph.inputs[i].declaration);
    const std::vector<std::int64_t>& extents = arrays[i]->type.extents;
    if (extents.size() != dimensions.size()) continue;  // check_inputs says so once shapes are known
    for (std::size_t d = 0; d < dimensions.size(); ++d) {
      const auto* expression = std::get_if<ExpressionPointer>(&dimensions[d]);
      if (expression == nullptr || (*expression)->kind != Expression::Kind::symbol) continue;
      const auto [at, is_new] = symbols.emplace((*expression)->symbol, extents[d]);
      if (is_new || at->second == extents[d]) continue;
      throw Failure(Fault::input,
                    fmt::format("{} is {} in one array and {} in that of {}", at->first, at->second, extents[d], name_of_input(graph, i)));
    }
  }
  return symbols;
}

void check_inputs(const Graph& graph, const InputArrays& arrays) {
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (!arrays[i]) continue;
    const GraphInput& input = graph.inputs[i];
    const TensorType& logical = graph.value(input.value).type;
    const TensorType wanted{logical.element, memory_extents(logical, input.declaration.channels_last)};
    if (arrays[i]->type == wanted) continue;
    // NumPy has no bfloat16: its bits come as they lie, or as unsigned integers.
    if (wanted.element == ElementType::bf16 && arrays[i]->type == TensorType{ElementType::u16, wanted.extents}) continue;
    // NumPy makes arrays of one number out of scalars at every turn.
    if (wanted.extents.empty() && arrays[i]->type == TensorType{wanted.element, {1}}) continue;
    throw Failure(Fault::input,
                  fmt::format("the array for {} is {}, but the network wants {}{}", name_of_input(graph, i), to_text(arrays[i]->type),
                              to_text(wanted), input.declaration.channels_last ? " (channels last)" : ""));
  }
}

void fill_randomly(const Graph& graph, InputArrays& arrays) {
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    if (arrays[i]) continue;
    const GraphInput& input = graph.inputs[i];
    const TensorType& logical = graph.value(input.value).type;
    const TensorType type{logical.element, memory_extents(logical, input.declaration.channels_last)};
    std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
    std::mt19937_64 random(i + 1);
    for (std::int64_t index = 0; index < type.elements(); ++index) {
      const std::uint64_t bits = random();
      if (is_float(type.element)) {
        store_double(bytes, type.element, index, static_cast<double>(bits >> 11) * 0x1p-52 - 1.0);
      } else {
        store_integer(bytes, type.element, index,
                      type.element == ElementType::boolean ? bits >> 63 : static_cast<std::int64_t>(bits >> 60));
      }
    }
    arrays[i] = own(type, std::move(bytes));
  }
}

std::vector<std::int64_t> memory_extents(const TensorType& type, bool channels_last) {
  std::vector<std::int64_t> extents = type.extents;
  if (channels_last && extents.size() > 2) std::rotate(extents.begin() + 1, extents.begin() + 2, extents.end());
  return extents;
}

std::string file_stem(const std::string& name) {
  std::string stem = name;
  for (char& c : stem) {
    const bool stays = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    if (!stays) c = '_';
  }
  return stem;
}

}  // namespace calotype::commands
