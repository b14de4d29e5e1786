/// \file
/// Reading and writing .npy. The header is a Python dictionary of three entries; it is parsed as just that, not as Python.
#include "formats/npy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "formats/mapped_file.h"
#include "ir/checked.h"

namespace calotype::formats {
namespace {

constexpr std::size_t header_limit = 10000;  // as NumPy's own max_header_size
constexpr std::size_t rank_limit = 64;       // as NumPy's own

struct Code {
  std::string_view code;  ///< without byte order
  ElementType element;
};

constexpr std::array<Code, 13> codes = {{{"f8", ElementType::f64},
                                         {"f4", ElementType::f32},
                                         {"f2", ElementType::f16},
                                         {"V2", ElementType::bf16},
                                         {"i1", ElementType::i8},
                                         {"u1", ElementType::u8},
                                         {"i2", ElementType::i16},
                                         {"u2", ElementType::u16},
                                         {"i4", ElementType::i32},
                                         {"u4", ElementType::u32},
                                         {"i8", ElementType::i64},
                                         {"u8", ElementType::u64},
                                         {"b1", ElementType::boolean}}};

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
};

/// Reads {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }.
class HeaderReader {
 public:
  HeaderReader(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  Header read() {
    Header header;
    bool seen[3] = {};
    expect('{');
    while (!accept('}')) {
      const std::string key = quoted();
      expect(':');
      const int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      if (which < 0 || seen[which]) fail();
      seen[which] = true;
      if (which == 0) header.descr = quoted();
      if (which == 1) header.fortran_order = boolean();
      if (which == 2) header.shape = tuple();
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_space();
    if (!text_.empty() || !seen[0] || !seen[1] || !seen[2]) fail();
    return header;
  }

 private:
  [[noreturn]] void fail() const { throw Failure(Fault::input, fmt::format("{}: the header of this .npy file is damaged", path_)); }

  void skip_space() {
    while (!text_.empty() && std::isspace(static_cast<unsigned char>(text_.front())) != 0) text_.remove_prefix(1);
  }
  bool accept(char c) {
    skip_space();
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail();
  }
  std::string quoted() {
    const char quote = accept('\'') ? '\'' : accept('"') ? '"' : '\0';
    if (quote == '\0') {
      // A list in place of the type's name is an array of records.
      if (!text_.empty() && text_.front() == '[')
        throw Failure(Fault::unsupported, fmt::format("{}: arrays of records are not read", path_));
      fail();
    }
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) fail();
    std::string text(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return text;
  }
  bool boolean() {
    skip_space();
    for (const std::string_view word : {std::string_view("True"), std::string_view("False")}) {
      if (!text_.starts_with(word)) continue;
      text_.remove_prefix(word.size());
      return word == "True";
    }
    fail();
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> extents;
    expect('(');
    while (!accept(')')) {
      extents.push_back(number());
      if (extents.size() > rank_limit) fail();
      accept('L');  // as Python 2 wrote long integers
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }
  std::int64_t number() {
    skip_space();
    if (text_.empty() || std::isdigit(static_cast<unsigned char>(text_.front())) == 0) fail();
    std::int64_t value = 0;
    while (!text_.empty() && std::isdigit(static_cast<unsigned char>(text_.front())) != 0) {
      value = checked_add(checked_multiply(value, 10), text_.front() - '0');
      text_.remove_prefix(1);
    }
    return value;
  }

  std::string_view text_;
  const std::string& path_;
};

struct Stored {
  ElementType element;
  bool swapped = false;  ///< big-endian
};

Stored stored_type(const std::string& descr, const std::string& path) {
  std::string_view code = descr;
  char order = '=';
  if (!code.empty() && std::string_view("<>|=").find(code.front()) != std::string_view::npos) {
    order = code.front();
    code.remove_prefix(1);
  }
  if (code == "?") code = "b1";
  for (const Code& row : codes) {
    if (row.code == code) return {row.element, order == '>' && bytes_of(row.element) > 1};
  }
  throw Failure(Fault::unsupported, fmt::format("{}: element type '{}' is not supported", path, descr));
}

/// Row-major copy of a column-major array.
TensorData row_major(const TensorData& data) {
  const auto& extents = data.type.extents;
  const auto width = static_cast<std::size_t>(bytes_of(data.type.element));
  std::vector<std::byte> bytes(data.bytes.size());
  std::vector<std::size_t> stride(extents.size());
  std::size_t step = width;
  for (std::size_t i = 0; i < extents.size(); ++i) {
    stride[i] = step;
    step *= static_cast<std::size_t>(extents[i]);
  }
  std::vector<std::int64_t> index(extents.size(), 0);
  for (std::size_t to = 0; to < bytes.size(); to += width) {
    std::size_t from = 0;
    for (std::size_t i = 0; i < extents.size(); ++i) from += static_cast<std::size_t>(index[i]) * stride[i];
    std::memcpy(bytes.data() + to, data.bytes.data() + from, width);
    for (std::size_t i = extents.size(); i-- > 0;) {
      if (++index[i] < extents[i]) break;
      index[i] = 0;
    }
  }
  return own(data.type, std::move(bytes));
}

TensorData swap_bytes(const TensorData& data) {
  const auto width = bytes_of(data.type.element);
  std::vector<std::byte> bytes(data.bytes.begin(), data.bytes.end());
  for (auto at = bytes.begin(); at != bytes.end(); at += width) std::reverse(at, at + width);
  return own(data.type, std::move(bytes));
}

}  // namespace

TensorData parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& path) {
  const auto fail = [&](std::string_view what) -> void { throw Failure(Fault::input, fmt::format("{}: {}", path, what)); };
  constexpr std::string_view magic = "\x93NUMPY";
  if (bytes.size() < 10 || std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) fail("this is no .npy file");
  const auto byte = [&](std::size_t i) { return std::to_integer<std::size_t>(bytes[i]); };
  const std::size_t version = byte(6);
  if (version < 1 || version > 3) fail("this version of the .npy format is not known");
  const std::size_t start = version == 1 ? 10 : 12;
  if (bytes.size() < start) fail("the file ends inside its header");
  const std::size_t length = version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (length > header_limit) fail(fmt::format("a header of {} bytes is longer than any that NumPy reads", length));
  if (bytes.size() - start < length) fail("the file ends inside its header");
  const Header header = HeaderReader({reinterpret_cast<const char*>(bytes.data()) + start, length}, path).read();
  const Stored stored = stored_type(header.descr, path);

  TensorData data{{stored.element, header.shape}, bytes.subspan(start + length), std::move(owner)};
  const auto expected = static_cast<std::uint64_t>(data.type.bytes());
  if (data.bytes.size() != expected) {
    fail(fmt::format("{} takes {} bytes, but {} follow the header", to_text(data.type), expected, data.bytes.size()));
  }
  if (stored.swapped) data = swap_bytes(data);
  if (header.fortran_order && data.type.rank() > 1) data = row_major(data);
  return data;
}

TensorData read_npy(const std::string& path, Fault missing) {
  MappedFile file = map_file(path, missing);
  return parse_npy(file.bytes, std::move(file.owner), path);
}

std::string npy_header(const TensorType& type) {
  std::string_view code;
  for (const Code& row : codes) {
    if (row.element == type.element) code = row.code;
  }
  std::string shape;
  for (const std::int64_t extent : type.extents) shape += fmt::format("{}, ", extent);
  if (type.rank() > 1) shape.resize(shape.size() - 2);
  if (type.rank() == 1) shape.pop_back();
  std::string text =
      fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", bytes_of(type.element) == 1 ? '|' : '<', code, shape);
  // Magic, version and length take 10 bytes; the numbers begin at a multiple of 64.
  const std::size_t padding = 63 - (10 + text.size()) % 64;
  text.append(padding, ' ');
  text += '\n';
  std::string header = "\x93NUMPY";
  header += '\x01';
  header += '\x00';
  header += static_cast<char>(text.size() & 255);
  header += static_cast<char>(text.size() >> 8);
  return header + text;
}

void write_npy(const std::string& path, const TensorData& data) {
  const std::string header = npy_header(data.type);
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(header)), data.bytes};
  write_file(path, parts);
}

}  // namespace calotype::formats
