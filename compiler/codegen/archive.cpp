/// \file
/// The form: a magic line, then members of a 60-byte text header and bytes padded to even length. The first member is the symbol table (a count,
/// for each symbol the offset of its member, the names), the second the names that exceed 15 characters. Sizes and offsets are patched in at
/// the end.
#include "codegen/archive.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <limits>

#include "ir/failure.h"

namespace calotype::codegen {
namespace {

constexpr std::size_t header_bytes = 60;
constexpr std::size_t longest_name = 15;

std::string header(const std::string& name, int mode, std::int64_t bytes) {
  return fmt::format("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", name, 0, 0, 0, mode, bytes);
}

void write_text(FileWriter& file, const std::string& text) { file.write(text.data(), text.size()); }

void pad(FileWriter& file) {
  if (file.position() % 2 != 0) file.write("\n", 1);
}

void append_big_endian(std::string& text, std::int64_t number) {
  if (number > std::numeric_limits<std::uint32_t>::max())
    throw Failure(Fault::input, "the library exceeds 4 GB: use --weight-storage external");
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>(number >> shift & 255);
}

/// The symbol table's bytes, given where each member's header stands.
std::string symbol_table(const std::vector<ArchiveMember>& members, const std::vector<std::int64_t>& offsets) {
  std::string numbers, names;
  std::int64_t count = 0;
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (const std::string& symbol : members[i].symbols) {
      append_big_endian(numbers, offsets[i]);
      names += symbol;
      names += '\0';
      ++count;
    }
  }
  std::string table;
  append_big_endian(table, count);
  table += numbers + names;
  if (table.size() % 2 != 0) table += '\0';
  return table;
}

}  // namespace

void write_archive(const std::vector<ArchiveMember>& members, const std::filesystem::path& path) {
  FileWriter file(path);
  write_text(file, "!<arch>\n");
  std::vector<std::int64_t> offsets(members.size(), 0);
  const std::string placeholder = symbol_table(members, offsets);
  write_text(file, header("/", 0, static_cast<std::int64_t>(placeholder.size())));
  const std::int64_t table_at = file.position();
  write_text(file, placeholder);

  std::string long_names;
  std::vector<std::string> short_names;
  for (const ArchiveMember& member : members) {
    if (member.name.size() <= longest_name) {
      short_names.push_back(member.name + "/");
    } else {
      short_names.push_back(fmt::format("/{}", long_names.size()));
      long_names += member.name + "/\n";
    }
  }
  if (!long_names.empty()) {
    write_text(file, fmt::format("{:<48}{:<10}`\n", "//", long_names.size()));
    write_text(file, long_names);
    pad(file);
  }

  for (std::size_t i = 0; i < members.size(); ++i) {
    offsets[i] = file.position();
    file.zeros(header_bytes);
    members[i].write(file);
    const std::string text = header(short_names[i], 644, file.position() - offsets[i] - static_cast<std::int64_t>(header_bytes));
    file.patch(offsets[i], text.data(), text.size());
    pad(file);
  }
  const std::string table = symbol_table(members, offsets);
  file.patch(table_at, table.data(), table.size());
  file.close();
}

}  // namespace calotype::codegen
