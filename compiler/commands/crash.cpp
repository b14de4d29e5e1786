/// \file
/// Signal handlers. They call only what may be called there: write, strlen and _exit.
#include "commands/crash.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "ir/current_layer.h"
#include "ir/failure.h"

namespace calotype::commands {
namespace {

void say(const char* text) {
  const ssize_t written = ::write(STDERR_FILENO, text, std::strlen(text));
  static_cast<void>(written);  // there is nothing left to try
}

[[noreturn]] void give_up(const char* what) {
  say("internal error: ");
  say(what);
  if (current_layer()[0] != '\0') {
    say(" while compiling layer ");
    say(current_layer());
  }
  say("\nThis is a bug in Calotype; please report it with the description that caused it.\n");
  ::_exit(static_cast<int>(Fault::bug));
}

void on_signal(int number) {
  if (number == SIGBUS) {
    say("error: a file was cut short while it was being read, or the disk failed\n");
    ::_exit(static_cast<int>(Fault::machine));
  }
  give_up(number == SIGABRT ? "a library gave up" : number == SIGILL || number == SIGFPE ? "a bad instruction" : "a wild memory access");
}

/// LLVM's fatal errors may call exit(1) in place of abort().
void on_exit() {
  if (current_layer()[0] != '\0') give_up("a library ended the program");
}

}  // namespace

void install_crash_handlers() {
  static char stack[64 * 1024];  // of its own, for overflows of the usual one
  stack_t alternate = {};
  alternate.ss_sp = stack;
  alternate.ss_size = sizeof(stack);
  ::sigaltstack(&alternate, nullptr);
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  for (const int number : {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE}) ::sigaction(number, &action, nullptr);
  std::atexit(on_exit);
}

}  // namespace calotype::commands
