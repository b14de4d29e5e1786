#pragma once
/// \file
/// Graphs taken down to a plan, and what every plan must satisfy.
#include <string>
#include <vector>

#include "plan/plan.h"

namespace calotype::testing {

/// Simplified, fused, with implementations, copies and places, as `calotype compile` does it.
plan::Plan planned(Graph graph, const std::string& target = "host");

/// Fails the test unless every step reads buffers that an earlier step wrote (or the caller, or the weights), every halo is zeroed before it is
/// read, and every result is written.
void expect_steps_are_valid(const plan::Plan& plan);

/// Fails the test unless every byte that a step reads of the arena is the one that was written for it: bytes are stepped through one by one, each
/// labelled with the buffer that wrote it last.
void expect_arena_is_sound(const plan::Plan& plan);

/// Largest sum of the bytes of buffers that are in use at one step: no plan of the same steps can do with less.
std::int64_t least_arena(const plan::Plan& plan);

}  // namespace calotype::testing
