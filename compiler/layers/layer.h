#pragma once
/// \file
/// What a layer is, apart from its arithmetic: a constant table of names, arguments and small functions. No Halide here, so that `summary`
/// starts without it; the arithmetic is the layer's Definition (layers/definition.h), in the same source file.
///
/// Tables are constant-initialised: nothing runs before main, and a linker drops the definitions that an executable does not use.
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "layers/onnx.h"

namespace calotype::layers {

class Call;

/// How an argument may be written.
enum class ArgumentKind {
  integer,            ///< 3
  real,               ///< 1e-5, 2, inf
  boolean,            ///< true
  word,               ///< relu; `choices` lists what is allowed where that is fixed
  extents,            ///< 3x3, [3, 3], or 3 for every spatial dimension
  padding,            ///< valid, same, same_lower, a number, extents, or [begin..., end...]
  integers,           ///< [1, -2] or a lone integer
  reals,              ///< [0.5, 2] or a lone number
  type,               ///< f32
  text,               ///< a string in quotes
  tensor,             ///< nested lists of numbers
  boolean_or_tensor,  ///< bias=false, bias=[0.5, 1]
};

/// One named argument. `fallback` is the default as it would be written; a required argument has none.
struct Argument {
  std::string_view name = {};
  ArgumentKind kind = ArgumentKind::integer;
  bool is_required = false;
  std::string_view fallback = {};
  std::string_view choices = {};  ///< words separated by spaces, or empty
};

constexpr Argument required(std::string_view name, ArgumentKind kind, std::string_view choices = {}) {
  return {name, kind, true, {}, choices};
}

/// With an empty fallback the argument is absent unless written: ask Call::has_argument.
constexpr Argument optional(std::string_view name, ArgumentKind kind, std::string_view fallback = {}, std::string_view choices = {}) {
  return {name, kind, false, fallback, choices};
}

/// One positional operand.
struct Operand {
  enum class Kind {
    required,
    optional,  ///< may be `_` or left out
    weight,    ///< stands in the weight files as LAYER.name unless written as an operand or inline as the argument of that name
    variadic,  ///< any number from here on, at least one; must be last
  };
  std::string_view name = {};
  Kind kind = Kind::required;
};

/// What passes ask of a layer; never its name.
struct Traits {
  bool is_elementwise = false;  ///< each result element reads operand 0, and every operand of the result's shape, only at its own index
  bool is_activation = false;  ///< elementwise with one operand and usable as activation=NAME
  bool reduces_channels = false;  ///< a contraction over input channels: may re-associate its sums
  bool takes_epilogue = false;  ///< elementwise layers that follow may be fused into it
  bool keeps_channels = false;  ///< result channel c reads only channel c of operand 0: runs on channel-blocked data as it is
  bool is_identity = false;  ///< the result is operand 0 bit for bit, element for element in row-major order (reshape, flatten, dropout)
  bool joins_operands = false;  ///< the result is the operands one after the other along the argument `axis` (concat)
  bool weight_rows_are_channels = false;  ///< axis 0 of operand `weight` walks the result's channels: a scale of channels folds into it
  bool is_check = false;  ///< looks at numbers that arrive at run time: runs although nothing reads its result
  bool is_source = false;  ///< has no operand (parameter, constant): never gets the value above as its operand
};

/// A tensor that belongs to a layer.
struct WeightSpecification {
  std::string_view name;  ///< of the operand: "weight", "bias", "running_mean"
  TensorType type;
  bool trainable = true;
};

/// y[c] = scale[c] * x[c] + shift[c], one number for each channel.
struct ChannelAffine {
  std::vector<double> scale, shift;
};

/// What the integers of an operand must lie between to be places in a tensor: one pair, or one for each place along the operand's last dimension.
struct IndexRange {
  int operand = 0;
  std::vector<std::int64_t> least, most;
};

/// A layer. `infer` and the other functions throw Failure that names the argument at fault.
struct Layer {
  std::string_view name;
  Operand operands[8] = {};  ///< ends at the first empty name
  Argument arguments[24] = {};  ///< ends at the first empty name
  Traits traits = {};
  int results = 1;  ///< 0: as many as the statement names (split)

  /// Types of the results. All operands are typed; weights have the types that `weights` asked for.
  std::vector<TensorType> (*infer)(const Call&) = nullptr;
  /// The weights that this call has, in operand order; called before `infer`, when only the non-weight operands are typed for certain.
  std::vector<WeightSpecification> (*weights)(const Call&) = nullptr;
  /// Multiply-adds of a run, after `infer`; null for layers that do not count.
  std::int64_t (*multiply_adds)(const Call&) = nullptr;
  /// The parameter count in words: "56 filters x 5 channels x 4x4 = 4,480 weights + 56 biases".
  std::string (*explain)(const Call&) = nullptr;
  /// For a layer that only scales and shifts channels by known weights (batch_norm): those numbers, in double. Its weights have data.
  ChannelAffine (*channel_affine)(const Call&) = nullptr;
  /// Operands whose numbers are indices; after `infer`. The definition clamps them, and what is out of range is reported (passes/check_indices.cpp).
  std::vector<IndexRange> (*indices)(const Call&) = nullptr;
  /// How ONNX writes it (layers/onnx.h): an array in the layer's source file.
  std::span<const OnnxForm> onnx = {};
};

std::span<const Operand> operands_of(const Layer& layer);
std::span<const Argument> arguments_of(const Layer& layer);

/// Every layer, sorted by name (generated from compiler/layers/CMakeLists.txt).
std::span<const Layer* const> all_layers();

/// The layer of that name, or null.
const Layer* find_layer(std::string_view name);

/// How many operands come before the window of a padding: cells added at the beginning and end of each spatial dimension.
struct Padding {
  enum class Mode { explicit_cells, valid, same, same_lower };
  Mode mode = Mode::valid;
  std::vector<std::int64_t> begin, end;  ///< one per spatial dimension where explicit
};

/// A view of one op in its graph, with its arguments read and defaults filled in. Cheap to make; refers to graph and op.
class Call {
 public:
  Call(const Layer& layer, const Graph& graph, const Op& op) : layer_(&layer), graph_(&graph), op_(&op) {}

  const Layer& layer() const { return *layer_; }
  const Graph& graph() const { return *graph_; }
  const Op& op() const { return *op_; }

  /// Number of operands present or `_`, weights included once they were attached.
  int operand_count() const { return static_cast<int>(op_->operands.size()); }
  bool has(int position) const;
  bool has(std::string_view operand) const;
  /// The value at that position or of that operand name; throws Failure(input) if it is absent.
  const Value& operand(int position) const;
  const Value& operand(std::string_view name) const;
  const TensorType& type(int position = 0) const { return operand(position).type; }
  /// Type of a result; valid after `infer`.
  const TensorType& result(int index = 0) const;
  int result_count() const { return static_cast<int>(op_->results.size()); }

  /// Is the argument written or does it have a default?
  bool has_argument(std::string_view name) const;
  bool is_written(std::string_view name) const { return find(op_->attributes, name) != nullptr; }
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  bool boolean(std::string_view name) const;  ///< boolean_or_tensor: a tensor counts as true
  std::string word(std::string_view name) const;
  std::vector<std::int64_t> integers(std::string_view name) const;
  std::vector<double> reals(std::string_view name) const;
  ElementType element_type(std::string_view name) const;
  /// One number for each of `rank` spatial dimensions; a lone number stands for all. Each is at least `least`.
  std::vector<std::int64_t> extents(std::string_view name, int rank, std::int64_t least = 1) const;
  Padding padding(std::string_view name, int rank) const;
  /// `integer` taken as an axis of a tensor of that rank: negative counts from the end; throws if out of range.
  int axis(std::string_view name, int rank) const;
  /// `integers` as distinct axes, in the order written.
  std::vector<int> axes(std::string_view name, int rank) const;

  /// Throws Failure(input) that points at the argument (or at the statement if it is not written).
  [[noreturn]] void fail(std::string_view argument, std::string message, std::vector<std::string> notes = {}) const;
  /// Throws Failure(input) that points at the statement.
  [[noreturn]] void fail(std::string message, std::vector<std::string> notes = {}) const { fail({}, std::move(message), std::move(notes)); }
  /// Throws Failure(unsupported) that points at the statement.
  [[noreturn]] void unsupported(std::string message) const;

 private:
  const Layer* layer_;
  const Graph* graph_;
  const Op* op_;
};

/// Checks names and kinds of an op's arguments and the number of its operands against the layer's table; all mistakes at once,
/// with "did you mean". Called by the front ends after a statement is read and before symbols are bound (expressions pass as integers).
std::vector<Diagnostic> check_arguments(const Layer& layer, const Op& op);

/// The name in `candidates` nearest to `name` in edit distance, if near enough to suggest; else empty.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& candidates);

/// 1234567 -> "1,234,567"
std::string with_commas(std::int64_t number);

}  // namespace calotype::layers
