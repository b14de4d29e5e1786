/// \file
/// Three levels of protobuf's wire format, model, graph and initializer, are walked field by field. Every field is copied as it lies but raw data
/// beyond a limit, and the lengths of what stands around it are written anew.
#include "frontend/onnx/large_tensors.h"

#include <cstdint>

namespace calotype::frontend::onnx {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t limit = 4096;

// Numbers of fields in onnx-ml.proto.
constexpr std::uint64_t graph_of_model = 7, initializer_of_graph = 5, raw_data_of_tensor = 9;

struct Field {
  std::uint64_t number = 0;
  bool is_bytes = false;  ///< a message or bytes; else a number
  Bytes whole;  ///< with its key
  Bytes payload;  ///< of a message or bytes
};

/// Takes a number of 7 bits a byte off the front.
std::optional<std::uint64_t> take_number(Bytes& bytes) {
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = std::to_integer<std::uint64_t>(bytes[i]);
    number |= (byte & 127) << (7 * i);
    if (byte < 128) {
      bytes = bytes.subspan(i + 1);
      return number;
    }
  }
  return std::nullopt;
}

/// Takes a field off the front. Nothing for a damaged one, or a group, which ONNX has not.
std::optional<Field> take_field(Bytes& bytes) {
  enum Wire : std::uint64_t { number, eight_bytes, length_and_bytes, four_bytes = 5 };
  const Bytes start = bytes;
  const std::optional<std::uint64_t> key = take_number(bytes);
  if (!key) return std::nullopt;
  Field field;
  field.number = *key >> 3U;
  std::optional<std::uint64_t> size;
  switch (*key & 7U) {
    case number: size = take_number(bytes) ? std::optional<std::uint64_t>(0) : std::nullopt; break;
    case eight_bytes: size = 8; break;
    case length_and_bytes:
      size = take_number(bytes);
      field.is_bytes = true;
      break;
    case four_bytes: size = 4; break;
    default: break;
  }
  if (!size || *size > bytes.size()) return std::nullopt;
  field.payload = bytes.first(static_cast<std::size_t>(*size));
  bytes = bytes.subspan(static_cast<std::size_t>(*size));
  field.whole = start.first(start.size() - bytes.size());
  return field;
}

void append(std::string& text, Bytes bytes) { text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }

void append_number(std::string& text, std::uint64_t number) {
  for (; number >= 128; number >>= 7U) text += static_cast<char>(number | 128U);
  text += static_cast<char>(number);
}

void append_message(std::string& text, std::uint64_t field, const std::string& message) {
  append_number(text, field << 3U | 2U);
  append_number(text, message.size());
  text += message;
}

/// Copies the fields but those that `rewrite` takes. False for damaged ones.
template <typename Rewrite>
bool copy_fields(Bytes message, std::string& text, const Rewrite& rewrite) {
  while (!message.empty()) {
    const std::optional<Field> field = take_field(message);
    if (!field) return false;
    if (!field->is_bytes) {
      append(text, field->whole);
      continue;
    }
    const std::optional<bool> is_rewritten = rewrite(*field);
    if (!is_rewritten) return false;
    if (!*is_rewritten) append(text, field->whole);
  }
  return true;
}

bool cut_tensor(Bytes tensor, std::string& text, std::optional<Bytes>& raw) {
  return copy_fields(tensor, text, [&](const Field& field) -> std::optional<bool> {
    if (field.number != raw_data_of_tensor || (field.payload.size() < limit && !raw)) return false;
    if (raw) return std::nullopt;  // twice: protobuf knows what that means
    raw = field.payload;
    return true;
  });
}

bool cut_graph(Bytes graph, std::string& text, CutModel& cut) {
  return copy_fields(graph, text, [&](const Field& field) -> std::optional<bool> {
    if (field.number != initializer_of_graph) return false;
    std::string tensor;
    if (!cut_tensor(field.payload, tensor, cut.raw.emplace_back())) return std::nullopt;
    append_message(text, initializer_of_graph, tensor);
    return true;
  });
}

}  // namespace

std::optional<CutModel> cut_large_tensors(Bytes model) {
  CutModel cut;
  const bool is_whole = copy_fields(model, cut.bytes, [&](const Field& field) -> std::optional<bool> {
    if (field.number != graph_of_model) return false;
    std::string graph;
    if (!cut_graph(field.payload, graph, cut)) return std::nullopt;
    append_message(cut.bytes, graph_of_model, graph);
    return true;
  });
  if (!is_whole) return std::nullopt;
  return cut;
}

}  // namespace calotype::frontend::onnx
