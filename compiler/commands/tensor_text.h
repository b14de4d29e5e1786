#pragma once
/// \file
/// Tensors as text for people.
#include <string>
#include <string_view>

#include "ir/tensor_data.h"

namespace calotype::commands {

/// A heading with name and type, then the numbers: one plane (the last two dimensions) after another, each with its index. Large tensors are
/// cut, and say so.
std::string tensor_text(std::string_view name, const TensorData& data);

}  // namespace calotype::commands
