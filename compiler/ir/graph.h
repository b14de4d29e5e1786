#pragma once
/// \file
/// The network as plain data: values, and ops that make them, in an order in which every operand comes before its use.
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ir/attribute.h"
#include "ir/numbers.h"
#include "ir/tensor_type.h"

namespace calotype::frontend::onnx {
struct Model;
}

namespace calotype {

using ValueId = int;
using OpId = int;
inline constexpr ValueId no_value = -1;  ///< an absent optional operand (`_` in the text)
inline constexpr OpId no_op = -1;

/// An extent of a declared input or result: a number, or an expression over symbols.
using Dimension = std::variant<std::int64_t, ExpressionPointer>;

/// What a description states of an input or a result. `dimensions` are in logical order even where the buffer is channels-last.
struct Declaration {
  ElementType element = ElementType::f32;
  std::vector<Dimension> dimensions;
  bool channels_last = false;  ///< the caller's buffer has the channels (logical dimension 1) innermost
  bool stated = false;         ///< false for a result that was written without a type
};

struct Value {
  enum class Origin {
    input,     ///< given by the caller at run time
    op,        ///< result of `producer`
    weight,    ///< a named tensor: `name` in the weight files, or `data` where it stands inline
    constant,  ///< `data`, known at compile time
  };
  std::string name;
  Origin origin = Origin::op;
  TensorType type;       ///< valid once `typed`
  bool typed = false;
  bool implicit = false;   ///< a weight that its layer implies (`conv1.weight`), not written as an operand
  bool trainable = true;   ///< weights: false for running means and variances
  OpId producer = no_op;
  std::optional<Numbers> data = {};
  SourceLocation location = {};
};

struct Op {
  std::string name;  ///< the layer's name: that of its first result
  std::string kind;  ///< name of the layer: "conv", "relu", ...
  std::vector<ValueId> operands;  ///< by position of Layer::operands; missing trailing ones may be left out
  std::vector<ValueId> results;
  Attributes attributes;
  SourceLocation location = {};
};

struct GraphInput {
  ValueId value = no_value;
  Declaration declaration;
};

/// A result of the network: the caller's name for it, and the value that it is.
struct GraphResult {
  std::string name;
  ValueId value = no_value;
  Declaration declaration = {};
  SourceLocation location = {};
};

struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Op> ops;  ///< in execution order
  std::vector<GraphInput> inputs;
  std::vector<GraphResult> results;
  std::vector<std::string> weight_files;  ///< as written, relative to the description
  std::shared_ptr<const SourceFile> source;
  /// An ONNX file whose nodes become ops once symbols are bound (frontend/onnx/convert.h); until then the graph has inputs and results only,
  /// and the results have no values. Null otherwise.
  std::shared_ptr<const frontend::onnx::Model> unconverted;

  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  Op& op(OpId id) { return ops[static_cast<std::size_t>(id)]; }
  const Op& op(OpId id) const { return ops[static_cast<std::size_t>(id)]; }
};

/// Appends the value; the id stays valid for the graph's life.
inline ValueId add_value(Graph& graph, Value value) {
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

/// For each value the ops that read it, in order; a network result does not count.
std::vector<std::vector<OpId>> consumers_of(const Graph& graph);

/// Throws Failure(bug) unless the graph is well formed: ids in range, operands before their use, producers right, names unique.
/// Run after each pass in debug builds and in tests.
void verify(const Graph& graph, const char* after);

}  // namespace calotype
