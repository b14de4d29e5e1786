#pragma once
/// \file
/// NumPy's .npy files: one array each (numpy.lib.format, versions 1.0 to 3.0).
///
/// bfloat16 has no name in NumPy; as ml_dtypes does, it is stored as two raw bytes ('V2').
#include <span>
#include <string>

#include "ir/failure.h"
#include "ir/tensor_data.h"

namespace calotype::formats {

/// Reads an array. Column-major and big-endian files are turned round; others stay mapped. Throws Failure: input for a damaged file,
/// unsupported for an element type that Calotype has not, and what map_file throws.
TensorData read_npy(const std::string& path, Fault missing = Fault::usage);

/// The same for a file that is in memory already; `path` stands in messages. The result shares `owner`.
TensorData parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& path);

/// The header of a file that holds `type` in row-major order; the numbers follow it as they lie in memory.
std::string npy_header(const TensorType& type);

/// Writes an array in row-major order. Throws Failure(machine).
void write_npy(const std::string& path, const TensorData& data);

}  // namespace calotype::formats
