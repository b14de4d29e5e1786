#pragma once
/// \file
/// One layer, its operands and the answer that an independent reference gives: the cases against which definitions, and the code generated
/// from them, are tested. The cases are data (tests/layers/data/*.json, written by make_references.py), so other test folders run them too.
#include <ostream>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "ir/weight_store.h"

namespace calotype::testing {

struct NamedTensor {
  std::string name;
  TensorData data;
};

struct LayerCase {
  std::string description;  ///< unique within its file; letters, digits and blanks
  std::string statement;  ///< "conv(x, filters=2, kernel=2x2)"; operands are named as in `inputs`
  std::vector<NamedTensor> inputs;  ///< of the network, in order
  std::vector<NamedTensor> weights;  ///< by operand name: "weight", "bias"
  std::vector<TensorData> expected;  ///< one for each result
  double tolerance = 1e-5;  ///< of the difference, relative to the largest finite expected magnitude (at least 1); 0: equal
};

/// For GoogleTest's messages.
std::ostream& operator<<(std::ostream& stream, const LayerCase& layer_case);

/// The cases of tests/layers/data/NAME.json.
std::vector<LayerCase> read_cases(const std::string& name);

/// The cases of every file, described as "NAME: description".
std::vector<LayerCase> all_cases();

/// A tensor of any element type from numbers in row-major order.
TensorData tensor(const TensorType& type, const std::vector<double>& numbers);
/// f32 numbers of that shape.
TensorData tensor(std::vector<std::int64_t> extents, const std::vector<double>& numbers);
/// 0, 1, 2, ...
TensorData arange(std::vector<std::int64_t> extents);
/// Numbers that look random, are exact in f16, and are the same in make_references.py: k / 1024, |k| <= 1024; integer types: 0 to 100.
TensorData pattern(const TensorType& type, std::uint32_t seed);

/// The network `case_(inputs...) -> y { y = statement }` with its shapes inferred.
Graph build_graph(const LayerCase& layer_case);

/// The numbers of implicit weights under the names that the graph has for them ("y.weight").
WeightStore weights_of(const LayerCase& layer_case);

/// Evaluates the definition of the graph's only op, unscheduled, by Halide's JIT.
std::vector<TensorData> evaluate_definition(const Graph& graph, const LayerCase& layer_case);

/// Empty if `actual` is `expected` within the tolerance (NaN and infinities must be equal), else where they differ first.
std::string difference(const TensorData& actual, const TensorData& expected, double tolerance);

/// Fails the running test unless the definition gives the expected results.
void expect_definition_agrees(const LayerCase& layer_case);

/// One case by hand, compared for equality.
void expect_exactly(const std::string& statement, const std::vector<NamedTensor>& inputs, const std::vector<TensorData>& expected);

/// The message of the Failure that building the case's graph throws; fails the test if it does not.
std::string build_error(const std::string& statement, const std::vector<NamedTensor>& inputs);

/// A name for GoogleTest: letters, digits and _.
std::string test_name(const LayerCase& layer_case);

}  // namespace calotype::testing

/// Runs every case of data/FILE.json against its definition.
#define CALOTYPE_LAYER_CASES(FILE)                                                                                 \
  class FILE##_references : public ::testing::TestWithParam<::calotype::testing::LayerCase> {};                    \
  TEST_P(FILE##_references, definition_agrees) { ::calotype::testing::expect_definition_agrees(GetParam()); }      \
  INSTANTIATE_TEST_SUITE_P(layers, FILE##_references, ::testing::ValuesIn(::calotype::testing::read_cases(#FILE)), \
                           [](const auto& info) { return ::calotype::testing::test_name(info.param); })
