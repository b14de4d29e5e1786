#pragma once
/// \file
/// Values of the syntax tree to attributes: names looked up, arithmetic done as far as its numbers are known.
#include <map>
#include <set>

#include "frontend/text/syntax.h"
#include "ir/graph.h"

namespace calotype::frontend::text {

using Names = std::set<std::string, std::less<>>;

/// What a name in an argument can mean.
struct Environment {
  const Source* source = nullptr;
  const Names* symbols = nullptr;  ///< the network's
  const std::map<std::string, Attribute, std::less<>>* parameters = nullptr;  ///< the block's, bound; null in the network
  /// How many more attributes parameters may turn into: lists in lists through nested blocks grow exponentially.
  std::int64_t* budget = nullptr;
};

/// The attribute that a value is: a lone name is the parameter, else the symbol, else the word. Throws Failure(input) with one diagnostic.
Attribute attribute_of(const Value& value, const Environment& environment);

/// An extent of a type, never negative; every name is a symbol where `environment.symbols` is null. Throws as `attribute_of`.
Dimension dimension_of(const Value& value, const Environment& environment);

/// Adds every name that stands in the value.
void collect_names(const Value& value, std::vector<Name>& names);

}  // namespace calotype::frontend::text
