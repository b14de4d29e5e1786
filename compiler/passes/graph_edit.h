#pragma once
/// \file
/// Small edits that passes share. Ids of values stay valid; ids of ops change when ops are inserted or dropped.
#include <string>
#include <vector>

#include "ir/graph.h"

namespace calotype::passes {

/// Puts `ops` in place of the graph's and marks every value's producer anew.
void replace_ops(Graph& graph, std::vector<Op> ops);

/// Makes every reader of `from` (ops and results of the network) read `to`.
void replace_uses(Graph& graph, ValueId from, ValueId to);

/// Appends a constant of that name with these numbers.
ValueId add_constant(Graph& graph, std::string name, Numbers numbers);

/// Is the value a result of the network?
bool is_result(const Graph& graph, ValueId value);

/// `name`, or `name` with a number after it where another value has that name already.
std::string unused_name(const Graph& graph, const std::string& name);

}  // namespace calotype::passes
