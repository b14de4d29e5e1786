#pragma once
/// \file
/// Places in a description: byte spans while it is read, lines and columns once someone has to be told.
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "ir/failure.h"

namespace calotype::frontend::text {

/// Bytes [begin, end) of a description.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

inline Span join(Span first, Span last) { return {first.begin, last.end}; }

/// A description with an index of its lines.
class Source {
 public:
  /// Throws Failure(unsupported) for a text of more than a gigabyte: spans count in 32 bits.
  explicit Source(std::shared_ptr<const SourceFile> file);

  std::string_view text() const { return file_->text; }
  std::string_view text(Span span) const { return text().substr(span.begin, span.end - span.begin); }
  const std::shared_ptr<const SourceFile>& file() const { return file_; }
  int line(Span span) const;
  SourceLocation at(Span span) const;

 private:
  std::shared_ptr<const SourceFile> file_;
  std::vector<std::uint32_t> line_starts_;
};

/// The mistakes found so far. The same message at the same place counts once: a block's statement is looked at again for each instance.
class Diagnostics {
 public:
  static constexpr std::size_t most = 100;  ///< further mistakes are counted, not kept

  explicit Diagnostics(const Source& source) : source_(&source) {}

  void add(Span where, std::string message, std::vector<std::string> notes = {});
  void add(Diagnostic diagnostic);
  /// Notes that from now on go with each message: which instance of a block is being looked at.
  void set_context(std::vector<std::string> notes) { context_ = std::move(notes); }
  std::size_t count() const { return diagnostics_.size() + left_out_; }
  bool empty() const { return diagnostics_.empty(); }
  bool full() const { return diagnostics_.size() >= most; }

  /// Throws Failure with all mistakes in the order of the text, if there are any.
  void throw_if_any();

 private:
  const Source* source_;
  std::vector<Diagnostic> diagnostics_;
  std::set<std::tuple<int, int, std::string>> known_;
  std::vector<std::string> context_;
  std::size_t left_out_ = 0;
};

}  // namespace calotype::frontend::text
