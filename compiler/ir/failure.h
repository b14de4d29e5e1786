#pragma once
/// \file
/// How anything in the compiler reports that it cannot go on: one exception type that carries one diagnostic for each mistake.
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace calotype {

/// Whose fault a diagnostic is; the value is the exit status of the command line.
enum class Fault { input = 1, usage = 2, unsupported = 3, machine = 4, difference = 5, bug = 70 };

/// A description as it was read, kept for messages that quote it. `path` is shown to the user as given.
struct SourceFile {
  std::string path;
  std::string text;
};

/// A span in a source file. Lines and columns count from 1, `length` in bytes. Without a file, the place is unknown.
struct SourceLocation {
  std::shared_ptr<const SourceFile> file;
  int line = 0;
  int column = 0;
  int length = 0;

  explicit operator bool() const { return file != nullptr; }
};

/// One mistake: what, where, and what would have been right.
struct Diagnostic {
  Fault fault = Fault::input;
  SourceLocation where;
  std::string message;
  std::vector<std::string> notes = {};
  std::string layer = {};  ///< name of the layer at fault where there is no location, else empty
};

/// Thrown by every stage; `main` alone catches it. `what()` is the first message without its location.
class Failure : public std::exception {
 public:
  explicit Failure(std::vector<Diagnostic> diagnostics) : diagnostics_(std::move(diagnostics)) {}
  Failure(Fault fault, std::string message, SourceLocation where = {}, std::vector<std::string> notes = {})
      : diagnostics_{Diagnostic{fault, std::move(where), std::move(message), std::move(notes)}} {}

  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  std::vector<Diagnostic>& diagnostics() { return diagnostics_; }
  Fault fault() const { return diagnostics_.empty() ? Fault::bug : diagnostics_.front().fault; }
  const char* what() const noexcept override { return diagnostics_.empty() ? "unknown failure" : diagnostics_.front().message.c_str(); }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// file:line:column: error: message, the quoted line, a caret under the span, then the notes. One text for all diagnostics.
std::string render(const Failure& failure);

}  // namespace calotype
