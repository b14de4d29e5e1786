#pragma once
/// \file
/// Which layer this thread works on, so that an abort inside LLVM can still name it (main.cpp's signal handler reads it).
#include <cstddef>
#include <string_view>

namespace calotype {

/// Name of the layer under work on this thread, null-terminated; empty outside of any. Safe to call from a signal handler.
const char* current_layer();

/// Sets the name for the scope's life and puts the outer one back. Names longer than the buffer are cut.
class CurrentLayer {
 public:
  explicit CurrentLayer(std::string_view name);
  ~CurrentLayer();
  CurrentLayer(const CurrentLayer&) = delete;
  CurrentLayer& operator=(const CurrentLayer&) = delete;

 private:
  static constexpr std::size_t capacity = 256;
  char outer_[capacity];
};

}  // namespace calotype
