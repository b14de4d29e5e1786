#pragma once
/// \file
/// The blob of weights, packed as kernels read it, written buffer by buffer so that it is never whole in memory.
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "codegen/file_writer.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::codegen {

/// What is known of a blob once it is written.
struct WeightBlob {
  std::int64_t bytes = 0;
  std::array<std::uint8_t, 16> hash{};  ///< the first half of the blob's BLAKE3 hash
};

/// The value's numbers in the buffer's packed order. `destination` has Buffer::bytes() bytes; pad cells become zero.
void pack_weight(const plan::Plan& plan, const plan::Buffer& buffer, std::span<std::byte> destination);

/// Gives the weights of several plans of one graph places in one blob, where those that are packed alike share one, and sets weight_bytes.
void share_weights(std::vector<plan::Plan>& plans);

/// Writes, where the file stands, an ELF relocatable object of one read-only section aligned to 64 bytes, which holds the blob under the
/// global hidden symbol. The object is for the target's architecture.
WeightBlob write_weight_object(const std::vector<const plan::Plan*>& plans, const std::string& symbol, const plan::Target& target,
                               FileWriter& file);

/// Writes a file of external weights: calotype_weights_header, then the blob.
WeightBlob write_weight_file(const std::vector<const plan::Plan*>& plans, const std::filesystem::path& path);

}  // namespace calotype::codegen
