#pragma once
/// \file
/// The last resort: what happens below us must not end without a word.

namespace calotype::commands {

/// From here on an abort, a wild access or an exit() from inside a library prints "internal error" with the current layer's name
/// (ir/current_layer.h) and ends with status 70; a mapped file that shrank while it was read ends with status 4.
void install_crash_handlers();

}  // namespace calotype::commands
