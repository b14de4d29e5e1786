#pragma once
/// \file
/// How fast this machine can multiply and add: the measure that a network's speed is held against.

namespace calotype::commands {

/// Billions of single-precision operations a second (a multiply-add counts two) that `threads` threads reach together on registers alone,
/// with the widest vectors of this processor. Takes about 50 milliseconds.
double measured_peak_gflops(int threads);

}  // namespace calotype::commands
