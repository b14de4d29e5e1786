#pragma once
/// \file
/// What a name that is not known was meant to be.
#include <string>
#include <string_view>
#include <vector>

namespace calotype::frontend::text {

/// The layer or block that someone may have meant: one that differs in case or underscores, one that another framework calls so, or one of
/// nearly that name; empty if nothing is near.
std::string suggested_layer(std::string_view name, const std::vector<std::string_view>& blocks);

/// The element type that someone may have meant (float32, double, f23), or nothing.
std::string suggested_element_type(std::string_view name);

}  // namespace calotype::frontend::text
