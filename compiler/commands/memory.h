#pragma once
/// \file
/// What the compiler's own process keeps of memory that it has freed.

namespace calotype::commands {

/// Asks the allocator to give freed memory back to the system early. Compiling a kernel takes tens of megabytes for a moment; kept, they
/// would stand beside the weights that are packed later, and compiling may take twice the weights' bytes at most.
void return_memory_early();

/// Gives back what is free now.
void return_free_memory();

}  // namespace calotype::commands
