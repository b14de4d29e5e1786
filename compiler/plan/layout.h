#pragma once
/// \file
/// How a tensor lies in memory. Three families: planar (row-major logical order, as NumPy), channel-blocked (channels cut into blocks that
/// lie innermost, batch x channel block x spatial x lane) and channels-last (batch x spatial x channels; callers' buffers only).
/// Spatial dimensions may carry a halo: cells around the values, zero before any reader runs.
#include <cstdint>
#include <vector>

#include "ir/tensor_type.h"

namespace calotype::plan {

struct Layout {
  enum class Family { planar, blocked, channels_last };
  Family family = Family::planar;
  int block = 1;                        ///< lanes of a channel block (blocked only); pad lanes of the last block are zero
  std::vector<std::int64_t> halo_begin = {};  ///< cells before each spatial dimension; empty: none
  std::vector<std::int64_t> halo_end = {};    ///< cells after each spatial dimension; empty: none

  bool has_halo() const;
  bool operator==(const Layout&) const = default;
};

/// One dimension of the memory, in elements. `logical` tells which logical dimension it walks; the lane of a channel block and the
/// block's number both walk dimension 1.
struct StorageDimension {
  enum class Role { whole, lane, block };
  int logical = 0;
  Role role = Role::whole;
  std::int64_t min = 0;     ///< first stored index: minus the halo
  std::int64_t extent = 0;  ///< stored cells, halo included
  std::int64_t stride = 0;
};

/// The memory's dimensions, innermost first (Halide's order). Strides are dense.
std::vector<StorageDimension> storage_of(const TensorType& type, const Layout& layout);

/// Elements of the memory, pad lanes and halo included; throws Failure on overflow.
std::int64_t stored_elements(const TensorType& type, const Layout& layout);

/// Bytes of the memory.
std::int64_t stored_bytes(const TensorType& type, const Layout& layout);

/// Do both layouts put every element of `type` at the same place (a copy between them is the identity)?
bool same_memory(const TensorType& type, const Layout& a, const Layout& b);

/// "planar", "blocked16", "blocked16 halo [1, 1]+[1, 1]", "channels_last"
std::string to_text(const Layout& layout);

}  // namespace calotype::plan
