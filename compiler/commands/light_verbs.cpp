/// \file
/// The verbs of `calotype`: those that need neither Halide nor LLVM. The others are in the executable beside it, `calotype-compiler`.
#include <algorithm>
#include <array>

#include "commands/model.h"
#include "commands/verbs.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype::commands {
namespace {

constexpr std::array<Verb, 8> table = {{{"summary", summary_purpose, summary},
                                        {"compile", compile_purpose},
                                        {"run", run_purpose},
                                        {"bench", bench_purpose},
                                        {"check", check_purpose},
                                        {"tune", tune_purpose, not_yet},
                                        {"import", import_purpose},
                                        {"explain", explain_purpose, not_yet}}};

}  // namespace

std::span<const Verb> verbs() { return table; }

// ONNX files are for the other executable: their constants are folded, which takes Halide.
bool needs_compiler(Arguments arguments) {
  return std::any_of(arguments.begin(), arguments.end(), [](std::string_view argument) { return argument.ends_with(".onnx"); });
}

Graph read_model(const ModelOptions& options) { return frontend::read(options.path); }

void type_values(Graph& graph, Symbols symbols) {
  passes::bind_symbols(graph, std::move(symbols));
  passes::infer_shapes(graph);
}

}  // namespace calotype::commands
