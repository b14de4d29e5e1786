#pragma once
/// \file
/// Shares the room for packed weights among the kernels of a network.
#include <cstdint>
#include <vector>

#include "schedules/template.h"

namespace calotype::schedules {

/// The variant that each kernel gets (0: none), so that all of them together take at most `room` bytes: step by step the kernel that saves most
/// time for each byte takes its next variant. One entry in `variants` for each kernel; equal ratios go to the first.
std::vector<std::int64_t> share_weight_room(const std::vector<std::vector<Variant>>& variants, std::int64_t room);

}  // namespace calotype::schedules
