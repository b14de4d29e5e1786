#pragma once
/// \file
/// Filters transformed for Winograd's algorithm, in the order in which the matrix products stream them.
#include "schedules/cpu/winograd_form.h"
#include "schedules/template.h"

namespace calotype::schedules::cpu {

/// Memory (lane, vector in tile, input lane, input block, summed tap, tile in chunk, plane, chunk), innermost first. Planes count the points of
/// the transformed axes, the last axis fastest.
Wish winograd_weights(const WinogradForm& form, std::int64_t tile, std::int64_t chunk);

}  // namespace calotype::schedules::cpu
