#pragma once
/// \file
/// compile --emit: any stage as text.
#include <string>

#include "codegen/objects.h"
#include "ir/graph.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::commands {

/// Every value with its type, in order.
std::string shapes_text(const Graph& graph);

/// The kernels and the layers in each.
std::string fused_text(const plan::Plan& plan);

/// Buffers with layouts and places, kernels with templates and parameters, steps in order.
std::string plan_text(const plan::Plan& plan);

/// One kernel after another as lowered loops ("stmt"), LLVM's language ("llvm") or assembly ("asm"); equal kernels once.
std::string code_text(const plan::Plan& plan, const plan::Target& target, const std::string& form);

/// Symbol, size and scratch of every object.
std::string objects_text(const codegen::Objects& objects);

}  // namespace calotype::commands
