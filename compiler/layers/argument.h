#pragma once
/// \file
/// Arguments as written against arguments as declared: whether an attribute may stand for an argument, and a default as an attribute.
#include <string>
#include <string_view>

#include "ir/attribute.h"
#include "layers/layer.h"

namespace calotype::layers {

/// What stands in `choices` of an argument that names an activation: any layer with the trait `is_activation`, or none.
inline constexpr std::string_view any_activation = "<activation>";

/// The argument `activation` of the layers that take one.
inline constexpr Argument activation_argument = {"activation", ArgumentKind::word, false, "none", any_activation};

/// The default as the attribute that its text would give: numbers, extents, words, true and false.
Attribute attribute_of(std::string_view fallback);

/// "an integer", "extents such as 3x3, or a number for every spatial dimension", ...
std::string describe(const Argument& argument);

/// Empty if the attribute may stand for the argument, else what is wrong with it: "wants an integer, not a list". Expressions over symbols
/// pass as integers.
std::string mismatch(const Argument& argument, const Attribute& attribute);

/// The declared argument of that name, or the operand of kind weight of that name as an argument of kind tensor; else one without a name.
Argument argument_of(const Layer& layer, std::string_view name);

/// Does the layer's table list an argument of that name?
bool argument_is_declared(const Layer& layer, std::string_view name);

}  // namespace calotype::layers
