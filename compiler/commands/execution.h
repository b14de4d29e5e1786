#pragma once
/// \file
/// Running a network in this process, by the same archive that `compile` writes.
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codegen/load.h"
#include "commands/arrays.h"
#include "commands/pipeline.h"

namespace calotype::commands {

/// A compiled network and the values that one can see of it.
struct Executable {
  codegen::LoadedModel model;
  std::map<ValueId, std::size_t> result_of;  ///< index of the model's result that shows the value
};

/// Compiles and loads the graph, which has its weights. Each value in `watched` becomes a result beside the network's own: such a build
/// keeps every value, so batch norm is not folded into convolutions.
Executable build(Graph graph, const BuildOptions& options, const std::vector<ValueId>& watched = {});

/// An open state with its memory and its buffers.
class Session {
 public:
  /// Throws Failure(machine) where the state cannot be opened.
  Session(codegen::LoadedModel model, const InputArrays& inputs, int threads);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// One run; throws Failure(bug) if the model reports an error.
  void run();
  /// A result after `run`, as its buffer lies (extents in memory order).
  TensorData result(std::size_t index) const;

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::int64_t bytes);

  codegen::LoadedModel model_;
  Memory state_memory_;
  std::vector<Memory> buffers_;
  std::vector<const void*> io_;
  void* state_ = nullptr;
};

}  // namespace calotype::commands
