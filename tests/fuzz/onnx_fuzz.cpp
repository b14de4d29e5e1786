/// \file
/// libFuzzer target of ONNX files: any bytes give a model and then a graph, or a Failure that is not our own fault.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "frontend/onnx/convert.h"
#include "passes/passes.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace calotype;
  try {
    Graph graph = frontend::onnx::interface_of(frontend::onnx::parse_model(std::as_bytes(std::span(data, size)), "fuzz.onnx"));
    passes::bind_symbols(graph, {});
    frontend::onnx::convert(graph, [](const Graph&, OpId) { return std::nullopt; });
    verify(graph, "convert");
  } catch (const Failure& failure) {
    if (failure.fault() == Fault::bug) std::abort();
  }
  return 0;
}
