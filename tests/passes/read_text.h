#pragma once
/// \file
/// Graphs from text, as far as passes need them.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype {

inline Graph read_text(const std::string& text) {
  return frontend::parse(std::make_shared<const SourceFile>(SourceFile{"test.layers", text}));
}

/// Read, bound and typed.
inline Graph typed_text(const std::string& text, Symbols symbols = {}) {
  Graph graph = read_text(text);
  passes::bind_symbols(graph, std::move(symbols));
  passes::infer_shapes(graph);
  verify(graph, "infer_shapes");
  return graph;
}

inline const Value& value_named(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return value;
  }
  throw std::runtime_error("no value is named " + name);
}

inline std::vector<double> numbers_of(const Value& value) {
  std::vector<double> numbers;
  if (!value.data) return numbers;
  const TensorData data = value.data->read();
  for (std::int64_t i = 0; i < value.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

/// The messages of a Failure that `act` throws, one a diagnostic; empty if it throws none.
template <typename Act>
std::vector<Diagnostic> diagnostics_of(const Act& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.diagnostics();
  }
  return {};
}

}  // namespace calotype
