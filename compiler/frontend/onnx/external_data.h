#pragma once
/// \file
/// Tensors whose bytes lie in files beside the model.
#include <cstdint>
#include <map>
#include <string>

#include "formats/mapped_file.h"

namespace calotype::frontend::onnx {

/// Opens files below one folder only: no absolute path, no `..`, no symbolic link on the way, no hard link, regular files alone.
class ExternalData {
 public:
  /// `folder` is the model's own.
  explicit ExternalData(std::string folder) : folder_(std::move(folder)) {}

  /// `length` bytes from `offset` on (all that follow if it is -1). Throws Failure(input) for what is not inside of the folder or the file.
  formats::MappedFile read(const std::string& location, std::int64_t offset, std::int64_t length);

 private:
  std::string folder_;
  std::map<std::string, formats::MappedFile, std::less<>> files_;
};

}  // namespace calotype::frontend::onnx
