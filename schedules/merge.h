#pragma once
/// \file
/// Kernels that run as one: their values in between stay in a core's caches, row by row.
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::schedules {

/// Merges chains of two or three kernels where a template says that this saves time, or wherever it takes them. The merged kernel runs where the last of them stood. Nothing else
/// reads the values between them, and they are no results of the network.
void merge_kernels(plan::Plan& plan, const plan::Target& target, bool whatever_it_costs = false);

}  // namespace calotype::schedules
