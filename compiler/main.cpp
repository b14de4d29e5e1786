/// \file
/// The command line: finds the verb, does it, and turns whatever is thrown into an exit status (docs/command-line.md lists them).
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <new>

#include "commands/crash.h"
#include "commands/model.h"
#include "commands/verbs.h"
#include "layers/layer.h"

namespace {

using namespace calotype;
using commands::Verb;

std::string help() {
  std::string text = "Calotype compiles one convolutional network into one linkable library.\n\nUsage: calotype VERB MODEL [options]\n\n";
  for (const Verb& verb : commands::verbs()) text += fmt::format("  {:10}{}\n", verb.name, verb.purpose);
  text += "\ncalotype VERB --help lists the options of a verb; --version prints the version.\n";
  return text;
}

/// Replaces this process by the executable beside it that has every verb.
[[noreturn]] void become_compiler(char** argv) {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::string sibling = (self.parent_path() / "calotype-compiler").string();
  ::execv(sibling.c_str(), argv);
  throw Failure(Fault::machine, fmt::format("cannot start {}: {}", sibling, std::strerror(errno)));
}

[[noreturn]] void unknown_verb(const std::string& word) {
  std::vector<std::string_view> names;
  for (const Verb& verb : commands::verbs()) names.push_back(verb.name);
  const std::string nearest = layers::nearest_name(word, names);
  std::vector<std::string> notes = {nearest.empty() ? "calotype --help lists the verbs" : fmt::format("did you mean '{}'?", nearest)};
  throw Failure(Fault::usage, fmt::format("unknown verb '{}'", word), {}, std::move(notes));
}

void act(int argc, char** argv) {
  const std::string word = argc > 1 ? argv[1] : "";
  if (word.empty()) throw Failure(Fault::usage, "which verb?", {}, {"calotype --help lists the verbs"});
  if (word == "--help" || word == "-h" || word == "help") return commands::print(help());
  if (word == "--version") return commands::print(fmt::format("calotype {}\n", CALOTYPE_VERSION));
  for (const Verb& verb : commands::verbs()) {
    if (verb.name != word) continue;
    const commands::Arguments arguments(argv + 2, static_cast<std::size_t>(argc - 2));
    if (verb.act == nullptr || commands::needs_compiler(arguments)) become_compiler(argv);
    return verb.act(arguments);
  }
  unknown_verb(word);
}

int report(const char* label, const char* what, Fault fault) {
  std::fflush(stdout);
  fmt::print(stderr, "{}: {}\n", label, what);
  return static_cast<int>(fault);
}

}  // namespace

int main(int argc, char** argv) {
  commands::install_crash_handlers();
  try {
    act(argc, argv);
    return 0;
  } catch (const Failure& failure) {
    std::fflush(stdout);
    std::fputs(render(failure).c_str(), stderr);
    return static_cast<int>(failure.fault());
  } catch (const std::bad_alloc&) {
    return report("error", "not enough memory", Fault::machine);
  } catch (const std::exception& error) {
    return report("internal error", error.what(), Fault::bug);
  } catch (...) {
    return report("internal error", "an unknown exception", Fault::bug);
  }
}
