/// \file
/// Targets as Halide spells them.
#include "plan/target.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/driver.h"
#include "cpu/model.h"
#include "ir/failure.h"

namespace calotype::plan {
namespace {

Fault fault_of(std::string_view text) {
  try {
    parse_target(text);
  } catch (const Failure& failure) {
    return failure.fault();
  }
  ADD_FAILURE() << text << " was accepted";
  return Fault::bug;
}

TEST(Target, ImpliedFeaturesAreSpelledOut) {
  const Target plain = parse_target("x86-64-linux");
  EXPECT_EQ(plain.text, "x86-64-linux");
  EXPECT_EQ(plain.vector_bytes, 16);
  EXPECT_EQ(plain.vector_registers, 16);
  const Target haswell = parse_target("x86-64-linux-avx2");
  EXPECT_EQ(haswell.text, "x86-64-linux-avx-avx2-f16c-fma-sse41");
  EXPECT_EQ(haswell.vector_bytes, 32);
  EXPECT_EQ(haswell.lanes(4), 8);
  const Target zen = parse_target("x86-64-linux-avx512_zen4");
  EXPECT_EQ(zen.text, "x86-64-linux-avx-avx2-avx512-avx512_cannonlake-avx512_skylake-avx512_zen4-f16c-fma-sse41");
  EXPECT_EQ(zen.vector_bytes, 64);
  EXPECT_EQ(zen.vector_registers, 32);
  EXPECT_EQ(parse_target(zen.text).text, zen.text);
  EXPECT_EQ(parse_target("x86-64-linux-fma-avx2-sse41").text, haswell.text);
}

TEST(Target, HostIsATarget) {
  const Target host = host_target();
  EXPECT_EQ(parse_target("host").text, host.text);
  EXPECT_EQ(parse_target(host.text).text, host.text);
  EXPECT_EQ(parse_target("host-sse41").has("sse41"), true);
}

TEST(Target, RefusesWhatIsNotSupportedOrNoTarget) {
  for (const char* text : {"arm-32-linux", "arm-64-osx-arm_dot_prod", "x86-32-linux", "x86-64-windows", "x86-64-osx-avx",
                           "wasm-32-wasmrt-wasm_simd128", "host-cuda", "x86-64-linux-opencl", "riscv-64-linux-rvv-vector_bits_128"}) {
    EXPECT_EQ(fault_of(text), Fault::unsupported) << text;
  }
  for (const char* text :
       {"", "-", "avx2", "x86", "x86-64", "x86-linux", "x86-64-linux-avx3", "host-", "x86-64-linux-no_asserts", "HOST"}) {
    EXPECT_EQ(fault_of(text), Fault::usage) << text;
  }
}

TEST(Target, MoreFeaturesNeedMoreOfTheCpu) {
  using codegen::required_features;
  const auto bits = [](const char* text) { return required_features(parse_target(text)); };
  EXPECT_EQ(bits("x86-64-linux"), 0u);
  EXPECT_EQ(bits("x86-64-linux-sse41"), CALOTYPE_CPU_BIT(CALOTYPE_CPU_SSE41));
  std::uint64_t below = 0;
  for (const char* text : {"x86-64-linux-sse41", "x86-64-linux-avx", "x86-64-linux-avx2", "x86-64-linux-avx512_skylake",
                           "x86-64-linux-avx512_cannonlake", "x86-64-linux-avx512_zen4", "x86-64-linux-avx512_sapphirerapids"}) {
    // SSE4A is AMD's alone: code for zen4 may use it, code for the newer Intel CPUs does not.
    EXPECT_EQ(below & ~bits(text) & ~CALOTYPE_CPU_BIT(CALOTYPE_CPU_SSE4A), 0u) << text;
    EXPECT_NE(below, bits(text)) << text;
    below = bits(text);
  }
  for (const auto feature : {CALOTYPE_CPU_AVX2, CALOTYPE_CPU_FMA, CALOTYPE_CPU_F16C, CALOTYPE_CPU_BMI2}) {
    EXPECT_NE(bits("x86-64-linux-avx2") & CALOTYPE_CPU_BIT(feature), 0u);
  }
}

}  // namespace
}  // namespace calotype::plan
