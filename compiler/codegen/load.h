#pragma once
/// \file
/// Executes a compiled model in this process: the archive's members, linked -shared and loaded. `run`, `bench` and `check` use it, so what
/// they measure is what a program that links the archive gets. Linking takes milliseconds; what costs time, the kernels, is cached by content before.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "calotype/types.h"
#include "ir/tensor_type.h"

namespace calotype::codegen {

/// One buffer that the caller gives: an input or a result of the network.
struct Port {
  std::string name;  ///< as the description has it
  std::string c_name;  ///< of the member of NAME_io
  TensorType type;  ///< logical order
  bool channels_last = false;  ///< the buffer lies batch x spatial x channels
  std::int64_t bytes = 0;
};

/// A model ready to be opened. Copies share the library, which stays loaded while one of them lives.
struct LoadedModel {
  std::string name;
  std::vector<Port> inputs;
  std::vector<Port> results;
  std::int64_t fixed_state_bytes = 0;
  std::int64_t state_bytes_per_thread = 0;
  /// As in NAME.h. `io` of run: pointers to the inputs, then to the results, in order.
  calotype_status (*open)(void** self, void* memory, const calotype_options* options) = nullptr;
  calotype_status (*run)(void* self, const void* const* io) = nullptr;
  void (*close)(void* self) = nullptr;
  const char* (*status_text)(calotype_status status) = nullptr;
  std::shared_ptr<void> library;

  std::int64_t state_bytes(int threads) const { return fixed_state_bytes + threads * state_bytes_per_thread; }
};

/// `archive` and `manifest` as link() wrote them. Throws Failure(machine) if they cannot be read or loaded here.
LoadedModel load(const std::filesystem::path& archive, const std::filesystem::path& manifest);

}  // namespace calotype::codegen
