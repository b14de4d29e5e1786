#pragma once
/// \file
/// The stage that picks a schedule template and layouts for every kernel.
#include <cstdint>

#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::schedules {

struct ChooseOptions {
  bool exact = false;       ///< --accuracy exact: no reformulations such as Winograd
  double size_limit = 2.5;  ///< packed weights may take this many times the bytes of the weights (and a megabyte, for small networks)
  bool merge_all =
      false;  ///< kernels are merged (schedules/merge.h) wherever that is possible, whatever it costs. For tests and measurements
  std::int64_t only_variant = 0;  ///< not 0: kernels get that variant or none, whatever it costs. For tests and measurements
};

/// Gives each kernel its template, parameters, and buffers with layouts. Kernels are asked in running order, so that each sees the layouts of
/// its operands; before that, the room that the size limit leaves goes to those kernels whose variants save most time for each byte; a value that several kernels read gets the largest halo that any of them wants. Where a reader's wish differs from what the
/// producer writes, two buffers stand for the value; passes::insert_reorders adds the copy. Kernels that need no code become aliases and
/// leave the list.
void choose_implementations(plan::Plan& plan, const plan::Target& target, const ChooseOptions& options = {});

}  // namespace calotype::schedules
