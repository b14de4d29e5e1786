/// \file
/// The thread's layer name lives in a fixed thread-local buffer: a signal handler may read it, and nothing allocates.
#include "ir/current_layer.h"

#include <algorithm>
#include <cstring>

namespace calotype {
namespace {

thread_local char name_buffer[256] = "";

}  // namespace

const char* current_layer() { return name_buffer; }

CurrentLayer::CurrentLayer(std::string_view name) {
  static_assert(capacity == sizeof(name_buffer));
  std::memcpy(outer_, name_buffer, capacity);
  const std::size_t length = std::min(name.size(), capacity - 1);
  std::memcpy(name_buffer, name.data(), length);
  name_buffer[length] = '\0';
}

CurrentLayer::~CurrentLayer() { std::memcpy(name_buffer, outer_, capacity); }

}  // namespace calotype
