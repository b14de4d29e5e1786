#pragma once
/// \file
/// How a statement's operands and arguments meet the layer or block that it calls. Asked twice: when a block is checked where it is defined,
/// and for each of its instances.
#include "frontend/text/arguments.h"
#include "layers/layer.h"

namespace calotype::frontend::text {

/// How a block uses a parameter; a value may be bound to operands only, anything else to arguments only.
enum class ParameterKind : std::uint8_t { unused, operand, argument };

/// A block with what is known of it once it was checked.
struct Definition {
  const Block* block = nullptr;
  std::vector<ParameterKind> kinds;  ///< one for each parameter
};

/// What a parameter of a block is in one call.
struct Binding {
  enum class From { nothing, call, statement_above, fallback };
  From from = From::nothing;
  const Value* value = nullptr;  ///< from call and fallback
};

/// Is it an operand: a name, bare or in quotes, or `_`?
bool is_operand(const Value& value);

/// Does the call take the value of the statement above as its first operand?
bool takes_value_above(const Statement& statement, const layers::Layer& layer);
bool takes_value_above(const Statement& statement, const Definition& definition);

/// The operands that are written; reports those that cannot be operands.
std::vector<const Value*> operands_of(const Statement& statement, const layers::Layer& layer, Diagnostics& diagnostics);

/// The arguments of a layer's call, with the type of `parameter(f32[3])` and the numbers of `constant([1])` by their argument names.
/// Reports what cannot be read and leaves it out; then `complete`, where it is given, becomes false.
Attributes attributes_of(const Statement& statement, const layers::Layer& layer, const Environment& environment, Diagnostics& diagnostics,
                         bool* complete = nullptr);

/// What each parameter of the block is in this call; reports what does not fit.
std::vector<Binding> bind(const Statement& statement, const Definition& definition, Diagnostics& diagnostics);

}  // namespace calotype::frontend::text
