#pragma once
/// \file
/// A model made by hand, whose kernels are C: linking and loading are tested without Halide, against a plain loop.
#include <vector>

#include "codegen/link.h"
#include "codegen/objects.h"
#include "plan/plan.h"

namespace calotype::codegen {

/// y = (sum of x over 3x3 windows, zeros around) * weight of the channel; x and y are f32[1, 3, 4, 5]. See toy_kernels.c.
plan::Plan toy_plan();

/// The kernels, compiled by the C compiler; `prefix` stands before their symbols, and the answer is multiplied by `factor`.
Objects toy_objects(const std::string& prefix = "", int factor = 1);

/// toy_plan under that name in that folder.
Library toy_library(const std::filesystem::path& directory, const std::string& name = "toy");

/// What the model computes, by a plain loop.
std::vector<float> toy_answer(const std::vector<float>& x);

/// Some input.
std::vector<float> toy_input();

}  // namespace calotype::codegen
