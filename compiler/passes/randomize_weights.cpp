/// \file
/// Random weights that keep a deep network's values in a sane range, for timing and for comparing implementations without trained weights.
/// A number depends on the seed, the weight's name and its index only, so that networks which share names share weights.
#include <algorithm>
#include <cmath>
#include <string_view>

#include "ir/number_format.h"
#include "layers/layer.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

/// splitmix64 (Steele, Lea, Flood 2014): the sequence's element `index`, computed directly.
std::uint64_t mix(std::uint64_t key, std::uint64_t index) {
  std::uint64_t z = key + (index + 1) * 0x9e3779b97f4a7c15U;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

/// FNV-1a of the name, mixed with the seed.
std::uint64_t key_of(std::string_view name, std::uint64_t seed) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return mix(hash, seed);
}

/// Near enough to a normal number of variance 1: four uniform 16-bit numbers summed. Only exact arithmetic, so the bits are the same
/// with every C library.
double bell(std::uint64_t bits) {
  double sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<double>((bits >> (16 * i)) & 0xffffU) + 0.5;
  return (sum / 65536.0 - 2.0) * 1.7320508075688772;
}

double uniform(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

/// What a weight's numbers look like.
struct Spread {
  double mean = 0;
  double deviation = 0.1;
  bool is_variance = false;  ///< uniform in [0.5, 1.5] in place of a bell
};

/// By the operand as which its first reader takes it.
Spread spread_of(const Value& value, std::string_view operand, bool rows_are_channels) {
  if (operand == "running_var") return {.is_variance = true};
  if (operand == "running_mean") return {};
  if (operand == "bias") return {.mean = 0, .deviation = 0.05};
  if (value.type.rank() < 2) return {.mean = 1, .deviation = 0.1};
  // He and others 2015: deviation sqrt(2 / fan-in). Axis 0 holds the filters, or the inputs in transposed convolutions.
  const std::int64_t filters = value.type.extents[rows_are_channels ? 0 : 1];
  const double fan_in = static_cast<double>(value.type.elements()) / static_cast<double>(std::max<std::int64_t>(1, filters));
  return {.mean = 0, .deviation = std::sqrt(2.0 / std::max(1.0, fan_in))};
}

double real_of(const Spread& spread, std::uint64_t bits) {
  return spread.is_variance ? 0.5 + uniform(bits) : spread.mean + spread.deviation * bell(bits);
}

TensorData numbers_of(const TensorType& type, const Spread& spread, std::uint64_t key) {
  if (type.element == ElementType::f32) {  // nearly all, and worth a loop of its own
    std::vector<float> numbers(static_cast<std::size_t>(type.elements()));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(real_of(spread, mix(key, i)));
    return own(type, std::move(numbers));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  for (std::int64_t i = 0; i < type.elements(); ++i) {
    const std::uint64_t bits = mix(key, static_cast<std::uint64_t>(i));
    if (!is_float(type.element)) {
      store_integer(bytes, type.element, i, static_cast<std::int64_t>(bits >> 60) & (type.element == ElementType::boolean ? 1 : 15));
    } else {
      store_double(bytes, type.element, i, real_of(spread, bits));
    }
  }
  return own(type, std::move(bytes));
}

}  // namespace

void randomize_weights(Graph& graph, std::uint64_t seed) {
  const auto fill = [&](ValueId id, std::string_view operand, bool rows_are_channels) {
    Value& value = graph.value(id);
    if (value.origin != Value::Origin::weight || value.data) return;
    value.data = Numbers(value.type, [type = value.type, spread = spread_of(value, operand, rows_are_channels),
                                      key = key_of(value.name, seed)] { return numbers_of(type, spread, key); });
  };
  for (const Op& op : graph.ops) {
    const layers::Layer* layer = layers::find_layer(op.kind);
    if (layer == nullptr) continue;
    const auto operands = layers::operands_of(*layer);
    for (std::size_t i = 0; i < op.operands.size(); ++i) {
      if (op.operands[i] == no_value) continue;
      fill(op.operands[i], i < operands.size() ? operands[i].name : std::string_view(), layer->traits.weight_rows_are_channels);
    }
  }
  for (ValueId id = 0; static_cast<std::size_t>(id) < graph.values.size(); ++id) fill(id, {}, true);  // those that nothing reads
}

}  // namespace calotype::passes
