#pragma once
/// \file
/// safetensors: eight bytes of header length, a JSON header, then the tensors' bytes without gaps.
#include <map>
#include <span>
#include <string>

#include "ir/failure.h"
#include "ir/weight_store.h"

namespace calotype::formats {

/// Adds the file's tensors to the store. They stay in the mapped file, in the element type they have there. Throws Failure: input for a file
/// that breaks the format's rules (header at most 100 MB, no duplicate, no overlap, no hole) or a tensor that the store holds already,
/// unsupported for an element type that Calotype has not, and what map_file throws.
void read_safetensors(const std::string& path, WeightStore& store, Fault missing = Fault::usage);

/// The same for bytes in memory; `path` stands in messages.
void parse_safetensors(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner, const std::string& path,
                       WeightStore& store);

/// Writes the tensors, ordered by name. Throws Failure(machine).
void write_safetensors(const std::string& path, const std::map<std::string, TensorData>& tensors);

}  // namespace calotype::formats
