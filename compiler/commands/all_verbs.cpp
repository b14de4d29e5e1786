/// \file
/// The verbs of `calotype-compiler`: all of them.
#include <array>

#include "commands/verbs.h"

namespace calotype::commands {
namespace {

constexpr std::array<Verb, 8> table = {{{"summary", summary_purpose, summary},
                                        {"compile", compile_purpose, compile},
                                        {"run", run_purpose, run},
                                        {"bench", bench_purpose, bench},
                                        {"check", check_purpose, check},
                                        {"tune", tune_purpose, not_yet},
                                        {"import", import_purpose, import_model},
                                        {"explain", explain_purpose, not_yet}}};

}  // namespace

std::span<const Verb> verbs() { return table; }

}  // namespace calotype::commands
