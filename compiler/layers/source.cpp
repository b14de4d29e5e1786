/// \file
/// Layers without operands: parameter, a tensor of the weight files usable as any operand, and constant, numbers that stand in the description.
/// Their results are known before anything runs, so they have no definition.
#include "ir/inline_tensor.h"
#include "layers/definition.h"

namespace calotype::layers {
namespace {

constexpr Traits source_traits = {.is_source = true};

std::vector<TensorType> infer_parameter(const Call& call) {
  TensorType type = {call.element_type("type"), call.integers("shape")};
  for (const std::int64_t extent : type.extents) {
    if (extent < 0) call.fail("shape", "an extent cannot be negative: " + to_text(type.extents));
  }
  return {type};
}

/// The shape of the nested lists; f32 unless `type` says otherwise.
std::vector<TensorType> infer_constant(const Call& call) {
  const Attribute* value = find(call.op().attributes, "value");
  if (value == nullptr) call.fail("constant needs its numbers: constant([[1, 2], [3, 4]])");
  return {{call.element_type("type"), inline_extents(*value)}};
}

}  // namespace

extern constinit const Layer parameter = {
    .name = "parameter",
    .arguments = {required("type", ArgumentKind::type), required("shape", ArgumentKind::integers)},
    .traits = source_traits,
    .infer = infer_parameter,
};
extern constinit const Layer constant = {
    .name = "constant",
    .arguments = {required("value", ArgumentKind::tensor), optional("type", ArgumentKind::type, "f32")},
    .traits = source_traits,
    .infer = infer_constant,
};

extern constinit const Definition parameter_definition = {"parameter", nullptr};
extern constinit const Definition constant_definition = {"constant", nullptr};

}  // namespace calotype::layers
