#pragma once
/// \file
/// The text that says everything on which a kernel's code depends, and nothing else: kernels with equal texts share one function, within a
/// network, between networks and between compiles.
#include <string>

#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::codegen {

std::string kernel_key(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target);

}  // namespace calotype::codegen
