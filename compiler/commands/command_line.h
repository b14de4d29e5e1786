#pragma once
/// \file
/// What the verbs share of reading a command line and of printing.
#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace calotype::commands {

/// The arguments after the verb.
using Arguments = std::span<char* const>;

/// Reads the arguments into the options that `app` declares. False if --help was asked for and printed. Throws Failure(usage) with what
/// would have been right.
bool parse(CLI::App& app, Arguments arguments);

/// What names the model and completes it: MODEL, --set, --bind.
struct ModelOptions {
  std::string path;
  std::vector<std::string> settings;  ///< "N=8"
  std::vector<std::string> bindings;  ///< "shape=shape.npy"
};

void declare_model(CLI::App& app, ModelOptions& options);

/// "N=8" pairs as symbols; throws Failure(usage) for what is no such pair or stands twice.
Symbols symbols_of(const std::vector<std::string>& settings);

/// Writes to stdout; throws Failure(machine) if that fails (a full disk).
void print(std::string_view text);

/// A line on stderr that begins with "note: ".
void note(std::string_view text);

}  // namespace calotype::commands
