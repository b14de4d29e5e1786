/// \file
/// Operators of ONNX that are no layers of their own: what only concerns shapes, and what is written as several layers.
#include <fmt/format.h>

#include <algorithm>

#include "layers/layer.h"

namespace calotype::layers {
namespace {

/// The extents of a value, all known by now.
void adapt_shape(const OnnxNode& node, OnnxBuilder& builder) {
  const std::vector<std::int64_t>& extents = builder.extents(builder.input(0));
  const auto rank = static_cast<std::int64_t>(extents.size());
  const auto place = [&](std::int64_t at) { return std::clamp(at < 0 ? at + rank : at, std::int64_t{0}, rank); };
  const std::int64_t begin = place(node.integer("start", 0)), end = place(node.integer("end", rank));
  std::vector<std::int64_t> part;
  for (std::int64_t i = begin; i < end; ++i) part.push_back(extents[static_cast<std::size_t>(i)]);
  builder.bind(0, builder.constant(part));
}

void adapt_size(const OnnxNode&, OnnxBuilder& builder) {
  builder.bind(0, builder.constant(own({ElementType::i64, {}}, std::vector<std::int64_t>{builder.type(builder.input(0)).elements()})));
}

constexpr OnnxForm forms[] = {
    {.op_type = "Shape", .attributes = {onnx::adapted_attribute("start"), onnx::adapted_attribute("end")}, .adapt = adapt_shape},
    {.op_type = "Size", .adapt = adapt_size},
};

}  // namespace

std::span<const OnnxForm> onnx_expansions() { return forms; }

}  // namespace calotype::layers
