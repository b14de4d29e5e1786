/// \file
/// Parameters, readers and epilogues of generated kernels.
#include "schedules/kernel_builder.h"

#include <fmt/format.h>

#include <algorithm>

namespace calotype::schedules {
namespace {

using Halide::Expr;
using Halide::Var;
using layers::Index;
using plan::StorageDimension;
using Role = plan::StorageDimension::Role;

/// An int32 constant; Halide's indices are 32 bits wide.
Expr number(std::int64_t value) { return Expr(static_cast<std::int32_t>(value)); }

template <typename Parameter>
void fix_memory(Parameter&& parameter, const std::vector<StorageDimension>& storage) {
  for (std::size_t i = 0; i < storage.size(); ++i) {
    const auto dimension = static_cast<int>(i);
    parameter.dim(dimension).set_bounds(number(storage[i].min), number(storage[i].extent)).set_stride(number(storage[i].stride));
  }
}

std::vector<StorageDimension> packed_storage(const std::vector<std::int64_t>& extents) {
  std::vector<StorageDimension> storage;
  std::int64_t stride = 1;
  for (const std::int64_t extent : extents) {
    storage.push_back({0, Role::whole, 0, extent, stride});
    stride *= extent;
  }
  return storage;
}

std::vector<StorageDimension> memory_of(const plan::Buffer& buffer, bool flat) {
  if (!buffer.packed_extents.empty()) return packed_storage(buffer.packed_extents);
  std::vector<StorageDimension> storage = plan::storage_of(buffer.type, buffer.layout);
  return flat ? flattened(std::move(storage), buffer.type) : storage;
}

/// A name for the variable that walks a dimension: n, c, then the last letters of z, y, x; blocks and lanes have their own.
std::string variable_name(const StorageDimension& dimension, int rank) {
  if (dimension.role == Role::lane) return "lane";
  if (dimension.role == Role::block) return "block";
  static constexpr const char* leading[] = {"n", "c"};
  static constexpr const char* spatial[] = {"x", "y", "z", "w"};
  if (dimension.logical < 2) return leading[dimension.logical];
  const int from_end = rank - 1 - dimension.logical;
  return from_end < 4 ? spatial[from_end] : fmt::format("d{}", dimension.logical);
}

bool uses_channel(const Expr& index, const ResultPoint& point) {
  const auto uses = [&](const Expr& variable) {
    const auto* node = variable.as<Halide::Internal::Variable>();
    return node != nullptr && Halide::Internal::expr_uses_var(index, node->name);
  };
  return point.channel.defined() && (uses(point.lane) || uses(point.block));
}

ResultPoint make_point(const plan::Buffer& output, bool flat) {
  ResultPoint point;
  point.storage = memory_of(output, flat);
  point.index.resize(output.type.extents.size());
  for (StorageDimension& dimension : point.storage) {
    if (dimension.role == Role::whole && !flat) dimension.extent = output.type.extents[static_cast<std::size_t>(dimension.logical)];
    dimension.min = 0;
    const Var variable(variable_name(dimension, output.type.rank()));
    point.variables.push_back(variable);
    if (dimension.role == Role::lane) point.lane = variable;
    if (dimension.role == Role::block) point.block = variable;
    if (dimension.role == Role::whole) point.index[static_cast<std::size_t>(dimension.logical)] = variable;
  }
  if (output.layout.family == plan::Layout::Family::blocked) {
    point.lanes = output.layout.block;
    point.channel = point.block * point.lanes + point.lane;
    point.index[1] = point.channel;
  }
  return point;
}

}  // namespace

std::vector<StorageDimension> flattened(std::vector<StorageDimension> storage, const TensorType& type) {
  if (type.rank() < 3) return storage;
  std::int64_t cells = 1;
  std::int64_t innermost_stride = 0;
  for (const StorageDimension& dimension : storage) {
    if (dimension.logical < 2) continue;
    cells *= dimension.extent;
    if (dimension.logical == type.rank() - 1) innermost_stride = dimension.stride;
  }
  for (StorageDimension& dimension : storage) {
    if (dimension.logical < 2) continue;
    const bool last = dimension.logical == type.rank() - 1;
    dimension.extent = last ? cells : 1;
    if (!last) dimension.stride = innermost_stride * cells;
  }
  return storage;
}

namespace {

/// Is operand number `k` one of the layer's own weights, a number for each channel?
bool is_own_weight(const layers::Layer& layer, std::size_t k) {
  const auto operands = layers::operands_of(layer);
  return k < operands.size() && operands[k].kind == layers::Operand::Kind::weight;
}

/// Read at (n, c, 0..., flat cell), does the operand give the element that broadcasting at (n, c, cell) would? Trailing dimensions align: the
/// spatial ones must be the result's, or all 1.
bool walks_flat(const TensorType& operand, const TensorType& result) {
  const int spatial = result.rank() - 2;
  if (operand.rank() < spatial) return operand.elements() == 1;
  const auto mine = operand.extents.end() - spatial;
  return std::all_of(mine, operand.extents.end(), [](std::int64_t extent) { return extent == 1; }) ||
         std::equal(mine, operand.extents.end(), result.extents.begin() + 2);
}

}  // namespace

bool can_flatten(const plan::Plan& plan, const plan::Kernel& kernel) {
  const plan::Buffer& output = plan.buffer(kernel.output);
  if (output.layout.has_halo() || output.type.rank() < 3) return false;
  for (const plan::BufferId id : kernel.inputs) {
    if (plan.buffer(id).layout.has_halo()) return false;
  }
  for (std::size_t i = 1; i < kernel.ops.size(); ++i) {
    const Op& op = plan.graph.op(kernel.ops[i]);
    const layers::Layer& layer = *layers::find_layer(op.kind);
    for (std::size_t k = 0; k < op.operands.size(); ++k) {
      if (op.operands[k] == no_value || is_own_weight(layer, k)) continue;
      if (!walks_flat(plan.graph.value(op.operands[k]).type, output.type)) return false;
    }
  }
  return true;
}

KernelBuilder::KernelBuilder(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, std::string prefix, bool flat)
    : plan_(plan),
      kernel_(kernel),
      target_(target),
      prefix_(std::move(prefix)),
      flat_(flat),
      point_(make_point(plan.buffer(kernel.output), flat)) {
  for (std::size_t i = 0; i < kernel.inputs.size(); ++i) {
    const plan::Buffer& buffer = plan.buffer(kernel.inputs[i]);
    const std::vector<StorageDimension> storage = memory_of(buffer, flat);
    Halide::ImageParam parameter(layers::halide_type(buffer.type.element), static_cast<int>(storage.size()),
                                 fmt::format("{}_in{}", prefix_, i));
    fix_memory(parameter, storage);
    inputs_.push_back(std::move(parameter));
  }
}

const plan::Buffer& KernelBuilder::input_buffer(int position) const {
  return plan_.buffer(kernel_.inputs[static_cast<std::size_t>(position)]);
}

const Halide::ImageParam& KernelBuilder::view_input(int position, const std::vector<std::int64_t>& extents) {
  Halide::ImageParam& parameter = inputs_[static_cast<std::size_t>(position)];
  parameter = Halide::ImageParam(parameter.type(), static_cast<int>(extents.size()), parameter.name());
  fix_memory(parameter, packed_storage(extents));
  return parameter;
}

bool KernelBuilder::has_pad_lanes() const {
  const plan::Buffer& output = output_buffer();
  return output.layout.family == plan::Layout::Family::blocked && output.type.extents[1] % point_.lanes != 0;
}

int KernelBuilder::position_of(int op, std::string_view operand) const {
  const Op& node = plan_.graph.op(kernel_.ops[static_cast<std::size_t>(op)]);
  const auto operands = layers::operands_of(*layers::find_layer(node.kind));
  for (std::size_t i = 0; i < operands.size() && i < node.operands.size(); ++i) {
    if (operands[i].name != operand || node.operands[i] == no_value) continue;
    const auto found = std::find(kernel_.input_values.begin(), kernel_.input_values.end(), node.operands[i]);
    return found == kernel_.input_values.end() ? -1 : static_cast<int>(found - kernel_.input_values.begin());
  }
  return -1;
}

Expr KernelBuilder::read(int position, const Index& index) const {
  const plan::Buffer& buffer = input_buffer(position);
  std::vector<Expr> at;
  for (const StorageDimension& dimension : memory_of(buffer, flat_)) {
    const Expr& logical = index[static_cast<std::size_t>(dimension.logical)];
    if (dimension.role == Role::whole) {
      // Pad lanes of the last block stand for channels that other layouts do not have.
      const bool may_leave = has_pad_lanes() && uses_channel(logical, point_);
      at.push_back(may_leave ? Halide::min(logical, number(dimension.min + dimension.extent - 1)) : logical);
      continue;
    }
    // The result's own channel comes apart without a division.
    const bool own = point_.channel.defined() && logical.same_as(point_.channel) && buffer.layout.block == point_.lanes;
    if (dimension.role == Role::lane) at.push_back(own ? point_.lane : logical % buffer.layout.block);
    if (dimension.role == Role::block) at.push_back(own ? point_.block : logical / buffer.layout.block);
  }
  return input(position)(at);
}

layers::Tensor KernelBuilder::operand_tensor(const Op& op, std::size_t operand, const Expr& before) const {
  if (operand >= op.operands.size() || op.operands[operand] == no_value) return {};
  const ValueId value = op.operands[operand];
  layers::Tensor tensor;
  tensor.type = plan_.graph.value(value).type;
  const auto found = std::find(kernel_.input_values.begin(), kernel_.input_values.end(), value);
  if (found == kernel_.input_values.end()) {
    tensor.read = [before](const Index&) { return before; };
    return tensor;
  }
  const auto position = static_cast<int>(found - kernel_.input_values.begin());
  tensor.read = [this, position](const Index& index) { return read(position, index); };
  return tensor;
}

Expr KernelBuilder::evaluate(int op, const Expr& before) {
  const Op& node = plan_.graph.op(kernel_.ops[static_cast<std::size_t>(op)]);
  const layers::Layer& layer = *layers::find_layer(node.kind);
  const layers::Definition& definition = *layers::find_definition(node.kind);
  if (definition.define == nullptr) throw Failure(Fault::bug, fmt::format("layer {} has no definition", node.kind), node.location);
  std::vector<layers::Tensor> operands;
  const std::size_t count = std::max(node.operands.size(), layers::operands_of(layer).size());
  for (std::size_t i = 0; i < count; ++i) operands.push_back(operand_tensor(node, i, before));
  return definition.define(layers::Call(layer, plan_.graph, node), operands, point_.index, stages_, op == 0 ? kernel_.result : 0);
}

Expr KernelBuilder::zero_pad_lanes(Expr value) const {
  if (!has_pad_lanes()) return value;
  const Expr inside = point_.channel < number(output_buffer().type.extents[1]);
  return Halide::select(inside, value, Halide::cast(value.type(), 0));
}

Expr KernelBuilder::finish(Expr anchor) {
  for (std::size_t op = kernel_.anchors.back() + 1; op < kernel_.ops.size(); ++op) anchor = evaluate(static_cast<int>(op), anchor);
  return zero_pad_lanes(std::move(anchor));
}

Halide::Func KernelBuilder::make_output(const Expr& value) { return make_output(value, point_.variables, point_.storage); }

Halide::Func KernelBuilder::make_output(const Expr& value, const std::vector<Var>& variables,
                                        const std::vector<StorageDimension>& storage) {
  Halide::Func output(fmt::format("{}_out", prefix_));
  output(variables) = Halide::cast(layers::halide_type(output_buffer().type.element), value);
  fix_memory(output.output_buffer(), storage);
  for (std::size_t i = 0; i < variables.size(); ++i) output.bound(variables[i], 0, number(storage[i].extent));
  return output;
}

}  // namespace calotype::schedules
