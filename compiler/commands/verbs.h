#pragma once
/// \file
/// The verbs of the command line. Each is one function in the file of its name; the table differs between the two executables.
#include <span>
#include <string_view>

#include "commands/command_line.h"

namespace calotype::commands {

struct Verb {
  std::string_view name;
  std::string_view purpose;  ///< one line for --help
  /// Null where another executable does it (light_verbs.cpp).
  void (*act)(Arguments arguments) = nullptr;
};

/// The table of this executable: commands/light_verbs.cpp or commands/all_verbs.cpp.
std::span<const Verb> verbs();

/// Each throws Failure; a return means exit status 0.
void summary(Arguments arguments);
void compile(Arguments arguments);
void run(Arguments arguments);
void bench(Arguments arguments);
void check(Arguments arguments);
void import_model(Arguments arguments);

/// Throws Failure(unsupported): the verb is planned and not there yet.
void not_yet(Arguments arguments);

inline constexpr std::string_view summary_purpose = "Shows every layer with its output shape, parameters and multiply-adds";
inline constexpr std::string_view compile_purpose = "Makes a linkable library: NAME.a, NAME.h and package files";
inline constexpr std::string_view run_purpose = "Runs the network on arrays";
inline constexpr std::string_view bench_purpose = "Measures the latency of a run";
inline constexpr std::string_view check_purpose = "Compares with reference values, layer by layer";
inline constexpr std::string_view tune_purpose = "Searches schedules (not there yet)";
inline constexpr std::string_view import_purpose = "Turns ONNX into text and safetensors";
inline constexpr std::string_view explain_purpose = "Writes a page that explains the network (not there yet)";

}  // namespace calotype::commands
