#pragma once
/// \file
/// Cases of the ONNX backend suite: which there are, what is known of each, and their files in the onnx package.
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "frontend/onnx/model.h"

namespace calotype::conformance {

/// What of a case is known when it is compiled. In the suite weights and shapes arrive as inputs; exporters write most of them as constants.
enum class Mode {
  raw,  ///< nothing: as published
  shape,  ///< inputs whose numbers decide shapes or axes
  weights,  ///< and kernels, biases, statistics, scales
};

struct Case {
  std::string name;  ///< "node/test_abs": a folder of the suite
  std::string scope;
  std::string op;
  double relative = 1e-3, absolute = 1e-7;
};

/// What is known not to pass, with its reason.
struct Expectation {
  std::string outcome;  ///< "refused": status 3
  std::string reason;
};
using Expectations = std::map<std::string, Expectation>;  ///< by "mode case"

std::vector<Case> read_cases(const std::filesystem::path& path);
Expectations read_expectations(const std::filesystem::path& path);

/// The numbers of a TensorProto file.
TensorData read_tensor_file(const std::filesystem::path& path);

/// Names of the model's inputs that a mode makes constants.
std::vector<std::string> frozen_inputs(const frontend::onnx::Model& model, Mode mode);

}  // namespace calotype::conformance
