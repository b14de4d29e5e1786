/// \file
/// libFuzzer target of .npy: any bytes give an array of exactly the bytes its type takes, which reads back from what we write, or a Failure.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "formats/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace calotype;
  try {
    const TensorData array = formats::parse_npy(std::as_bytes(std::span(data, size)), nullptr, "fuzz.npy");
    if (static_cast<std::int64_t>(array.bytes.size()) != array.type.bytes()) std::abort();
    for (std::int64_t i = 0; i < array.type.elements(); ++i) load_as_double(array, i);

    const std::string header = formats::npy_header(array.type);
    std::vector<std::byte> file(header.size() + array.bytes.size());
    std::copy(array.bytes.begin(), array.bytes.end(),
              std::copy_n(reinterpret_cast<const std::byte*>(header.data()), header.size(), file.begin()));
    const TensorData again = formats::parse_npy(file, nullptr, "ours.npy");
    if (again.type != array.type || !std::equal(again.bytes.begin(), again.bytes.end(), array.bytes.begin())) std::abort();
  } catch (const Failure& failure) {
    if (failure.fault() == Fault::bug) std::abort();
  }
  return 0;
}
