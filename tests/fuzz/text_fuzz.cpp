/// \file
/// libFuzzer target of the text format: any bytes give a graph that prints and parses to the same text, or diagnostics.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "frontend/frontend.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace calotype;
  const auto parse = [](std::string text) {
    return frontend::parse(std::make_shared<const SourceFile>(SourceFile{"fuzz.layers", std::move(text)}));
  };
  std::string printed;
  try {
    const Graph graph = parse({reinterpret_cast<const char*>(data), size});
    verify(graph, "parse");
    printed = frontend::print(graph);
  } catch (const Failure& failure) {
    if (failure.fault() == Fault::bug || render(failure).empty()) std::abort();
    return 0;
  }
  // What was printed must parse: no catch here.
  if (frontend::print(parse(printed)) != printed) std::abort();
  return 0;
}
