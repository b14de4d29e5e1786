#pragma once
/// \file
/// One kernel of the plan as a Halide function, and that function as an object file. The only place where Halide compiles.
#include <string>

#include "codegen/objects.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::codegen {

/// Builds the kernel with its schedule template and compiles it under that symbol. Throws Failure(bug) with the kernel's name where Halide
/// refuses. Safe to call from several threads; a symbol must be compiled once in a process, so that its bytes never vary.
KernelObject compile_kernel(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, const std::string& symbol);

/// The lowered loops ("stmt") or the machine code ("asm") or LLVM's language ("llvm") of the kernel, for people.
std::string describe_kernel(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, const std::string& symbol,
                            const std::string& form);

}  // namespace calotype::codegen
