/// \file
/// Reading and writing safetensors. Everything the header claims is checked against the file before a tensor is handed out.
#include "formats/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "formats/mapped_file.h"
#include "ir/checked.h"

namespace calotype::formats {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t header_limit = 100'000'000;
constexpr int depth_limit = 3;  // {tensor: {shape: [numbers]}}

struct Name {
  std::string_view name;
  ElementType element;
};

constexpr std::array<Name, 13> type_names = {{{"F64", ElementType::f64},
                                              {"F32", ElementType::f32},
                                              {"F16", ElementType::f16},
                                              {"BF16", ElementType::bf16},
                                              {"I8", ElementType::i8},
                                              {"U8", ElementType::u8},
                                              {"I16", ElementType::i16},
                                              {"U16", ElementType::u16},
                                              {"I32", ElementType::i32},
                                              {"U32", ElementType::u32},
                                              {"I64", ElementType::i64},
                                              {"U64", ElementType::u64},
                                              {"BOOL", ElementType::boolean}}};

/// What the header says of one tensor.
struct Entry {
  std::string name;
  TensorType type;
  std::uint64_t begin = 0, end = 0;  ///< bytes from the header's end
};

class HeaderReader {
 public:
  HeaderReader(const std::string& path) : path_(path) {}

  std::vector<Entry> read(std::string_view text) const {
    if (text.empty() || text.front() != '{') fail("the header does not begin with '{'");
    const Json header = parse(text);
    if (!header.is_object()) fail("the header is no JSON object");
    std::vector<Entry> entries;
    for (const auto& [name, description] : header.items()) {
      if (name != "__metadata__") entries.push_back(entry_of(name, description));
    }
    return entries;
  }

  [[noreturn]] void fail(std::string_view what) const { throw Failure(Fault::input, fmt::format("{}: {}", path_, what)); }

 private:
  Json parse(std::string_view text) const {
    std::set<std::string> names;
    const auto watch = [&](int depth, Json::parse_event_t event, Json& parsed) {
      if (depth > depth_limit) fail("the header is nested too deeply");
      if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) {
        fail(fmt::format("tensor {} stands twice in the header", parsed.get<std::string>()));
      }
      return true;
    };
    try {
      return Json::parse(text.begin(), text.end(), watch);
    } catch (const Json::exception&) {
      fail("the header is no valid JSON");
    }
  }

  Entry entry_of(const std::string& name, const Json& description) const {
    const auto damaged = [&](std::string_view what) { fail(fmt::format("tensor {}: {}", name, what)); };
    if (!description.is_object()) damaged("its entry is no object");
    for (const auto& [key, value] : description.items()) {
      if (key != "dtype" && key != "shape" && key != "data_offsets") damaged(fmt::format("unknown key '{}'", key));
    }
    for (const char* key : {"dtype", "shape", "data_offsets"}) {
      if (!description.contains(key)) damaged(fmt::format("its entry lacks '{}'", key));
    }
    Entry entry{.name = name, .type = {}};
    const Json& dtype = description.at("dtype");
    if (!dtype.is_string()) damaged("its dtype is no string");
    const auto row =
        std::find_if(type_names.begin(), type_names.end(), [&](const Name& n) { return n.name == dtype.get_ref<const std::string&>(); });
    if (row == type_names.end()) {
      throw Failure(Fault::unsupported, fmt::format("{}: tensor {} has the element type {}", path_, name, dtype.get<std::string>()));
    }
    entry.type.element = row->element;
    const Json& shape = description.at("shape");
    if (!shape.is_array()) damaged("its shape is no list");
    for (const Json& extent : shape) entry.type.extents.push_back(static_cast<std::int64_t>(number(extent, name)));
    const Json& offsets = description.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2) damaged("data_offsets are not two numbers");
    entry.begin = number(offsets[0], name);
    entry.end = number(offsets[1], name);
    if (entry.begin > entry.end || entry.end - entry.begin != static_cast<std::uint64_t>(entry.type.bytes())) {
      damaged(
          fmt::format("{} takes {} bytes, but its offsets are {} and {}", to_text(entry.type), entry.type.bytes(), entry.begin, entry.end));
    }
    return entry;
  }

  std::uint64_t number(const Json& value, const std::string& name) const {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > INT64_MAX)
      fail(fmt::format("tensor {}: {} is no size", name, value.dump()));
    return value.get<std::uint64_t>();
  }

  const std::string& path_;
};

void put_length(std::string& text, std::uint64_t length) {
  for (int i = 0; i < 8; ++i) text += static_cast<char>((length >> (8 * i)) & 255);
}

/// The tensors that the header lists, in the order of their bytes, which have neither overlap nor hole; and their bytes.
struct Contents {
  std::vector<Entry> entries;
  std::span<const std::byte> data;
};

Contents contents_of(std::span<const std::byte> bytes, const std::string& path) {
  const HeaderReader reader(path);
  if (bytes.size() < 8) reader.fail("this is no safetensors file: it is shorter than 8 bytes");
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  if (length > header_limit) reader.fail("this is no safetensors file: its header would be longer than 100 MB");
  if (length > bytes.size() - 8) reader.fail("the file ends inside its header");
  const auto header_bytes = static_cast<std::size_t>(length);
  Contents contents = {reader.read({reinterpret_cast<const char*>(bytes.data()) + 8, header_bytes}), bytes.subspan(8 + header_bytes)};

  std::sort(contents.entries.begin(), contents.entries.end(),
            [](const Entry& a, const Entry& b) { return std::pair(a.begin, a.end) < std::pair(b.begin, b.end); });
  std::uint64_t reached = 0;
  for (const Entry& entry : contents.entries) {
    if (entry.begin != reached) {
      reader.fail(fmt::format("tensor {} begins at byte {} where {} was expected: tensors must neither overlap nor leave holes", entry.name,
                              entry.begin, reached));
    }
    reached = entry.end;
  }
  if (reached != contents.data.size())
    reader.fail(fmt::format("the tensors take {} bytes, but {} follow the header", reached, contents.data.size()));
  return contents;
}

/// Adds what `numbers_of(type, bytes)` makes of each tensor.
template <typename NumbersOf>
void add_tensors(const Contents& contents, const std::string& path, WeightStore& store, const NumbersOf& numbers_of) {
  for (const Entry& entry : contents.entries) {
    const auto begin = static_cast<std::size_t>(entry.begin);
    const auto size = static_cast<std::size_t>(entry.end - entry.begin);
    const auto [at, is_new] =
        store.tensors.emplace(entry.name, StoredTensor{numbers_of(entry.type, contents.data.subspan(begin, size)), path});
    if (!is_new) throw Failure(Fault::input, fmt::format("{}: tensor {} was found in {} already", path, entry.name, at->second.file));
  }
}

}  // namespace

void parse_safetensors(std::span<const std::byte> bytes, const std::shared_ptr<const void>& owner, const std::string& path,
                       WeightStore& store) {
  add_tensors(contents_of(bytes, path), path, store,
              [&](const TensorType& type, std::span<const std::byte> part) { return Numbers(TensorData{type, part, owner}); });
}

void read_safetensors(const std::string& path, WeightStore& store, Fault missing) {
  const MappedFile file = map_file(path, missing);
  add_tensors(contents_of(file.bytes, path), path, store,
              [&](const TensorType& type, std::span<const std::byte> part) { return numbers_in({part, file.owner}, type); });
}

void write_safetensors(const std::string& path, const std::map<std::string, TensorData>& tensors) {
  Json header = Json::object();
  std::int64_t offset = 0;
  std::vector<std::span<const std::byte>> parts(1);
  for (const auto& [name, data] : tensors) {
    const ElementType element = data.type.element;
    const auto row = std::find_if(type_names.begin(), type_names.end(), [&](const Name& n) { return n.element == element; });
    const std::int64_t end = checked_add(offset, data.type.bytes());
    header[name] = {{"dtype", row->name}, {"shape", data.type.extents}, {"data_offsets", {offset, end}}};
    offset = end;
    parts.push_back(data.bytes);
  }
  std::string json = header.dump();
  json.append((8 - json.size() % 8) % 8, ' ');  // the tensors begin at a multiple of eight
  std::string text;
  put_length(text, json.size());
  text += json;
  parts[0] = std::as_bytes(std::span(text));
  write_file(path, parts);
}

}  // namespace calotype::formats
