/// \file
/// Builds the graph of one layer, evaluates its definition and compares with the reference.
#include "tests/layers/layer_harness.h"

#include <Halide.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "frontend/frontend.h"
#include "layers/definition.h"
#include "passes/passes.h"

namespace calotype::testing {

namespace {

using Json = nlohmann::ordered_json;

/// "f32[1, 3]" as a type.
TensorType type_of(const std::string& text) {
  const std::size_t bracket = text.find('[');
  TensorType type{element_type_of(text.substr(0, bracket)).value(), {}};
  const Json extents = Json::parse(text.substr(bracket));
  for (const Json& extent : extents) type.extents.push_back(extent.get<std::int64_t>());
  return type;
}

/// JSON has no words for what is not finite: the file writes "nan", "inf", "-inf".
double number_of(const Json& json) { return json.is_string() ? std::stod(json.get<std::string>()) : json.get<double>(); }

TensorData tensor_of(const Json& json) {
  const TensorType type = type_of(json.at("type").get<std::string>());
  if (json.contains("seed")) return pattern(type, json.at("seed").get<std::uint32_t>());
  std::vector<double> numbers;
  for (const Json& number : json.at("values")) numbers.push_back(number_of(number));
  return tensor(type, numbers);
}

std::vector<NamedTensor> named_tensors(const Json& json) {
  std::vector<NamedTensor> tensors;
  for (const Json& entry : json) tensors.push_back({entry.at("name").get<std::string>(), tensor_of(entry)});
  return tensors;
}

std::filesystem::path data_folder() { return std::filesystem::path(CALOTYPE_SOURCE_DIR) / "tests" / "layers" / "data"; }

template <typename T>
TensorData convert(const TensorType& type, const std::vector<double>& numbers) {
  std::vector<T> converted;
  for (const double number : numbers) {
    if constexpr (std::is_same_v<T, Halide::float16_t> || std::is_same_v<T, Halide::bfloat16_t>) {
      converted.emplace_back(static_cast<float>(number));
    } else {
      converted.push_back(static_cast<T>(number));
    }
  }
  return own(type, std::move(converted));
}

/// A buffer of its own: files give bytes that may be unaligned.
Halide::Buffer<> buffer_of(const TensorData& data) {
  std::vector<int> sizes;
  for (const std::int64_t extent : layers::storage_order(data.type.extents)) sizes.push_back(static_cast<int>(extent));
  Halide::Buffer<> buffer(layers::halide_type(data.type.element), sizes);
  if (!data.bytes.empty()) std::memcpy(buffer.data(), data.bytes.data(), data.bytes.size());
  return buffer;
}

TensorData numbers_of(const Graph& graph, const Value& value, const LayerCase& layer_case, const WeightStore& weights) {
  for (const NamedTensor& input : layer_case.inputs) {
    if (input.name == value.name) return input.data;
  }
  if (value.data) return value.data->read();
  const auto found = weights.tensors.find(value.name);
  if (found == weights.tensors.end())
    throw Failure(Fault::bug, fmt::format("the case gives no numbers for {} of {}", value.name, graph.name));
  return found->second.data.read();
}

Graph build(const std::string& statement, const std::vector<NamedTensor>& inputs, std::size_t results) {
  std::string text = "network case(";
  for (const NamedTensor& input : inputs)
    text += fmt::format("{}{}: {}", &input == inputs.data() ? "" : ", ", input.name, to_text(input.data.type));
  std::string names = "y";
  for (std::size_t i = 1; i < results; ++i) names += fmt::format(", y{}", i);
  text += fmt::format(") -> {} {{\n  {} = {}\n}}\n", names, names, statement);
  Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"case.layers", text}));
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  return graph;
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const LayerCase& layer_case) {
  return stream << layer_case.description << ": " << layer_case.statement;
}

std::vector<LayerCase> read_cases(const std::string& name) {
  std::ifstream file(data_folder() / (name + ".json"));
  if (!file) throw Failure(Fault::machine, fmt::format("cannot read the cases of {}", name));
  std::vector<LayerCase> cases;
  for (const Json& json : Json::parse(file)) {
    LayerCase layer_case;
    layer_case.description = json.at("description").get<std::string>();
    layer_case.statement = json.at("statement").get<std::string>();
    layer_case.inputs = named_tensors(json.at("inputs"));
    if (json.contains("weights")) layer_case.weights = named_tensors(json.at("weights"));
    for (const Json& result : json.at("expected")) layer_case.expected.push_back(tensor_of(result));
    layer_case.tolerance = json.value("tolerance", layer_case.tolerance);
    cases.push_back(std::move(layer_case));
  }
  return cases;
}

std::vector<LayerCase> all_cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder())) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  std::vector<LayerCase> cases;
  for (const std::string& name : names) {
    for (LayerCase& layer_case : read_cases(name)) {
      layer_case.description = name + ": " + layer_case.description;
      cases.push_back(std::move(layer_case));
    }
  }
  return cases;
}

TensorData tensor(const TensorType& type, const std::vector<double>& numbers) {
  if (static_cast<std::int64_t>(numbers.size()) != type.elements()) {
    throw Failure(Fault::bug, fmt::format("{} numbers for {}", numbers.size(), to_text(type)));
  }
  switch (type.element) {
    case ElementType::f64: return convert<double>(type, numbers);
    case ElementType::f32: return convert<float>(type, numbers);
    case ElementType::f16: return convert<Halide::float16_t>(type, numbers);
    case ElementType::bf16: return convert<Halide::bfloat16_t>(type, numbers);
    case ElementType::i8: return convert<std::int8_t>(type, numbers);
    case ElementType::boolean:
    case ElementType::u8: return convert<std::uint8_t>(type, numbers);
    case ElementType::i16: return convert<std::int16_t>(type, numbers);
    case ElementType::u16: return convert<std::uint16_t>(type, numbers);
    case ElementType::i32: return convert<std::int32_t>(type, numbers);
    case ElementType::u32: return convert<std::uint32_t>(type, numbers);
    case ElementType::i64: return convert<std::int64_t>(type, numbers);
    case ElementType::u64: return convert<std::uint64_t>(type, numbers);
  }
  throw Failure(Fault::bug, "an element type without a C type");
}

TensorData tensor(std::vector<std::int64_t> extents, const std::vector<double>& numbers) {
  return tensor(TensorType{ElementType::f32, std::move(extents)}, numbers);
}

TensorData arange(std::vector<std::int64_t> extents) {
  TensorType type{ElementType::f32, std::move(extents)};
  std::vector<double> numbers(static_cast<std::size_t>(type.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<double>(i);
  return tensor(type, numbers);
}

TensorData pattern(const TensorType& type, std::uint32_t seed) {
  std::vector<double> numbers(static_cast<std::size_t>(type.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    std::uint32_t mixed = (static_cast<std::uint32_t>(i) + seed * 1000003u) * 2654435761u;
    mixed ^= mixed >> 15;
    mixed *= 2246822519u;
    mixed ^= mixed >> 13;
    const std::uint32_t high = mixed >> 8;
    numbers[i] = type.element == ElementType::boolean ? high % 2
                 : is_float(type.element)             ? (static_cast<double>(high % 2049) - 1024) / 1024
                                                      : high % 101;
  }
  return tensor(type, numbers);
}

Graph build_graph(const LayerCase& layer_case) {
  return build(layer_case.statement, layer_case.inputs, std::max<std::size_t>(1, layer_case.expected.size()));
}

WeightStore weights_of(const LayerCase& layer_case) {
  WeightStore store;
  for (const NamedTensor& weight : layer_case.weights)
    store.tensors.insert_or_assign("y." + weight.name, StoredTensor{weight.data, "case.safetensors"});
  return store;
}

std::vector<TensorData> evaluate_definition(const Graph& graph, const LayerCase& layer_case) {
  const Op& op = graph.ops.back();
  const layers::Layer* layer = layers::find_layer(op.kind);
  const layers::Definition* definition = layers::find_definition(op.kind);
  if (layer == nullptr || definition == nullptr) throw Failure(Fault::bug, fmt::format("no definition of {}", op.kind));
  const layers::Call call(*layer, graph, op);
  const WeightStore weights = weights_of(layer_case);

  std::vector<layers::Tensor> operands;
  for (const ValueId id : op.operands) {
    if (id == no_value) {
      operands.emplace_back();
      continue;
    }
    const Halide::Buffer<> buffer = buffer_of(numbers_of(graph, graph.value(id), layer_case, weights));
    operands.push_back({graph.value(id).type, [buffer](const layers::Index& index) { return buffer(layers::storage_order(index)); }});
  }

  std::vector<TensorData> results;
  for (int i = 0; i < call.result_count(); ++i) {
    const TensorType& type = call.result(i);
    const std::vector<Halide::Var> variables = layers::index_variables(type.rank());
    layers::Stages stages;
    Halide::Func y("y");
    y(layers::storage_order(variables)) = definition->define(call, operands, {variables.begin(), variables.end()}, stages, i);
    for (Halide::Func& stage : stages.accumulators) stage.compute_root();
    for (Halide::Func& stage : stages.shared) stage.compute_root();

    TensorData result = tensor(type, std::vector<double>(static_cast<std::size_t>(type.elements())));
    Halide::Buffer<> buffer = buffer_of(result);
    // As in generated code: only contractions may re-associate.
    Halide::Target target = Halide::get_jit_target_from_environment();
    if (!layer->traits.reduces_channels) target.set_feature(Halide::Target::StrictFloat);
    if (type.elements() > 0) y.realize(Halide::Pipeline::RealizationArg(buffer), target);
    auto bytes = std::make_shared<std::vector<std::byte>>(result.bytes.size());
    if (!bytes->empty()) std::memcpy(bytes->data(), buffer.data(), bytes->size());
    results.push_back({type, std::span<const std::byte>(*bytes), bytes});
  }
  return results;
}

std::string difference(const TensorData& actual, const TensorData& expected, double tolerance) {
  if (actual.type != expected.type) return fmt::format("type is {}, expected {}", to_text(actual.type), to_text(expected.type));
  double largest = 1;
  for (std::int64_t i = 0; i < expected.type.elements(); ++i) {
    const double number = std::abs(load_as_double(expected, i));
    if (std::isfinite(number)) largest = std::max(largest, number);
  }
  for (std::int64_t i = 0; i < expected.type.elements(); ++i) {
    const double a = load_as_double(actual, i);
    const double e = load_as_double(expected, i);
    const bool agree =
        std::isfinite(a) && std::isfinite(e) ? std::abs(a - e) <= tolerance * largest : a == e || (std::isnan(a) && std::isnan(e));
    if (!agree) return fmt::format("element {} of {} is {:.9g}, expected {:.9g}", i, to_text(expected.type), a, e);
  }
  return {};
}

void expect_definition_agrees(const LayerCase& layer_case) {
  try {
    const Graph graph = build_graph(layer_case);
    const std::vector<TensorData> actual = evaluate_definition(graph, layer_case);
    ASSERT_EQ(actual.size(), layer_case.expected.size());
    for (std::size_t i = 0; i < actual.size(); ++i)
      EXPECT_EQ(difference(actual[i], layer_case.expected[i], layer_case.tolerance), "") << layer_case;
  } catch (const Failure& failure) {
    FAIL() << layer_case << "\n" << render(failure);
  }
}

void expect_exactly(const std::string& statement, const std::vector<NamedTensor>& inputs, const std::vector<TensorData>& expected) {
  LayerCase layer_case;
  layer_case.description = "by hand";
  layer_case.statement = statement;
  layer_case.inputs = inputs;
  layer_case.expected = expected;
  layer_case.tolerance = 0;
  expect_definition_agrees(layer_case);
}

std::string build_error(const std::string& statement, const std::vector<NamedTensor>& inputs) {
  try {
    build(statement, inputs, 1);
  } catch (const Failure& failure) {
    return render(failure);
  }
  ADD_FAILURE() << "no error: " << statement;
  return {};
}

std::string test_name(const LayerCase& layer_case) {
  std::string name = layer_case.description;
  for (char& letter : name) {
    if (std::isalnum(static_cast<unsigned char>(letter)) == 0) letter = '_';
  }
  return name;
}

}  // namespace calotype::testing
