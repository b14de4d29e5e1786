/// \file
/// Type rules of elementwise layers: NumPy's broadcasting, with errors that name both shapes.
#include "layers/elementwise.h"

#include <fmt/format.h>

#include "layers/weights.h"

namespace calotype::layers {
namespace {

std::string shape_of(const Value& value) { return fmt::format("{} {}", value.name, to_text(value.type.extents)); }

}  // namespace

std::vector<std::int64_t> broadcast_extents(const Call& call) {
  std::vector<std::int64_t> extents;
  // For each dimension, counted from the end, the operand that made it more than 1.
  std::vector<int> origins;
  for (int i = 0; i < call.operand_count(); ++i) {
    const std::vector<std::int64_t>& mine = call.type(i).extents;
    const std::size_t added = mine.size() > extents.size() ? mine.size() - extents.size() : 0;
    extents.insert(extents.begin(), added, 1);
    origins.resize(extents.size(), 0);
    for (std::size_t back = 1; back <= mine.size(); ++back) {
      std::int64_t& extent = extents[extents.size() - back];
      const std::int64_t other = mine[mine.size() - back];
      if (other == extent || other == 1) continue;
      if (extent != 1) {
        call.fail(fmt::format("{} cannot broadcast {} and {}: {} from the end is {} against {}", call.layer().name,
                              shape_of(call.operand(origins[back - 1])), shape_of(call.operand(i)),
                              back == 1 ? "the extent" : fmt::format("extent {}", back), extent, other),
                  std::vector<std::string>{"extents are aligned at the end, and must be equal or 1"});
      }
      extent = other;
      origins[back - 1] = i;
    }
  }
  return extents;
}

ElementType common_element(const Call& call) {
  for (int i = 1; i < call.operand_count(); ++i) {
    if (call.type(i).element == call.type(0).element) continue;
    call.fail(fmt::format("{} wants operands of one type, but {} is {} and {} is {}", call.layer().name, call.operand(0).name,
                          name_of(call.type(0).element), call.operand(i).name, name_of(call.type(i).element)),
              std::vector<std::string>{fmt::format("cast({}, type={}) converts", call.operand(i).name, name_of(call.type(0).element))});
  }
  return call.type(0).element;
}

std::vector<TensorType> same_float(const Call& call) {
  require_float(call);
  return {call.type(0)};
}

std::vector<TensorType> same_number(const Call& call) {
  if (call.type(0).element == ElementType::boolean) call.unsupported(fmt::format("{} is not defined for bool", call.layer().name));
  return {call.type(0)};
}

std::vector<TensorType> same_type(const Call& call) { return {call.type(0)}; }

}  // namespace calotype::layers
