#pragma once
/// \file
/// What a compiled model checks of its inputs' numbers whenever it runs, in words.
#include <string>
#include <vector>

#include "plan/plan.h"

namespace calotype::codegen {

struct RunCheck {
  std::vector<std::string> inputs;  ///< of the network: those whose numbers the check depends on, in order
  std::string text;  ///< "wants shape: [2, 3]; otherwise run returns CALOTYPE_SHAPE_MISMATCH"
};

/// In the order in which they are made; equal ones once.
std::vector<RunCheck> run_checks(const plan::Plan& plan);

}  // namespace calotype::codegen
