#pragma once
/// \file
/// Large tensors of an ONNX file stay in the file: protobuf would copy them, and a network's weights are as much as compiling may take.
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace calotype::frontend::onnx {

/// A serialized ModelProto without the raw data of its large initializers.
struct CutModel {
  std::string bytes;
  /// For each initializer of the graph, in order, its raw data where it was cut out: a part of what was given.
  std::vector<std::optional<std::span<const std::byte>>> raw;
};

/// Nothing where the bytes are not as expected: then protobuf has its say on the whole.
std::optional<CutModel> cut_large_tensors(std::span<const std::byte> model);

}  // namespace calotype::frontend::onnx
