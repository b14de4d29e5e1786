/// \file
/// Command lines by CLI11; its errors become Calotype's, with a suggestion.
#include "commands/command_line.h"

#include <fmt/format.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "layers/layer.h"

namespace calotype::commands {
namespace {

/// The option nearest to what was written, or nothing.
std::vector<std::string> suggestion(const CLI::App& app, const std::string& written) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string nearest = layers::nearest_name(written.substr(0, written.find('=')), candidates);
  if (nearest.empty()) return {};
  return {fmt::format("did you mean {}?", nearest)};
}

/// The first argument that no option took.
std::string first_extra(const CLI::App& app) {
  const std::vector<std::string> extras = app.remaining();
  for (const std::string& extra : extras) {
    if (extra.starts_with("-")) return extra;
  }
  return extras.empty() ? std::string() : extras.front();
}

}  // namespace

bool parse(CLI::App& app, Arguments arguments) {
  app.get_formatter()->column_width(36);
  // CLI11 wants the arguments in reverse.
  std::vector<std::string> words(arguments.rbegin(), arguments.rend());
  try {
    app.parse(words);
  } catch (const CLI::CallForHelp&) {
    print(app.help());
    return false;
  } catch (const CLI::ExtrasError&) {
    const std::string extra = first_extra(app);
    const char* what = extra.starts_with("-") ? "unknown option" : "unexpected argument";
    throw Failure(Fault::usage, fmt::format("{} '{}'", what, extra), {}, suggestion(app, extra));
  } catch (const CLI::ParseError& error) {
    throw Failure(Fault::usage, error.what(), {}, {fmt::format("{} --help lists the options", app.get_name())});
  }
  return true;
}

void declare_model(CLI::App& app, ModelOptions& options) {
  app.add_option("MODEL", options.path, "The description: a .layers or .onnx file")->required()->type_name("");
  app.add_option("--set", options.settings, "Binds a symbol of the description: N=8")->allow_extra_args(false)->type_name("SYMBOL=NUMBER");
  app.add_option("--bind", options.bindings, "Makes an input of an ONNX file a constant")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE.npy");
}

Symbols symbols_of(const std::vector<std::string>& settings) {
  Symbols symbols;
  for (const std::string& setting : settings) {
    const std::size_t equals = setting.find('=');
    std::int64_t number = 0;
    bool is_number = false;
    if (equals != std::string::npos) {
      const char* const end = setting.data() + setting.size();
      const auto read = std::from_chars(setting.data() + equals + 1, end, number);
      is_number = read.ec == std::errc() && read.ptr == end;
    }
    if (!is_number || equals == 0) throw Failure(Fault::usage, fmt::format("--set wants SYMBOL=NUMBER, such as N=8, not '{}'", setting));
    const std::string symbol = setting.substr(0, equals);
    if (!symbols.emplace(symbol, number).second) throw Failure(Fault::usage, fmt::format("--set gives {} twice", symbol));
  }
  return symbols;
}

void print(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (!written) throw Failure(Fault::machine, fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

void note(std::string_view text) { fmt::print(stderr, "note: {}\n", text); }

}  // namespace calotype::commands
