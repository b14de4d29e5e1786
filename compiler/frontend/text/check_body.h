#pragma once
/// \file
/// The statements between one pair of braces: which names they define and use, and whether their calls can be right.
#include "frontend/text/check.h"

namespace calotype::frontend::text {

inline constexpr int most_nested_blocks = 64;  ///< how deep blocks may call blocks

/// Checks a block and fills in what it does with its parameters; the blocks that it calls must have been checked.
void check_block(Definition& definition, const CheckedFile& file, const Source& source, Diagnostics& diagnostics);

/// Checks the network; all blocks must have been checked.
void check_network(const Network& network, const CheckedFile& file, const Source& source, Diagnostics& diagnostics);

}  // namespace calotype::frontend::text
