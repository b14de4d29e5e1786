#pragma once
/// \file
/// Small random networks in the text format: layers that change layouts, share operands, branch and join, over odd extents.
#include <cstdint>
#include <string>

namespace calotype::testing {

/// A network of about `layers` layers; the same text for the same seed, on any machine. Every value that nobody reads is a result, and now and then
/// one that somebody reads.
std::string random_network(std::uint32_t seed, int layers);

}  // namespace calotype::testing
