#pragma once
/// \file
/// Functions that a model defines for itself: a call of one is replaced by its body.
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "frontend/onnx/model.h"

namespace calotype::frontend::onnx {

struct Function {
  std::vector<std::string> inputs, outputs;
  std::vector<OnnxAttribute> defaults;  ///< attributes with a default
  std::vector<OnnxNode> nodes;
  /// Of node `first`, attribute `second` takes the value of the call's attribute named `reference`.
  struct Reference {
    std::size_t node = 0;
    std::string attribute, reference;
  };
  std::vector<Reference> references;
};

/// By domain, name and overload ("domain:name:overload").
using Functions = std::map<std::string, Function, std::less<>>;

std::string function_key(std::string_view domain, std::string_view name, std::string_view overload);

/// Expands every call. Values inside of a body get names of their own. Throws Failure(input) for recursion, or where the bodies grow beyond
/// any sense.
std::vector<OnnxNode> expand_functions(const std::vector<OnnxNode>& nodes, const Functions& functions);

}  // namespace calotype::frontend::onnx
