#pragma once
/// \file
/// The tensors that weight files hold, by name. Filled by formats::read_safetensors; asked by passes::attach_weights.
#include <map>
#include <string>

#include "ir/numbers.h"

namespace calotype {

struct StoredTensor {
  Numbers data = TensorData{};
  std::string file;  ///< for messages
};

struct WeightStore {
  std::map<std::string, StoredTensor, std::less<>> tensors;
};

}  // namespace calotype
