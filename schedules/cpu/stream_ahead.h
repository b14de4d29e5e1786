#pragma once
/// \file
/// Weights fetched into the cache before the loop that streams them.
#include <Halide.h>

#include <string>
#include <vector>

namespace calotype::schedules::cpu {

/// For nested loops of `output`'s pipeline, outermost first, that read the same `panel` elements of `weights` in every iteration of the
/// outermost: each iteration of the innermost asks for its share of the panel that follows in memory, which is read next. Loops have their full
/// names ("FUNC.s0.VARIABLE"). Does nothing where there are no such loops or they do not read the weights.
void stream_ahead(Halide::Func& output, const std::vector<std::string>& loops, const Halide::ImageParam& weights, std::int64_t panel);

}  // namespace calotype::schedules::cpu
