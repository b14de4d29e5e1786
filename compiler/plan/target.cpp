/// \file
/// Reading targets as Halide spells them, and finding out what this machine is.
#include "plan/target.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>

#include "ir/failure.h"

namespace calotype::plan {
namespace {

/// A feature and those that every CPU with it has, which Halide or its code generator take for granted.
struct Implication {
  std::string_view feature;
  std::array<std::string_view, 4> implied;
};

/// From the largest to the smallest, so that one walk completes a list.
constexpr Implication x86_features[] = {
    {"avx512_zen5", {"avx512_zen4", "avxvnni"}},
    {"avx512_sapphirerapids", {"avx512_zen4", "avxvnni"}},
    {"avx512_zen4", {"avx512_cannonlake"}},
    {"avx512_cannonlake", {"avx512_skylake"}},
    {"avx512_skylake", {"avx512"}},
    {"avx512_knl", {"avx512"}},
    {"avx512", {"avx2"}},
    {"avxvnni", {"avx2"}},
    {"avx2", {"avx", "fma", "f16c"}},
    {"fma", {"avx"}},
    {"f16c", {"avx"}},
    {"avx", {"sse41"}},
    {"sse41", {}},
};

/// Those of 64-bit ARM that Halide knows and that a run-time check exists for.
constexpr std::string_view arm_features[] = {"arm_dot_prod", "arm_fp16"};

constexpr std::string_view architectures[] = {"x86", "arm", "riscv", "wasm", "powerpc", "hexagon", "mips"};
constexpr std::string_view systems[] = {"linux", "windows", "osx", "android", "ios", "qurt", "noos", "fuchsia", "wasmrt"};
constexpr std::string_view devices[] = {"cuda", "opencl", "vulkan", "metal", "d3d12compute", "webgpu", "hvx"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool is_x86_feature(std::string_view name) {
  return std::any_of(std::begin(x86_features), std::end(x86_features), [&](const Implication& row) { return row.feature == name; });
}

std::vector<std::string_view> names_of_x86_features() {
  std::vector<std::string_view> names;
  for (const Implication& row : x86_features) names.push_back(row.feature);
  return names;
}

std::vector<std::string_view> names_of_arm_features() { return {std::begin(arm_features), std::end(arm_features)}; }

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> tokens;
  for (;;) {
    const std::size_t dash = text.find('-');
    tokens.push_back(text.substr(0, dash));
    if (dash == std::string_view::npos) return tokens;
    text.remove_prefix(dash + 1);
  }
}

Target arm_target(const std::set<std::string, std::less<>>& features) {
  Target target;
  target.architecture = "arm";
  target.system = "linux";
  target.features.assign(features.begin(), features.end());
  target.text = fmt::format("arm-64-linux{}{}", features.empty() ? "" : "-", fmt::join(features, "-"));
  target.vector_bytes = 16;
  target.vector_registers = 32;
  return target;
}

Target x86_target(std::set<std::string, std::less<>> features) {
  for (const Implication& row : x86_features) {
    if (!features.contains(row.feature)) continue;
    for (const std::string_view implied : row.implied) {
      if (!implied.empty()) features.emplace(implied);
    }
  }
  Target target;
  target.architecture = "x86";
  target.system = "linux";
  target.features.assign(features.begin(), features.end());
  target.text = fmt::format("x86-64-linux{}{}", features.empty() ? "" : "-", fmt::join(features, "-"));
  target.vector_bytes = features.contains("avx512") ? 64 : features.contains("avx") ? 32 : 16;
  target.vector_registers = features.contains("avx512") ? 32 : 16;
  return target;
}

#if defined(__x86_64__) && defined(__linux__)
/// Everything that LLVM may use of a CPU when Halide names that feature: it compiles for haswell, skylake-avx512, cannonlake, znver4, ...
bool host_has(std::string_view feature) {
  __builtin_cpu_init();
  const auto all = [](auto... present) { return (... && (present != 0)); };
#define HAS(name) __builtin_cpu_supports(name)
  if (feature == "sse41") return all(HAS("ssse3"), HAS("sse4.1"));
  if (feature == "avx") return all(HAS("avx"), HAS("sse4.2"), HAS("popcnt"), HAS("pclmul"));
  if (feature == "avx2") return all(HAS("avx2"), HAS("fma"), HAS("f16c"), HAS("bmi"), HAS("bmi2"), HAS("lzcnt"), HAS("movbe"));
  if (feature == "avx512_skylake")
    return all(HAS("avx512f"), HAS("avx512cd"), HAS("avx512vl"), HAS("avx512bw"), HAS("avx512dq"), HAS("adx"), HAS("aes"));
  if (feature == "avx512_cannonlake") return all(HAS("avx512ifma"), HAS("avx512vbmi"), HAS("sha"));
  const bool beyond_cannonlake = all(HAS("avx512bf16"), HAS("avx512vnni"), HAS("avx512bitalg"), HAS("avx512vbmi2"), HAS("avx512vpopcntdq"),
                                     HAS("gfni"), HAS("vaes"), HAS("vpclmulqdq"));
  if (feature == "avx512_zen4") return beyond_cannonlake && all(HAS("sse4a"));
  if (feature == "avx512_sapphirerapids")
    return beyond_cannonlake && all(HAS("avx512fp16"), HAS("avxvnni"), HAS("amx-tile"), HAS("amx-int8"), HAS("amx-bf16"));
  if (feature == "avxvnni") return all(HAS("avxvnni"));
#undef HAS
  return false;
}
#endif

}  // namespace

bool Target::has(std::string_view feature) const { return contains(features, feature); }

Target host_target() {
#if defined(__x86_64__) && defined(__linux__)
  std::set<std::string, std::less<>> features;
  // A ladder: what stands above needs what stands below. zen5 is left to those who name it: gcc cannot ask for all that LLVM may use of it.
  for (const std::string_view feature : {"sse41", "avx", "avx2", "avx512_skylake", "avx512_cannonlake"}) {
    if (!host_has(feature)) break;
    features.emplace(feature);
  }
  if (features.contains("avx512_cannonlake")) {
    if (host_has("avx512_sapphirerapids")) {
      features.emplace("avx512_sapphirerapids");
    } else if (host_has("avx512_zen4")) {
      features.emplace("avx512_zen4");
    }
  }
  return x86_target(std::move(features));
#else
  throw Failure(Fault::unsupported, "this machine cannot be a target: code is generated for x86-64 Linux");
#endif
}

Target parse_target(std::string_view text) {
  const std::vector<std::string_view> tokens = split(text);
  const auto refuse = [&](std::string_view what) {
    return Failure(
        Fault::unsupported,
        fmt::format("target '{}': no code is generated for {}; supported are x86-64-linux and arm-64-linux with features", text, what));
  };
  std::string architecture, bits, system;
  std::set<std::string, std::less<>> features;
  bool host = false;
  for (const std::string_view token : tokens) {
    const bool is_arm = architecture == "arm";
    if (token == "host") {
      host = true;
      for (std::string& feature : host_target().features) features.insert(std::move(feature));
    } else if (contains(architectures, token)) {
      architecture = token;
    } else if (token == "32" || token == "64") {
      bits = token;
    } else if (contains(systems, token)) {
      system = token;
    } else if (is_arm ? contains(arm_features, token) : is_x86_feature(token)) {
      features.emplace(token);
    } else if (contains(devices, token)) {
      throw refuse(token);
    } else if (architecture.empty() || architecture == "x86" || is_arm) {
      throw Failure(Fault::usage,
                    fmt::format("target '{}': '{}' is no feature; the features of {}-64-linux are {}", text, token, is_arm ? "arm" : "x86",
                                fmt::join(is_arm ? names_of_arm_features() : names_of_x86_features(), ", ")));
    }
  }
  if (!architecture.empty() && architecture != "x86" && architecture != "arm") throw refuse(architecture);
  if (bits == "32") throw refuse("32-bit machines");
  if (!system.empty() && system != "linux") throw refuse(system);
  if (!host && (architecture.empty() || bits.empty() || system.empty())) {
    throw Failure(Fault::usage, fmt::format("target '{}' must be 'host' or begin with x86-64-linux or arm-64-linux", text));
  }
  return architecture == "arm" ? arm_target(features) : x86_target(std::move(features));
}

}  // namespace calotype::plan
