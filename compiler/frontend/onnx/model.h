#pragma once
/// \file
/// An ONNX file as plain data: nodes with their functions expanded, tensors by name, and what the caller gives and gets. No protobuf from here on.
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "layers/onnx.h"

namespace calotype::frontend::onnx {

using layers::OnnxAttribute;
using layers::OnnxNode;

struct Input {
  std::string name;
  Declaration declaration;
};

struct Model {
  std::string path;  ///< for messages
  std::string name;
  std::vector<OnnxNode> nodes;  ///< in the file's order, which ONNX wants topological
  std::map<std::string, Numbers, std::less<>> tensors;  ///< initializers, and inputs whose values were given at compile time
  std::vector<Input> inputs;  ///< without those that have a tensor
  std::vector<std::string> outputs;
  std::map<std::string, std::vector<Dimension>> shapes;  ///< of outputs and of values between, as far as the file states them
};

/// Arrays for inputs, given at compile time.
using Bindings = std::map<std::string, TensorData, std::less<>>;

/// The double nearest to the shortest text of the float: 0.1f becomes 0.1, unless that would be another float.
double shortest(float number);

/// Reads the file and the files of external data that it names. Throws Failure: input for a damaged file, unsupported for what Calotype does not
/// read (opsets, domains, types, subgraphs), usage or machine where the file cannot be read. Operators are not looked at.
Model read_model(const std::string& path);

/// The same for a file that is in memory; `path` stands in messages, and external data lies in its folder.
Model parse_model(std::span<const std::byte> bytes, const std::string& path);

/// Replaces inputs by the arrays of that name. Throws Failure(usage) for a name that is no input, or an array that does not fit.
void bind_inputs(Model& model, const Bindings& bindings);

}  // namespace calotype::frontend::onnx
