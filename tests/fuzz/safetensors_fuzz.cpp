/// \file
/// libFuzzer target of safetensors: any bytes give tensors that lie inside the file, each with the bytes its type takes, or a Failure.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace calotype;
  WeightStore store;
  try {
    formats::parse_safetensors(std::as_bytes(std::span(data, size)), nullptr, "fuzz.safetensors", store);
  } catch (const Failure& failure) {
    if (failure.fault() == Fault::bug) std::abort();
  }
  for (const auto& [name, tensor] : store.tensors) {
    const calotype::TensorData data = tensor.data.read();
    if (static_cast<std::int64_t>(data.bytes.size()) != data.type.bytes()) std::abort();
    for (std::int64_t i = 0; i < data.type.elements(); ++i) load_as_double(data, i);
  }
  return 0;
}
