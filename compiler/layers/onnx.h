#pragma once
/// \file
/// How ONNX's operators become layers. A layer lists the forms in which ONNX writes it, in its own source file; the walk over a file's nodes
/// (frontend/onnx/convert.h) looks them up by operator and opset and knows no operator itself.
///
/// To add an operator to a layer:
///
///   constexpr OnnxForm leaky_relu_onnx[] = {{.op_type = "LeakyRelu", .attributes = {onnx::attribute("alpha", "slope")}}};
///   extern constinit const Layer leaky_relu = {.name = "leaky_relu", ..., .onnx = leaky_relu_onnx};
///
///   - `inputs` says what each ONNX input is. Without it, inputs are the operands in order. onnx::operand("x") is the operand of that name, a
///     variadic one takes all that follow. onnx::argument("shape") is a compile-time constant that becomes the argument `shape`.
///   - `attributes` lists every attribute of the operator: any other refuses the node. onnx::attribute(theirs, ours, their default where it
///     differs), onnx::flag (0 or 1 to a boolean), onnx::word (a string to a word; "NEAREST=nearest" renames), onnx::type (a data type),
///     onnx::only (must have this value), onnx::ignored, onnx::adapted (read by `adapt`).
///   - What does not fit is a function: `.adapt = adapt_conv`. It may take the statement that the table makes, change it and emit it, or emit
///     any number of layers (OnnxBuilder). It is called with every operand typed; builder.known(value) gives a value's numbers if they are
///     known by now, builder.integers(i) those of an input that must be known. An adapt without use for the node's result binds nothing.
///   - An operator that has changed over the opsets has one form for each range: `.since = 7, .until = 12`.
///   - A weight operand (Operand::Kind::weight) that the node leaves out gets `name=false` if the layer has such an argument.
///   - Where an input that decides shapes may arrive at run time, `.suppose = ` lists what it can be (layers/suppositions.h).
///   - An operator that is no layer of its own (Gemm, Shape) has its form beside the layer it comes nearest to, or in layers/onnx_expansions.cpp.
///
/// What is constant is folded on emission, by interpreting the layer's definition; adapt functions need not care.
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ir/failure.h"
#include "ir/graph.h"

namespace calotype::layers {

struct Layer;
struct OnnxSubgraph;
class OnnxBuilder;

/// Thrown where a node needs numbers that arrive at run time.
struct UnknownNumbers : Failure {
  using Failure::Failure;
};

/// Numbers that inputs of a node would have to hold at run time so that its outputs get the shapes which the file declares for them.
struct Supposition {
  std::map<std::size_t, TensorData> inputs = {};  ///< by number of the input
  std::vector<ValueId> holds = {};  ///< bool: all true where they do hold them, or what comes to the same
};

/// Opsets of the domain ai.onnx that are read. The newest is that of the pinned onnx package. Below 7 elementwise operators broadcast by attributes;
/// an operator that meant something else then has a form of its own or none.
inline constexpr int oldest_onnx_opset = 1;
inline constexpr int newest_onnx_opset = 25;

/// An attribute as the file has it. Sparse tensors and types are kept by name only.
struct OnnxAttribute {
  struct Unreadable {
    std::string what;  ///< "a sparse tensor"
  };
  std::string name;
  /// A float is the double that is nearest to its shortest decimal text: 0.1f is 0.1.
  std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>, std::vector<double>, std::vector<std::string>, TensorData,
               std::shared_ptr<const OnnxSubgraph>, Unreadable>
      value;
};

/// A node after functions were expanded. Absent inputs and outputs are empty names.
struct OnnxNode {
  std::string name;
  std::string op_type;
  std::string domain;  ///< empty for ai.onnx
  std::string overload;  ///< of a function
  int opset = 0;  ///< the version of its domain
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxAttribute> attributes;

  const OnnxAttribute* find(std::string_view attribute) const;
  bool has_input(std::size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  bool has_output(std::size_t i) const { return i < outputs.size() && !outputs[i].empty(); }
  // The attribute's value, or `fallback` where the node has none. Throw Failure(input) for another kind.
  std::int64_t integer(std::string_view attribute, std::int64_t fallback) const;
  double real(std::string_view attribute, double fallback) const;
  std::string text(std::string_view attribute, std::string_view fallback) const;
  std::vector<std::int64_t> integers(std::string_view attribute) const;  ///< empty where absent
  std::vector<double> reals(std::string_view attribute) const;  ///< empty where absent
};

/// What one ONNX input is to us.
struct OnnxInput {
  enum class Kind {
    none,
    operand,  ///< the operand `name`
    argument,  ///< numbers known at compile time, the argument `name`
    adapted,  ///< read by `adapt`
  };
  Kind kind = Kind::none;
  std::string_view name = {};
};

/// What one ONNX attribute is to us.
struct OnnxArgument {
  enum class Kind { none, as_is, flag, word, type, only, ignored, adapted };
  Kind kind = Kind::none;
  std::string_view onnx = {};  ///< name in ONNX
  std::string_view argument = {};  ///< name of the argument
  std::string_view fallback = {};  ///< as_is, flag, word: ONNX's default where the argument's differs; only: the one value
  std::string_view words = {};  ///< word: renamed values, "theirs=ours" separated by spaces
};

namespace onnx {

constexpr OnnxInput operand(std::string_view name) { return {OnnxInput::Kind::operand, name}; }
constexpr OnnxInput argument(std::string_view name) { return {OnnxInput::Kind::argument, name}; }
constexpr OnnxInput adapted(std::string_view name) { return {OnnxInput::Kind::adapted, name}; }

constexpr OnnxArgument attribute(std::string_view theirs, std::string_view ours, std::string_view fallback = {}) {
  return {OnnxArgument::Kind::as_is, theirs, ours, fallback};
}
constexpr OnnxArgument flag(std::string_view theirs, std::string_view ours, std::string_view fallback = {}) {
  return {OnnxArgument::Kind::flag, theirs, ours, fallback};
}
constexpr OnnxArgument word(std::string_view theirs, std::string_view ours, std::string_view fallback = {}, std::string_view renamed = {}) {
  return {OnnxArgument::Kind::word, theirs, ours, fallback, renamed};
}
constexpr OnnxArgument type(std::string_view theirs, std::string_view ours) { return {OnnxArgument::Kind::type, theirs, ours}; }
constexpr OnnxArgument only(std::string_view theirs, std::string_view value) { return {OnnxArgument::Kind::only, theirs, {}, value}; }
constexpr OnnxArgument ignored(std::string_view theirs) { return {OnnxArgument::Kind::ignored, theirs}; }
constexpr OnnxArgument adapted_attribute(std::string_view theirs) { return {OnnxArgument::Kind::adapted, theirs}; }

}  // namespace onnx

/// One way in which ONNX writes a layer.
struct OnnxForm {
  std::string_view op_type;
  int since = 1;
  int until = 1000;
  OnnxInput inputs[16] = {};  ///< ends at the first of kind none
  OnnxArgument attributes[16] = {};  ///< ends at the first of kind none
  void (*adapt)(const OnnxNode& node, OnnxBuilder& builder) = nullptr;
  /// For operators with inputs that decide shapes (layers/suppositions.h): what they can be, where the numbers arrive at run time but the shapes of
  /// the outputs are declared. Each is tried; those that give the declared shapes are kept, and which of them holds is found at run time.
  std::vector<Supposition> (*suppose)(const OnnxNode& node, OnnxBuilder& builder) = nullptr;
  bool takes_late = false;  ///< `adapt` itself takes numbers that decide shapes at run time, where the shape of the result is declared
  std::string_view note = {};  ///< a restriction, for docs/onnx-operators.md
};

/// The form of that operator at that opset and the layer that lists it, or nulls.
struct OnnxMatch {
  const Layer* layer = nullptr;
  const OnnxForm* form = nullptr;
};
OnnxMatch find_onnx_form(std::string_view op_type, int opset);

/// Is the operator listed for any opset?
bool is_onnx_operator(std::string_view op_type);

/// Forms of operators that are no layer of their own (layers/onnx_expansions.cpp).
std::span<const OnnxForm> onnx_expansions();

/// ONNX's number for an element type (TensorProto.DataType), or nothing for one that Calotype has not. And the other way round.
std::optional<ElementType> element_type_of_onnx(std::int64_t number);

/// What an adapt function builds with. Values live in one graph; a value's type is always known.
class OnnxBuilder {
 public:
  /// Adds the op (typed, weights checked) or folds it; returns its results. Set by the walk.
  using Emit = std::function<std::vector<ValueId>(Op op)>;
  /// Says how the value depends on inputs of the network: a clause for messages.
  using Explain = std::function<std::string(ValueId)>;
  /// The extents that the file declares for a value of that name, or null.
  using Declared = std::function<const std::vector<std::int64_t>*(const std::string&)>;
  /// Adds the layers of a node's body (layers/onnx_subgraph.h), which reads these values as its inputs; returns its outputs.
  using Inline = std::function<std::vector<ValueId>(const OnnxSubgraph& body, const std::vector<ValueId>& inputs, const std::string& name)>;
  struct Surroundings {
    Emit emit;
    Explain explain;
    Declared declared;
    Inline inline_body;
  };

  OnnxBuilder(Graph& graph, const OnnxNode& node, const Layer* layer, const OnnxForm& form, std::vector<ValueId> inputs,
              Surroundings surroundings);

  const OnnxNode& node() const { return node_; }
  const Graph& graph() const { return graph_; }

  // The node's inputs.
  std::size_t input_count() const { return inputs_.size(); }
  bool has(std::size_t i) const { return i < inputs_.size() && inputs_[i] != no_value; }
  /// Throws Failure(input) where the node leaves it out.
  ValueId input(std::size_t i) const;
  ValueId input_or_none(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : no_value; }

  const TensorType& type(ValueId value) const { return graph_.value(value).type; }
  const std::vector<std::int64_t>& extents(ValueId value) const { return type(value).extents; }
  bool is_known(ValueId value) const;
  /// The numbers, if they are known at compile time.
  std::optional<TensorData> known(ValueId value) const;
  /// The extents that the file declares for output i of the node, all of them numbers; else null.
  const std::vector<std::int64_t>* declared(std::size_t i) const;
  // Numbers of an input that must be known at compile time. Throw UnknownNumbers (unsupported) that names the run-time input and --bind.
  TensorData require_known(std::size_t i) const;
  std::vector<std::int64_t> integers(std::size_t i) const;
  std::vector<double> reals(std::size_t i) const;

  /// The statement that the tables of the form and the layer make of this node; its results are for `emit` to add.
  Op statement() const;
  /// Adds a layer; its results are new values. `results` for layers with several.
  std::vector<ValueId> emit_all(Op op, int results);
  ValueId emit(Op op) { return emit_all(std::move(op), 1).front(); }
  ValueId emit(std::string kind, std::vector<ValueId> operands, Attributes attributes = {});
  /// A value whose numbers are these.
  ValueId constant(TensorData data, std::string name = {});
  ValueId constant(ElementType element, double number);  ///< a scalar
  ValueId constant(const std::vector<std::int64_t>& numbers);  ///< i64[n]

  /// What the value depends on in the network: a clause for messages about numbers that are not known.
  std::string explain(ValueId value) const { return surroundings_.explain(value); }
  /// Adds the layers of a body of this node; `name` tells it from the node's others. Its outputs, no_value for one that nothing makes.
  std::vector<ValueId> inline_body(const OnnxSubgraph& body, const std::vector<ValueId>& inputs, const std::string& name) {
    return surroundings_.inline_body(body, inputs, name);
  }

  /// Output i of the node is this value.
  void bind(std::size_t output, ValueId value);
  const std::vector<ValueId>& outputs() const { return outputs_; }

  [[noreturn]] void unsupported(std::string message) const;  ///< Failure(unsupported)
  [[noreturn]] void fail(std::string message) const;  ///< Failure(input): the file breaks ONNX's rules

 private:
  Graph& graph_;
  const OnnxNode& node_;
  const Layer* layer_;
  const OnnxForm& form_;
  std::vector<ValueId> inputs_;
  std::vector<ValueId> outputs_;
  Surroundings surroundings_;
};

// Attributes of statements.
NamedAttribute named(std::string_view name, std::int64_t number);
NamedAttribute named(std::string_view name, double number);
NamedAttribute named(std::string_view name, bool flag);
NamedAttribute named_word(std::string_view name, std::string_view word);
NamedAttribute named(std::string_view name, const std::vector<std::int64_t>& numbers);
NamedAttribute named(std::string_view name, const std::vector<double>& numbers);

/// auto_pad and pads as our `padding`, dropped where that is the default (valid). For windows of `rank` spatial dimensions.
void adapt_padding(const OnnxNode& node, const OnnxBuilder& builder, std::size_t rank, Attributes& attributes);

}  // namespace calotype::layers
