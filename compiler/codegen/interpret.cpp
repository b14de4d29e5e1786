/// \file
/// The results of layers whose operands are known. Small ones are interpreted, since compiling alone takes tens of milliseconds; large ones are
/// compiled in memory by Halide and run.
#include "codegen/interpret.h"

#include <Halide.h>
#include <fmt/format.h>

#include <algorithm>

#include "codegen/tape.h"
#include "codegen/tape_step.h"
#include "layers/definition.h"

namespace calotype::codegen {
namespace {

using layers::Call;
using layers::Index;
using layers::Stages;
using layers::Tensor;

/// Steps that are interpreted: a fraction of a second.
constexpr double step_limit = 2e7;
constexpr std::int64_t byte_limit = std::int64_t{1} << 33U;

/// The operand's numbers as an image. Halide's dimensions are ours reversed; bytes that lie unaligned in a file are copied.
struct Operand {
  TensorData data;
  std::vector<std::byte> copy;
  Halide::Buffer<> image;
};

Operand operand_of(TensorData data) {
  Operand operand;
  const std::byte* bytes = data.bytes.data();
  const auto width = static_cast<std::size_t>(bytes_of(data.type.element));
  if (reinterpret_cast<std::uintptr_t>(bytes) % width != 0) {
    operand.copy.assign(data.bytes.begin(), data.bytes.end());
    bytes = operand.copy.data();
  }
  std::vector<int> sizes;
  for (auto extent = data.type.extents.rbegin(); extent != data.type.extents.rend(); ++extent) sizes.push_back(static_cast<int>(*extent));
  operand.image = Halide::Buffer<>(layers::halide_type(data.type.element), const_cast<std::byte*>(bytes), sizes);
  operand.data = std::move(data);
  return operand;
}

/// The definition of one result over variables.
struct Expression {
  std::vector<Halide::Var> variables;  ///< logical order
  Halide::Expr element;
  Stages stages;
};

Expression expression_of(const Call& call, const layers::Definition& definition, const std::vector<Operand>& operands, int result) {
  Expression expression;
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i].image.defined()) {
      tensors.emplace_back();
      continue;
    }
    const Halide::Buffer<> image = operands[i].image;
    tensors.push_back({call.type(static_cast<int>(i)), [image](const Index& index) { return image(layers::storage_order(index)); }});
  }
  expression.variables = layers::index_variables(call.result(result).rank());
  const Index index(expression.variables.begin(), expression.variables.end());
  expression.element = definition.define(call, tensors, index, expression.stages, result);
  const Halide::Type stored = layers::halide_type(call.result(result).element);
  if (expression.element.type() != stored) expression.element = Halide::cast(stored, expression.element);
  return expression;
}

/// Element after element, in row-major order. Throws NotOnTape.
bool interpret(const Expression& expression, const TensorType& type, std::vector<std::byte>& bytes) {
  std::vector<std::string> variables, shared;
  for (const Halide::Var& variable : expression.variables) variables.push_back(variable.name());
  for (const Halide::Func& function : expression.stages.shared) shared.push_back(function.name());
  Program program(expression.element, variables, shared);
  const std::int64_t elements = type.elements();
  if (program.steps() * static_cast<double>(elements) > step_limit) return false;

  const Halide::Type stored = layers::halide_type(type.element);
  std::vector<std::int64_t> index(type.extents.size(), 0);
  for (std::int64_t i = 0; i < elements; ++i) {
    store_slot(stored, bytes.data() + i * stored.bytes(), program.run(index));
    for (std::size_t d = index.size(); d-- > 0;) {
      if (++index[d] < type.extents[d]) break;
      index[d] = 0;
    }
  }
  return true;
}

/// The same by code that Halide makes for this machine.
void compile_and_run(const Expression& expression, const TensorType& type, std::vector<std::byte>& bytes) {
  Halide::Func result("folded");
  result(layers::storage_order(expression.variables)) = expression.element;
  for (Halide::Func function : expression.stages.shared) function.compute_root();
  const auto outermost = expression.variables.begin();
  if (outermost != expression.variables.end()) result.parallel(*outermost);
  std::vector<int> sizes;
  for (auto extent = type.extents.rbegin(); extent != type.extents.rend(); ++extent) sizes.push_back(static_cast<int>(*extent));
  Halide::Buffer<> buffer(layers::halide_type(type.element), bytes.data(), sizes);
  result.realize(buffer, Halide::get_jit_target_from_environment().with_feature(Halide::Target::StrictFloat));
}

TensorData result_of(const Call& call, const layers::Definition& definition, const std::vector<Operand>& operands, int result) {
  const TensorType& type = call.result(result);
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  if (bytes.empty()) return own(type, std::move(bytes));
  const Expression expression = expression_of(call, definition, operands, result);
  bool is_done = false;
  try {
    is_done = interpret(expression, type, bytes);
  } catch (const NotOnTape&) {
  }
  if (!is_done) compile_and_run(expression, type, bytes);
  return own(type, std::move(bytes));
}

bool is_too_large(const TensorType& type) {
  constexpr std::int64_t extent_limit = std::int64_t{1} << 30U;
  return type.bytes() > byte_limit ||
         std::any_of(type.extents.begin(), type.extents.end(), [](std::int64_t e) { return e > extent_limit; });
}

}  // namespace

std::optional<std::vector<TensorData>> evaluate(const Graph& graph, OpId id) {
  const Op& op = graph.op(id);
  const layers::Layer* layer = layers::find_layer(op.kind);
  const layers::Definition* definition = layers::find_definition(op.kind);
  if (layer == nullptr || definition == nullptr || definition->define == nullptr || layer->traits.is_check) return std::nullopt;
  const Call call(*layer, graph, op);
  std::vector<Operand> operands;
  for (const ValueId operand : op.operands) {
    operands.emplace_back();
    if (operand == no_value) continue;
    const Value& value = graph.value(operand);
    if (!value.data || is_too_large(value.type)) return std::nullopt;
    operands.back() = operand_of(value.data->read());
  }
  std::vector<TensorData> results;
  for (int i = 0; i < call.result_count(); ++i) {
    if (is_too_large(call.result(i))) return std::nullopt;
    try {
      results.push_back(result_of(call, *definition, operands, i));
    } catch (const Halide::Error& error) {
      throw Failure(Fault::bug, fmt::format("folding {}: {}", op.kind, error.what()));
    }
  }
  return results;
}

}  // namespace calotype::codegen
