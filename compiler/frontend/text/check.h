#pragma once
/// \file
/// What can be said of a description before its blocks are expanded: names, calls, and what each block does with its parameters. So a
/// mistake in a block is reported once, where it stands, whether the block is used or not.
#include "frontend/text/calls.h"

namespace calotype::frontend::text {

/// A file whose names are known.
struct CheckedFile {
  const File* file = nullptr;
  std::map<std::string, Definition, std::less<>> blocks;
  Names symbols;  ///< what stands as an extent in the types of inputs and results
};

/// Reports every mistake that does not depend on the values that a block's parameters take.
CheckedFile check(const File& file, const Source& source, Diagnostics& diagnostics);

}  // namespace calotype::frontend::text
