#pragma once
/// \file
/// Holds what a model of tests/onnx/data computes against the answers beside it, both directly and by way of the text.
#include <gtest/gtest.h>

#include "commands/execution.h"
#include "frontend/frontend.h"
#include "models.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {

/// The graph after printing and parsing, its weights taken from the first one.
inline Graph through_text(const Graph& graph) {
  Graph again = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"imported.layers", frontend::print(graph)}));
  passes::bind_symbols(again, {});
  passes::infer_shapes(again);
  WeightStore store;
  for (const Value& value : graph.values) {
    if (value.origin == Value::Origin::weight && value.data)
      store.tensors.insert_or_assign(value.name, StoredTensor{*value.data, "imported.safetensors"});
  }
  EXPECT_EQ(passes::attach_weights(again, store), std::vector<std::string>{});
  return again;
}

inline std::vector<TensorData> run_all(const Graph& graph, const commands::InputArrays& inputs) {
  const commands::Executable executable = commands::build(graph, {});
  commands::Session session(executable, inputs, 1);
  session.run();
  std::vector<TensorData> results;
  for (std::size_t i = 0; i < graph.results.size(); ++i) results.push_back(session.result(i));
  return results;
}

/// The model's answers to NAME.INPUT.npy are NAME.RESULT.npy, on both ways.
inline void expect_answers(const std::string& name, const Symbols& symbols = {}) {
  const Graph graph = read_onnx(data_path(name + ".onnx"), symbols);
  verify(graph, "convert");
  commands::InputArrays inputs;
  for (const GraphInput& input : graph.inputs) inputs.emplace_back(array_of(name + "." + graph.value(input.value).name + ".npy"));
  for (const Graph& way : {graph, through_text(graph)}) {
    const std::vector<TensorData> results = run_all(way, inputs);
    for (std::size_t i = 0; i < results.size(); ++i) {
      const std::string& result = graph.results[i].name;
      EXPECT_EQ(difference(results[i], array_of(name + "." + result + ".npy"), 1e-5), "") << result << "\n" << frontend::print(way);
    }
  }
}

}  // namespace calotype::testing
