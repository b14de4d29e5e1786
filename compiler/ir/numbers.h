#pragma once
/// \file
/// Numbers that are known at compile time and need not lie in memory.
#include <functional>
#include <memory>

#include "ir/tensor_data.h"

namespace calotype {

/// A recipe that makes a tensor's numbers whenever they are read. The weights of a network are as large as compiling may be, so passes change
/// recipes (random numbers, a part of a file, another's numbers times a scale) and the numbers are made one tensor at a time, when the library
/// is written. Copies are cheap.
class Numbers {
 public:
  using Recipe = std::function<TensorData()>;

  /// Numbers that stay in memory.
  Numbers(TensorData data);
  /// `recipe` gives the same numbers of that type each time; any thread may call it.
  Numbers(TensorType type, Recipe recipe);

  const TensorType& type() const { return type_; }
  /// Makes the numbers. Their memory goes with the last copy of what is returned, so read once and not in a loop.
  TensorData read() const;
  /// The same for copies of one object, another for all others.
  const void* identity() const { return recipe_.get(); }

 private:
  TensorType type_;
  std::shared_ptr<const Recipe> recipe_;
};

}  // namespace calotype
