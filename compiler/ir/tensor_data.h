#pragma once
/// \file
/// The numbers of a tensor: bytes in row-major logical order (the last extent varies fastest), owned or mapped from a file.
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "ir/tensor_type.h"

namespace calotype {

/// Shared, immutable after it was filled. `owner` keeps `bytes` alive: a vector, or a mapped file. Copies are cheap.
/// Bytes may be unaligned where they lie in a file: read them with `load`.
struct TensorData {
  TensorType type;
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

/// Element `index` in row-major order; `T` must be the C type of the element (f16 and bf16: std::uint16_t, bool: std::uint8_t).
template <typename T>
T load(const TensorData& data, std::int64_t index) {
  T element;
  std::memcpy(&element, data.bytes.data() + static_cast<std::size_t>(index) * sizeof(T), sizeof(T));
  return element;
}

/// Takes over the numbers; the element count must be that of `type`.
template <typename T>
TensorData own(TensorType type, std::vector<T> numbers) {
  auto owner = std::make_shared<const std::vector<T>>(std::move(numbers));
  return {std::move(type), std::as_bytes(std::span<const T>(*owner)), owner};
}

/// Element `index` of any type as a double (i64 and u64 above 2^53 are rounded).
double load_as_double(const TensorData& data, std::int64_t index);

/// The same numbers as f32 (f64 is rounded, f16 and bf16 widen); `data` itself if it is f32 already.
TensorData to_float32(const TensorData& data);

/// IEEE half and bfloat16 bits to float.
float float_of_half(std::uint16_t bits);
float float_of_bfloat16(std::uint16_t bits);

}  // namespace calotype
