/// \file
/// Recipes and what they make.
#include "ir/numbers.h"

#include <fmt/format.h>

#include "ir/failure.h"

namespace calotype {

Numbers::Numbers(TensorData data) : type_(data.type), recipe_(std::make_shared<const Recipe>([data = std::move(data)] { return data; })) {}

Numbers::Numbers(TensorType type, Recipe recipe) : type_(std::move(type)), recipe_(std::make_shared<const Recipe>(std::move(recipe))) {}

TensorData Numbers::read() const {
  TensorData data = (*recipe_)();
  if (data.type == type_) return data;
  throw Failure(Fault::bug, fmt::format("numbers of {} were made as {}", to_text(type_), to_text(data.type)));
}

}  // namespace calotype
