#pragma once
/// \file
/// Parts that are made by several threads and used in order by one.
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace calotype::codegen {

using Bytes = std::unique_ptr<std::byte[]>;

/// What is to be made, part by part.
struct Parts {
  std::vector<std::int64_t> sizes;  ///< bytes of each part
  /// Fills in part `index`. Any thread, several at a time.
  std::function<void(std::size_t index, std::byte* part)> make;
  /// Uses part `index`. The calling thread, in order.
  std::function<void(std::size_t index, const std::byte* part)> use;
};

/// Makes all parts and uses them. At any time parts of `most_held` bytes at most are in memory, or a single larger one. The first exception that
/// either function throws ends it and is thrown again.
void make_in_order(const Parts& parts, std::int64_t most_held);

}  // namespace calotype::codegen
