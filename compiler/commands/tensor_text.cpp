/// \file
/// Printing tensors in planes with aligned columns.
#include "commands/tensor_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace calotype::commands {
namespace {

constexpr std::int64_t most_columns = 16;
constexpr std::int64_t most_rows = 32;
constexpr std::int64_t most_planes = 64;

std::string number_text(const TensorData& data, std::int64_t index) {
  switch (data.type.element) {
    case ElementType::i64: return fmt::format("{}", load<std::int64_t>(data, index));
    case ElementType::u64: return fmt::format("{}", load<std::uint64_t>(data, index));
    case ElementType::boolean: return load<std::uint8_t>(data, index) != 0 ? "true" : "false";
    default: return fmt::format("{:.6g}", load_as_double(data, index));
  }
}

std::string plane_text(const TensorData& data, std::int64_t first, std::int64_t rows, std::int64_t columns) {
  const std::int64_t shown_rows = std::min(rows, most_rows);
  const std::int64_t shown_columns = std::min(columns, most_columns);
  std::vector<std::string> cells;
  std::size_t width = 0;
  for (std::int64_t row = 0; row < shown_rows; ++row) {
    for (std::int64_t column = 0; column < shown_columns; ++column) {
      cells.push_back(number_text(data, first + row * columns + column));
      width = std::max(width, cells.back().size());
    }
  }
  std::string text;
  for (std::int64_t row = 0; row < shown_rows; ++row) {
    text += " ";
    for (std::int64_t column = 0; column < shown_columns; ++column) {
      text += fmt::format(" {:>{}}", cells[static_cast<std::size_t>(row * shown_columns + column)], width);
    }
    text += shown_columns < columns ? fmt::format(" ... ({} columns)\n", columns) : "\n";
  }
  if (shown_rows < rows) text += fmt::format("  ... ({} rows)\n", rows);
  return text;
}

/// "[0, 3, :, :]"
std::string plane_index(const std::vector<std::int64_t>& extents, std::int64_t plane) {
  std::vector<std::string> parts(extents.size(), ":");
  for (std::size_t i = extents.size() - 2; i-- > 0;) {
    parts[i] = fmt::format("{}", plane % extents[i]);
    plane /= extents[i];
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace

std::string tensor_text(std::string_view name, const TensorData& data) {
  const std::vector<std::int64_t>& extents = data.type.extents;
  std::string text = fmt::format("{}: {}\n", name, to_text(data.type));
  const std::int64_t elements = data.type.elements();
  if (elements == 0) return text;
  const std::int64_t columns = extents.empty() ? 1 : extents.back();
  const std::int64_t rows = extents.size() < 2 ? 1 : extents[extents.size() - 2];
  const std::int64_t planes = elements / (rows * columns);
  for (std::int64_t plane = 0; plane < std::min(planes, most_planes); ++plane) {
    if (extents.size() > 2) text += fmt::format(" {}\n", plane_index(extents, plane));
    text += plane_text(data, plane * rows * columns, rows, columns);
  }
  if (planes > most_planes) text += fmt::format(" ... ({} planes)\n", planes);
  return text;
}

}  // namespace calotype::commands
