#pragma once
/// \file
/// The machine that code is made for, as far as planning must know it. Spelled as Halide spells targets; no Halide needed to read it.
#include <string>
#include <string_view>
#include <vector>

namespace calotype::plan {

/// One instruction set. Everything that follows from the target's text, so that texts compare as targets do.
struct Target {
  std::string text;                   ///< canonical: "x86-64-linux-avx-avx2-f16c-fma-sse41"; implied features are spelled out
  std::string architecture;           ///< "x86" or "arm"
  int bits = 64;                      ///< of a pointer
  std::string system;                 ///< "linux"
  std::vector<std::string> features;  ///< Halide's names, sorted, implied ones included
  int vector_bytes = 16;              ///< of the widest vector register: 64, 32 or 16
  int vector_registers = 16;

  bool has(std::string_view feature) const;
  /// Lanes of a vector of elements of that many bytes.
  int lanes(int element_bytes) const { return vector_bytes / element_bytes; }
};

/// The machine that runs this. Throws Failure(unsupported) where that is not x86-64 Linux.
Target host_target();

/// "host", "x86-64-linux-avx2-fma", "arm-64-linux", ... Throws Failure(usage) for what is no target and Failure(unsupported) for machines that Calotype
/// makes no code for.
Target parse_target(std::string_view text);

}  // namespace calotype::plan
