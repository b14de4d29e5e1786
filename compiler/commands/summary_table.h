#pragma once
/// \file
/// What `summary` says of a network, as data: one row a layer, and the totals.
#include <cstdint>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace calotype::commands {

struct SummaryRow {
  std::string name;
  std::string kind;
  std::vector<std::string> inputs;  ///< operands that are written, parameters among them
  std::vector<TensorType> results;
  std::string kernels;  ///< "280 of 4x4" where the layer has spatial kernels
  std::int64_t parameters = 0;
  std::int64_t trainable_parameters = 0;
  std::int64_t multiply_adds = 0;
  std::string explanation;  ///< the counts in words; empty for a layer without any
  int line = 0;
};

struct Summary {
  std::string model;
  struct Port {
    std::string name;
    TensorType type;  ///< logical
  };
  std::vector<Port> inputs, outputs;
  std::vector<SummaryRow> rows;
  std::int64_t parameters = 0;
  std::int64_t trainable_parameters = 0;
  std::int64_t multiply_adds = 0;
  std::int64_t parameter_bytes = 0;
};

/// The graph must have been through infer_shapes and nothing after.
Summary summarize(const Graph& graph);

/// The table for people; `explain` adds the derivation of the counts below each row.
std::string to_table(const Summary& summary, bool explain);

/// The document of `summary --json` (docs/command-line.md).
std::string to_json(const Summary& summary);

}  // namespace calotype::commands
