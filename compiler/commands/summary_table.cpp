/// \file
/// Counting, and the two ways of showing the counts.
#include "commands/summary_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "ir/checked.h"
#include "layers/layer.h"

namespace calotype::commands {
namespace {

using layers::with_commas;

/// "280 of 4x4": a kernel for each pair of filter and channel it sees, where axes 0 and 1 of the weight are those two and the rest is the window.
std::string kernels_of(const layers::Call& call) {
  const auto operands = layers::operands_of(call.layer());
  const bool has_weight = std::any_of(operands.begin(), operands.end(), [](const layers::Operand& o) { return o.name == "weight"; });
  if (!has_weight || !call.layer().traits.reduces_channels || !call.has("weight")) return {};
  const std::vector<std::int64_t>& extents = call.operand("weight").type.extents;
  if (extents.size() < 3) return {};
  const std::vector<std::int64_t> window(extents.begin() + 2, extents.end());
  return fmt::format("{} of {}", with_commas(checked_multiply(extents[0], extents[1])), fmt::join(window, "x"));
}

/// "280 kernels of 4x4, 80 weights a filter"
std::string kernels_in_words(const layers::Call& call, const SummaryRow& row) {
  const std::size_t of = row.kernels.find(" of ");
  std::string text = row.kernels;
  text.insert(of, row.kernels.substr(0, of) == "1" ? " kernel" : " kernels");
  const TensorType& weight = call.operand("weight").type;
  if (call.layer().traits.weight_rows_are_channels && weight.extents[0] > 0) {
    text += fmt::format(", {} weights a filter", with_commas(weight.elements() / weight.extents[0]));
  }
  return text;
}

/// How the counts come about, in words.
std::string explanation_of(const layers::Call& call, const SummaryRow& row) {
  std::string text;
  if (call.layer().explain != nullptr) text = call.layer().explain(call);
  if (!row.kernels.empty()) text = fmt::format("{}: {}", kernels_in_words(call, row), text);
  if (text.empty() && row.parameters > 0) text = fmt::format("{} parameters", with_commas(row.parameters));
  if (row.multiply_adds > 0 && !row.results.empty() && row.results.front().elements() > 0) {
    const std::int64_t results = row.results.front().elements();
    const std::int64_t each = row.multiply_adds / results;
    if (each * results == row.multiply_adds) {
      text += fmt::format("{}{} results x {} multiply-adds each = {}", text.empty() ? "" : "; ", with_commas(results), with_commas(each),
                          with_commas(row.multiply_adds));
    }
  }
  return text;
}

SummaryRow row_of(const Graph& graph, const Op& op) {
  const layers::Layer* layer = layers::find_layer(op.kind);
  if (layer == nullptr) throw Failure(Fault::bug, fmt::format("no layer is named {}", op.kind));
  const layers::Call call(*layer, graph, op);
  SummaryRow row;
  row.name = op.name;
  row.kind = op.kind;
  row.line = op.location.line;
  const auto count = [&](const Value& value) {
    const std::int64_t elements = value.type.elements();
    row.parameters = checked_add(row.parameters, elements);
    if (value.trainable) row.trainable_parameters += elements;
  };
  for (const ValueId operand : op.operands) {
    if (operand == no_value) continue;
    const Value& value = graph.value(operand);
    if (value.implicit) {
      count(value);
    } else {
      row.inputs.push_back(value.name);
    }
  }
  for (const ValueId result : op.results) {
    const Value& value = graph.value(result);
    row.results.push_back(value.type);
    if (value.origin == Value::Origin::weight) count(value);
  }
  if (layer->multiply_adds != nullptr) row.multiply_adds = layer->multiply_adds(call);
  row.kernels = kernels_of(call);
  row.explanation = explanation_of(call, row);
  return row;
}

/// Pads to a width counted in characters, not in bytes: names may hold any letters.
std::string pad(const std::string& text, std::size_t width, bool right) {
  const auto is_start = [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; };
  const auto length = static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_start));
  const std::string space(width > length ? width - length : 0, ' ');
  return right ? space + text : text + space;
}

std::string bytes_in_words(std::int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} bytes", with_commas(bytes));
  if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

std::string number_or_blank(std::int64_t number) { return number == 0 ? "" : with_commas(number); }

std::string port_text(const std::vector<Summary::Port>& ports) {
  std::vector<std::string> texts;
  for (const Summary::Port& port : ports) texts.push_back(fmt::format("{}: {}", port.name, to_text(port.type)));
  return fmt::format("{}", fmt::join(texts, ", "));
}

nlohmann::ordered_json ports_json(const std::vector<Summary::Port>& ports) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Summary::Port& port : ports)
    list.push_back({{"name", port.name}, {"type", name_of(port.type.element)}, {"shape", port.type.extents}});
  return list;
}

}  // namespace

Summary summarize(const Graph& graph) {
  Summary summary;
  summary.model = graph.name;
  for (const GraphInput& input : graph.inputs) summary.inputs.push_back({graph.value(input.value).name, graph.value(input.value).type});
  for (const GraphResult& result : graph.results) summary.outputs.push_back({result.name, graph.value(result.value).type});
  for (const Op& op : graph.ops) {
    summary.rows.push_back(row_of(graph, op));
    const SummaryRow& row = summary.rows.back();
    summary.parameters = checked_add(summary.parameters, row.parameters);
    summary.trainable_parameters += row.trainable_parameters;
    summary.multiply_adds = checked_add(summary.multiply_adds, row.multiply_adds);
  }
  for (const Value& value : graph.values) {
    if (value.origin == Value::Origin::weight) summary.parameter_bytes = checked_add(summary.parameter_bytes, value.type.bytes());
  }
  return summary;
}

std::string to_table(const Summary& summary, bool explain) {
  constexpr std::size_t columns = 6;
  constexpr std::array<bool, columns> right = {false, false, false, true, true, true};
  std::vector<std::array<std::string, columns>> lines = {{"layer", "kind", "output shape", "kernels", "parameters", "multiply-adds"}};
  for (const SummaryRow& row : summary.rows) {
    std::vector<std::string> shapes;
    for (const TensorType& type : row.results) shapes.push_back(to_text(type.extents));
    lines.push_back({row.name, row.kind, fmt::format("{}", fmt::join(shapes, " ")), row.kernels, number_or_blank(row.parameters),
                     number_or_blank(row.multiply_adds)});
  }
  lines.push_back({"total", "", "", "", with_commas(summary.parameters), with_commas(summary.multiply_adds)});

  std::array<std::size_t, columns> widths = {};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < columns; ++i) widths[i] = std::max(widths[i], line[i].size());
  }
  std::size_t total_width = 2 * (columns - 1);
  for (const std::size_t width : widths) total_width += width;
  const std::string rule = std::string(total_width, '-') + "\n";

  std::string text = fmt::format("{}({}) -> {}\n\n", summary.model, port_text(summary.inputs), port_text(summary.outputs));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i + 1 == lines.size()) text += rule;
    std::string line;
    for (std::size_t column = 0; column < columns; ++column)
      line += (column == 0 ? "" : "  ") + pad(lines[i][column], widths[column], right[column]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
    if (i == 0) text += rule;
    const bool is_row = i >= 1 && i <= summary.rows.size();
    if (explain && is_row && !summary.rows[i - 1].explanation.empty()) text += fmt::format("    {}\n", summary.rows[i - 1].explanation);
  }
  text +=
      fmt::format("\n{} parameters ({}), {} of them trainable; {} multiply-adds a run\n", with_commas(summary.parameters),
                  bytes_in_words(summary.parameter_bytes), with_commas(summary.trainable_parameters), with_commas(summary.multiply_adds));
  return text;
}

std::string to_json(const Summary& summary) {
  using Json = nlohmann::ordered_json;
  Json layers = Json::array();
  for (const SummaryRow& row : summary.rows) {
    layers.push_back({{"name", row.name},
                      {"kind", row.kind},
                      {"inputs", row.inputs},
                      {"output_shape", row.results.empty() ? std::vector<std::int64_t>() : row.results.front().extents},
                      {"parameters", row.parameters},
                      {"trainable_parameters", row.trainable_parameters},
                      {"macs", row.multiply_adds},
                      {"line", row.line}});
  }
  const Json document = {
      {"model", summary.model},       {"inputs", ports_json(summary.inputs)}, {"outputs", ports_json(summary.outputs)},
      {"layers", std::move(layers)},  {"parameters", summary.parameters},     {"trainable_parameters", summary.trainable_parameters},
      {"macs", summary.multiply_adds}};
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace calotype::commands
