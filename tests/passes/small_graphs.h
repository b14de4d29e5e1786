#pragma once
/// \file
/// Small graphs for tests of passes: written as text, looked at by name.
#include <string>
#include <vector>

#include "ir/graph.h"

namespace calotype::testing {

/// The network of that body, with every value typed and every weight filled at random. `header` is what stands before the brace:
/// "test(x: f32[1, 3, 8, 8]) -> y".
Graph small_graph(const std::string& header, const std::string& body, std::uint64_t seed = 1);

/// The network of that text with every weight zero, which costs no memory: planning asks only whether numbers are known.
Graph graph_without_weights(const std::string& text);

/// The same of samples/networks/NAME.layers, and all such names.
Graph sample_network(const std::string& name);
std::vector<std::string> sample_networks();

/// The value of that name that an op reads or makes, else any of that name; throws if there is none.
const Value& value_named(const Graph& graph, const std::string& name);
ValueId id_of(const Graph& graph, const std::string& name);

/// The op that makes the value of that name; throws if there is none.
const Op& maker_of(const Graph& graph, const std::string& name);

/// "conv x conv1.weight conv1.bias -> conv1" for each op, in order.
std::vector<std::string> ops_of(const Graph& graph);

/// The numbers of a value that has some.
std::vector<double> numbers_of(const Value& value);

}  // namespace calotype::testing
