#pragma once
/// \file
/// The stage that picks a schedule template and layouts for every kernel.
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::schedules {

struct ChooseOptions {
  bool exact = false;       ///< --accuracy exact: no reformulations such as Winograd
  double size_limit = 2.5;  ///< packed weights may take this many times the bytes of the weights (and a megabyte, for small networks)
};

/// Gives each kernel its template, parameters, and buffers with layouts. Kernels are asked in running order, so that each sees the layouts of
/// its operands; a value that several kernels read gets the largest halo that any of them wants. Where a reader's wish differs from what the
/// producer writes, two buffers stand for the value; passes::insert_reorders adds the copy. Kernels that need no code become aliases and
/// leave the list.
void choose_implementations(plan::Plan& plan, const plan::Target& target, const ChooseOptions& options = {});

}  // namespace calotype::schedules
