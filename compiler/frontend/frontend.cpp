/// \file
/// The frontend's entry: picks the format by the file's ending and runs its stages.
#include "frontend/frontend.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "frontend/text/expand.h"
#include "frontend/text/parser.h"

namespace calotype::frontend {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

std::string read_file(const std::string& path) {
  const auto fail = [&](int error) {
    const Fault fault = error == ENOENT || error == ENOTDIR || error == EISDIR ? Fault::usage : Fault::machine;
    return Failure(fault, fmt::format("cannot read {}: {}", path, std::strerror(error)));
  };
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (!file) throw fail(errno);
  struct stat status = {};
  if (fstat(fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode)) throw fail(EISDIR);
  std::string text;
  char buffer[1 << 16];
  while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, file.get())) text.append(buffer, count);
  if (std::ferror(file.get())) throw fail(errno);
  return text;
}

}  // namespace

Graph read(const std::string& path) {
  if (path.ends_with(".onnx")) throw Failure(Fault::unsupported, fmt::format("{}: an ONNX file is no text; frontend/onnx reads it", path));
  if (!path.ends_with(".layers")) {
    throw Failure(Fault::usage, fmt::format("{}: a description is a file that ends with .layers", path));
  }
  return parse(std::make_shared<const SourceFile>(SourceFile{path, read_file(path)}));
}

Graph parse(std::shared_ptr<const SourceFile> file) {
  const text::Source source(std::move(file));
  text::Diagnostics diagnostics(source);
  const text::File tree = text::parse_syntax(source, diagnostics);
  const text::CheckedFile checked = text::check(tree, source, diagnostics);
  diagnostics.throw_if_any();
  Graph graph = text::expand(checked, source, diagnostics);
  diagnostics.throw_if_any();
  return graph;
}

}  // namespace calotype::frontend
