/// \file
/// Rules that layers with weights share.
#include "layers/weights.h"

#include <fmt/format.h>

#include "layers/window.h"

namespace calotype::layers {

ElementType require_float(const Call& call, int position) {
  const TensorType& type = call.type(position);
  if (!is_float(type.element)) {
    call.unsupported(fmt::format("{} computes floating-point types, and {} is {}; cast(type=f32) before it", call.layer().name,
                                 call.operand(position).name, to_text(type)));
  }
  return type.element;
}

ElementType require_accumulable(const Call& call, int position) {
  const TensorType& type = call.type(position);
  if (!is_float(type.element) && bytes_of(type.element) < 4) {
    call.unsupported(
        fmt::format("{} computes floating-point types and integers of 32 and 64 bits, and {} is {}; cast(type=f32) before it computes such",
                    call.layer().name, call.operand(position).name, to_text(type)));
  }
  return type.element;
}

void require_rank(const Call& call, int rank, std::string_view what) {
  if (call.type(0).rank() < rank) {
    call.fail(fmt::format("{} wants {}, not {}", call.layer().name, what, to_text(call.type(0).extents)), shape_notes(call));
  }
}

bool has_weight(const Call& call, std::string_view name) {
  if (call.has(name)) return !call.has_argument(name) || call.boolean(name);
  const auto operands = operands_of(call.layer());
  for (int position = 0; position < call.operand_count(); ++position) {
    const bool is_absent = !call.has(position) && operands[static_cast<std::size_t>(position)].name == name;
    if (is_absent) return false;
  }
  return !call.has_argument(name) || call.boolean(name);
}

const TensorType* written_weight(const Call& call, std::string_view name) {
  if (!call.has(name)) return nullptr;
  const Value& weight = call.operand(name);
  return weight.typed ? &weight.type : nullptr;
}

std::string counted(std::int64_t number, std::string_view singular) {
  const std::string_view plural = singular.ends_with("s") ? "es" : "s";
  return fmt::format("{} {}{}", with_commas(number), singular, number == 1 ? "" : plural);
}

}  // namespace calotype::layers
