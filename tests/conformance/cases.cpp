/// \file
/// Cases of the ONNX backend suite.
#include "cases.h"

#include <fmt/format.h>
#include <onnx-ml.pb.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "frontend/onnx/tensor.h"

namespace calotype::conformance {
namespace {

using Operands = std::multimap<std::string, std::size_t, std::less<>>;

/// Operands whose numbers decide shapes, axes or counts.
const Operands& shape_operands() {
  static const Operands operands = {{"Reshape", 1},
                                    {"Expand", 1},
                                    {"Tile", 1},
                                    {"ConstantOfShape", 0},
                                    {"Slice", 1},
                                    {"Slice", 2},
                                    {"Slice", 3},
                                    {"Slice", 4},
                                    {"Pad", 1},
                                    {"Pad", 3},
                                    {"Resize", 2},
                                    {"Resize", 3},
                                    {"Upsample", 1},
                                    {"Squeeze", 1},
                                    {"Unsqueeze", 1},
                                    {"TopK", 1},
                                    {"OneHot", 1},
                                    {"Range", 0},
                                    {"Range", 1},
                                    {"Range", 2},
                                    {"Split", 1},
                                    {"MaxUnpool", 2},
                                    {"CenterCropPad", 1},
                                    {"AffineGrid", 1},
                                    {"Col2Im", 1},
                                    {"Col2Im", 2},
                                    {"CumSum", 1},
                                    {"Trilu", 1},
                                    {"ReduceSum", 1},
                                    {"ReduceMean", 1},
                                    {"ReduceMax", 1},
                                    {"ReduceMin", 1},
                                    {"ReduceProd", 1},
                                    {"ReduceL1", 1},
                                    {"ReduceL2", 1},
                                    {"ReduceLogSum", 1},
                                    {"ReduceLogSumExp", 1},
                                    {"ReduceSumSquare", 1}};
  return operands;
}

/// Operands that are kernels, biases, statistics, scales or zero points in a real network.
const Operands& weight_operands() {
  static const Operands operands = {{"Conv", 1},
                                    {"Conv", 2},
                                    {"ConvTranspose", 1},
                                    {"ConvTranspose", 2},
                                    {"ConvInteger", 1},
                                    {"ConvInteger", 3},
                                    {"QLinearConv", 1},
                                    {"QLinearConv", 2},
                                    {"QLinearConv", 3},
                                    {"QLinearConv", 4},
                                    {"QLinearConv", 5},
                                    {"QLinearConv", 6},
                                    {"QLinearConv", 7},
                                    {"QLinearConv", 8},
                                    {"QLinearMatMul", 1},
                                    {"QLinearMatMul", 2},
                                    {"QLinearMatMul", 3},
                                    {"QLinearMatMul", 4},
                                    {"QLinearMatMul", 5},
                                    {"QLinearMatMul", 6},
                                    {"QLinearMatMul", 7},
                                    {"MatMulInteger", 1},
                                    {"MatMulInteger", 3},
                                    {"Gemm", 1},
                                    {"Gemm", 2},
                                    {"BatchNormalization", 1},
                                    {"BatchNormalization", 2},
                                    {"BatchNormalization", 3},
                                    {"BatchNormalization", 4},
                                    {"InstanceNormalization", 1},
                                    {"InstanceNormalization", 2},
                                    {"LayerNormalization", 1},
                                    {"LayerNormalization", 2},
                                    {"GroupNormalization", 1},
                                    {"GroupNormalization", 2},
                                    {"RMSNormalization", 1},
                                    {"PRelu", 1},
                                    {"LSTM", 1},
                                    {"LSTM", 2},
                                    {"LSTM", 3},
                                    {"LSTM", 7},
                                    {"GRU", 1},
                                    {"GRU", 2},
                                    {"GRU", 3},
                                    {"RNN", 1},
                                    {"RNN", 2},
                                    {"RNN", 3},
                                    {"DeformConv", 1},
                                    {"DeformConv", 3},
                                    {"QuantizeLinear", 1},
                                    {"QuantizeLinear", 2},
                                    {"DequantizeLinear", 1},
                                    {"DequantizeLinear", 2}};
  return operands;
}

std::ifstream open(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Failure(Fault::machine, fmt::format("cannot read {}", path.string()));
  return file;
}

/// The fields of one line; the last takes the rest, commas included.
std::vector<std::string> fields_of(const std::string& line, std::size_t count) {
  std::vector<std::string> fields;
  std::istringstream stream(line);
  std::string field;
  while (fields.size() + 1 < count && std::getline(stream, field, ',')) fields.push_back(field);
  std::getline(stream, field);
  fields.push_back(field);
  fields.resize(count);
  return fields;
}

}  // namespace

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::ifstream file = open(path);
  std::string line;
  std::getline(file, line);  // names of the columns
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = fields_of(line, 5);
    cases.push_back({fields[0], fields[1], fields[2], std::stod(fields[3]), std::stod(fields[4])});
  }
  return cases;
}

Expectations read_expectations(const std::filesystem::path& path) {
  Expectations expectations;
  std::ifstream file = open(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    const std::vector<std::string> fields = fields_of(line, 4);
    expectations[fields[0] + " " + fields[1]] = {fields[2], fields[3]};
  }
  return expectations;
}

TensorData read_tensor_file(const std::filesystem::path& path) {
  std::ifstream file = open(path);
  auto proto = std::make_shared<onnx::TensorProto>();
  if (!proto->ParseFromIstream(&file)) throw Failure(Fault::input, fmt::format("{} is no TensorProto", path.string()));
  frontend::onnx::ExternalData none(path.parent_path());
  return frontend::onnx::read_tensor(*proto, proto, none).read();
}

std::vector<std::string> frozen_inputs(const frontend::onnx::Model& model, Mode mode) {
  std::vector<std::string> names;
  const auto take = [&](const frontend::onnx::OnnxNode& node, const Operands& operands) {
    const auto [first, last] = operands.equal_range(node.op_type);
    for (auto at = first; at != last; ++at) {
      if (node.has_input(at->second)) names.push_back(node.inputs[at->second]);
    }
  };
  for (const frontend::onnx::OnnxNode& node : model.nodes) {
    if (mode != Mode::raw) take(node, shape_operands());
    if (mode == Mode::weights) take(node, weight_operands());
  }
  std::erase_if(names, [&](const std::string& name) {
    return std::none_of(model.inputs.begin(), model.inputs.end(), [&](const auto& input) { return input.name == name; });
  });
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace calotype::conformance
