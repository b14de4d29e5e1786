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

/// One step of a run, as a table shows it.
struct StepRow {
  std::string name;
  std::string layers;    ///< "conv + relu"; "copy" for a reorder
  std::string schedule;  ///< the template's name
  std::int64_t multiply_adds = 0;
  /// Of the layer that multiplies and adds, if one does: its arguments that are whole numbers (a kernel's extents, a stride), and its result.
  std::map<std::string, std::vector<std::int64_t>> arguments;
  std::vector<std::int64_t> output_shape;
};

/// A compiled network and what one can see of it.
struct Executable {
  codegen::LoadedModel model;
  std::map<ValueId, std::size_t> result_of;  ///< index of the model's result that shows the value
  std::vector<StepRow> steps;  ///< only in a build that times its steps
};

/// What a build shows beside the network's results.
struct Visibility {
  std::vector<ValueId> values;  ///< become results; nothing is folded then, so that every value exists
  bool step_times = false;
};

/// Compiles and loads the graph, which has its weights.
Executable build(Graph graph, const BuildOptions& options, const Visibility& visibility = {});

/// An open state with its memory and its buffers.
class Session {
 public:
  /// Throws Failure(machine) where the state cannot be opened.
  Session(const Executable& executable, const InputArrays& inputs, int threads);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// One run. Throws Failure if the model reports an error: input where it does not take the numbers in the inputs, else bug.
  void run();
  /// A result after `run`, as its buffer lies (extents in memory order).
  TensorData result(std::size_t index) const;
  /// The processor's cycle counter before each step of the last run and after its end; empty in a build that does not time its steps.
  std::span<const std::uint64_t> step_times() const { return step_times_; }

 private:
  struct Free {
    void operator()(std::byte* bytes) const;
  };
  using Memory = std::unique_ptr<std::byte[], Free>;
  static Memory allocate(std::int64_t bytes);

  codegen::LoadedModel model_;
  std::vector<Memory> buffers_;
  std::vector<std::uint64_t> step_times_;
  std::vector<const void*> io_;
  void* state_ = nullptr;
};

}  // namespace calotype::commands
