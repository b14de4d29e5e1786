/// \file
/// The verbs of `calotype`: those that need neither Halide nor LLVM. The others are in the executable beside it, `calotype-compiler`.
#include <array>

#include "commands/verbs.h"

namespace calotype::commands {
namespace {

constexpr std::array<Verb, 8> table = {{{"summary", summary_purpose, summary},
                                        {"compile", compile_purpose},
                                        {"run", run_purpose},
                                        {"bench", bench_purpose},
                                        {"check", check_purpose},
                                        {"tune", tune_purpose, not_yet},
                                        {"import", import_purpose, not_yet},
                                        {"explain", explain_purpose, not_yet}}};

}  // namespace

std::span<const Verb> verbs() { return table; }

}  // namespace calotype::commands
