/// \file
/// The list of schedule templates, most special first. The first that matches a kernel gets it.
#include <fmt/format.h>

#include <array>

#include "schedules/cpu/cpu_templates.h"
#include "schedules/template.h"

namespace calotype::schedules {
namespace {

constexpr auto all = std::to_array<Template>({
    cpu::identity,
    cpu::join,
    cpu::inverted_residual,
    cpu::depthwise,
    cpu::narrow_conv,
    cpu::strassen,
    cpu::winograd,
    cpu::half_block,
    cpu::direct_conv,
    cpu::small_groups,
    cpu::grouped_conv,
    cpu::conv_transpose,
    cpu::pool,
    cpu::dense,
    cpu::matmul,
    cpu::rows,
    cpu::permute,
    cpu::generic,
});

}  // namespace

std::span<const Template> templates() { return all; }

const Template& find_template(std::string_view name) {
  for (const Template& candidate : all) {
    if (candidate.name == name) return candidate;
  }
  throw Failure(Fault::bug, fmt::format("no schedule template is named {}", name));
}

}  // namespace calotype::schedules
