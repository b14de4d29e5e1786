#pragma once
/// \file
/// Compiles a graph as `calotype compile` does, loads the archive and runs it: what a test compares is what users link.
#include <map>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "plan/plan.h"
#include "schedules/choose.h"

namespace calotype::testing {

struct CompiledRun {
  std::vector<TensorData> results;
  std::vector<std::string> schedules;  ///< of the kernels, in running order
  std::vector<std::map<std::string, std::int64_t>> parameters;  ///< of these schedules
};

/// `graph`: shapes inferred, weights attached. Inputs in the graph's order, logical order of dimensions; channels-last buffers are
/// converted here.
CompiledRun compile_and_run(Graph graph, const std::vector<TensorData>& inputs, int threads = 1, const std::string& target = "host",
                            const schedules::ChooseOptions& options = {});

/// Parses the text, binds symbols, infers shapes, fills weights at random.
Graph graph_of(const std::string& text, std::uint64_t seed = 1);

/// Numbers in [-1, 1] that depend on the seed only.
TensorData random_tensor(std::vector<std::int64_t> extents, std::uint32_t seed);

/// Largest difference relative to the largest magnitude expected (at least 1e-6).
double relative_error(const TensorData& actual, const std::vector<double>& expected);

}  // namespace calotype::testing
