#pragma once
/// \file
/// The network below the target line: buffers with layouts and places, kernels that read and write them, and the order in which they run.
/// Plain data, filled stage by stage: fuse makes kernels, choose_implementations gives them templates and layouts, insert_reorders adds
/// copies where layouts meet, plan_memory gives every buffer its place, and codegen reads the whole.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "plan/layout.h"

namespace calotype::plan {

using BufferId = int;
inline constexpr BufferId no_buffer = -1;

/// Where a buffer lies at run time.
struct Place {
  enum class Kind {
    none,     ///< not decided yet
    input,    ///< the caller's buffer number `index` of the network's inputs
    result,   ///< the caller's buffer number `index` of the network's results
    arena,    ///< `offset` bytes into the state's arena
    weights,  ///< `offset` bytes into the weight blob
  };
  Kind kind = Kind::none;
  int index = 0;
  std::int64_t offset = 0;  ///< 64-byte aligned for arena and weights
};

/// A value of the graph as it lies in memory. A value that is needed in two layouts has two buffers.
struct Buffer {
  std::string name;
  TensorType type;  ///< logical
  Layout layout;
  Place place;
  ValueId value = no_value;
  BufferId alias_of = no_buffer;  ///< shares the bytes of that buffer: all of them (flatten, reshape), or a part (operands of concat)
  std::int64_t alias_offset = 0;  ///< bytes from the start of that buffer's memory
  /// Weights only: the bytes as the kernel wants them (packed order), written to the blob when it is emitted. Empty: `layout` applied to
  /// the value's data. `packed_extents` are then the memory's extents, innermost first.
  std::vector<std::int64_t> packed_extents = {};
  std::string packing = {};  ///< name and parameters of the packing, part of the key that lets equal weights be stored once
  std::function<void(const TensorData& source, std::span<std::byte> destination)> pack = {};

  std::int64_t bytes() const;  ///< of the memory, without alignment
};

/// A connected subgraph that becomes one Halide function: the anchor first, then the elementwise ops fused after it. Where kernels were merged
/// (schedules/merge.h), the next anchor and its elementwise ops follow, which read what was made before them.
/// No ops at all: a copy of the sole input into the output's layout.
struct Kernel {
  std::string name;  ///< of the last op: its row in tables
  std::vector<OpId> ops;  ///< anchor, then epilogue in order; each reads the one before it
  std::vector<std::size_t> anchors = {0};  ///< their positions in `ops`
  int result = 0;  ///< which result of a lone op with several
  std::vector<ValueId> input_values;  ///< values read from outside, in the order of `inputs`
  ValueId output_value = no_value;
  std::vector<BufferId> inputs;
  BufferId output = no_buffer;

  bool is_alias = false;  ///< no code: the output is the bytes of the inputs

  /// The schedule template and its parameters, by name.
  std::string schedule;
  std::map<std::string, std::int64_t> parameters;

  /// Filled by codegen::generate: symbol of the function in its object. Kernels with equal keys share one object and symbol.
  std::string symbol;
  std::int64_t scratch_bytes = 0;  ///< largest live sum of allocations in any one task
};

/// What happens at run time, in order.
struct Step {
  enum class Kind {
    kernel,  ///< run kernels[index]
    zero_halo,  ///< fill the halo of buffers[index] with zeros
  };
  Kind kind = Kind::kernel;
  int index = 0;
};

struct Plan {
  Graph graph;
  std::vector<Buffer> buffers;
  std::vector<Kernel> kernels;
  std::vector<Step> steps;
  std::vector<BufferId> inputs;  ///< one per graph input: the caller's buffer
  std::vector<BufferId> results;  ///< one per graph result: the caller's buffer
  std::int64_t arena_bytes = 0;
  std::int64_t weight_bytes = 0;
  std::int64_t scratch_bytes = 0;  ///< per worker: largest of the kernels'

  Buffer& buffer(BufferId id) { return buffers[static_cast<std::size_t>(id)]; }
  const Buffer& buffer(BufferId id) const { return buffers[static_cast<std::size_t>(id)]; }
};

}  // namespace calotype::plan
