/// \file
/// Packing weights and wrapping the blob, as a linkable object or as a file of its own.
#include "codegen/weights.h"

#include <fmt/format.h>
#include <llvm/BinaryFormat/ELF.h>
#include <llvm/Support/BLAKE3.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>
#include <vector>

#include "codegen/in_order.h"
#include "cpu/model.h"
#include "ir/checked.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

constexpr std::int64_t alignment = 64;

/// A blob of at least so many bytes is aligned to huge pages, so that a program's pages of it can be mapped by 2 MB where the file system keeps
/// them so: the first run then has 94 page faults in place of 2840 (ResNet-50). The price is a hole of at most 2 MB in the program's file.
constexpr std::int64_t large_blob = 4 << 20;
constexpr std::int64_t huge_page = 2 << 20;

/// Weights being packed and written at a time, in bytes; a larger one goes alone.
constexpr std::int64_t most_held = 24 << 20;

std::int64_t round_up(std::int64_t bytes, std::int64_t unit) { return (bytes + unit - 1) / unit * unit; }

const Numbers& source_of(const plan::Plan& plan, const plan::Buffer& buffer) {
  const std::optional<Numbers>& data = plan.graph.value(buffer.value).data;
  if (!data) throw Failure(Fault::bug, fmt::format("weight {} has no numbers", buffer.name));
  return *data;
}

/// Row-major numbers into the layout's order.
void apply_layout(const plan::Buffer& buffer, const TensorData& source, std::span<std::byte> destination) {
  if (plan::same_memory(buffer.type, buffer.layout, plan::Layout{})) {
    std::memcpy(destination.data(), source.bytes.data(), destination.size());
    return;
  }
  const std::vector<plan::StorageDimension> dimensions = plan::storage_of(buffer.type, buffer.layout);
  const auto element = static_cast<std::size_t>(bytes_of(buffer.type.element));
  const std::vector<std::int64_t>& extents = buffer.type.extents;
  std::vector<std::int64_t> cell(dimensions.size(), 0);
  std::vector<std::int64_t> logical(extents.size());
  for (std::size_t at = 0; at < destination.size(); at += element) {
    std::fill(logical.begin(), logical.end(), 0);
    for (std::size_t i = 0; i < dimensions.size(); ++i) {
      const std::int64_t step = dimensions[i].role == plan::StorageDimension::Role::block ? buffer.layout.block : 1;
      logical[static_cast<std::size_t>(dimensions[i].logical)] += (dimensions[i].min + cell[i]) * step;
    }
    std::int64_t index = 0;
    bool inside = true;
    for (std::size_t i = 0; i < extents.size(); ++i) {
      inside = inside && logical[i] >= 0 && logical[i] < extents[i];
      index = index * extents[i] + logical[i];
    }
    if (inside) {
      std::memcpy(destination.data() + at, source.bytes.data() + static_cast<std::size_t>(index) * element, element);
    } else {
      std::memset(destination.data() + at, 0, element);
    }
    for (std::size_t i = 0; i < cell.size() && ++cell[i] == dimensions[i].extent; ++i) cell[i] = 0;
  }
}

struct Weight {
  const plan::Plan* plan;
  const plan::Buffer* buffer;
};

bool is_weight(const plan::Buffer& buffer) { return buffer.place.kind == plan::Place::Kind::weights && buffer.alias_of == plan::no_buffer; }

/// The buffers that lie in the blob, each place once, by offset.
std::vector<Weight> weights_in_order(const std::vector<const plan::Plan*>& plans) {
  std::map<std::int64_t, Weight> weights;
  for (const plan::Plan* plan : plans) {
    for (const plan::Buffer& buffer : plan->buffers) {
      // One without bytes lies where the next one does.
      if (is_weight(buffer) && buffer.bytes() > 0) weights.emplace(buffer.place.offset, Weight{plan, &buffer});
    }
  }
  std::vector<Weight> in_order;
  for (const auto& [offset, weight] : weights) in_order.push_back(weight);
  return in_order;
}

/// What decides a weight's packed bytes: the numbers themselves, by where they come from, and how they are packed.
using PackingKey = std::tuple<const void*, std::string, std::string, std::string, std::vector<std::int64_t>>;

PackingKey packing_key(const plan::Plan& plan, const plan::Buffer& buffer) {
  return {source_of(plan, buffer).identity(), to_text(buffer.type), plan::to_text(buffer.layout), buffer.packing, buffer.packed_extents};
}

/// Writes the blob where the file stands.
WeightBlob write_blob(const std::vector<const plan::Plan*>& plans, FileWriter& file) {
  llvm::BLAKE3 hasher;
  const std::int64_t start = file.position();
  const std::vector<Weight> weights = weights_in_order(plans);
  const auto write = [&](const void* bytes, std::size_t count) {
    hasher.update(llvm::ArrayRef<std::uint8_t>(static_cast<const std::uint8_t*>(bytes), count));
    file.write(bytes, count);
  };
  const auto pad_to = [&](std::int64_t offset) {
    static constexpr std::array<std::uint8_t, alignment> none{};
    for (std::int64_t gap = offset - (file.position() - start); gap > 0; gap -= alignment) {
      write(none.data(), static_cast<std::size_t>(std::min(gap, alignment)));
    }
  };
  Parts parts;
  for (const Weight& weight : weights) parts.sizes.push_back(weight.buffer->bytes());
  parts.make = [&](std::size_t index, std::byte* part) {
    const auto& [plan, buffer] = weights[index];
    pack_weight(*plan, *buffer, {part, static_cast<std::size_t>(buffer->bytes())});
  };
  parts.use = [&](std::size_t index, const std::byte* part) {
    const plan::Buffer& buffer = *weights[index].buffer;
    if (file.position() - start > buffer.place.offset) {
      throw Failure(Fault::bug, fmt::format("weight {} overlaps the one before it", buffer.name));
    }
    pad_to(buffer.place.offset);
    write(part, static_cast<std::size_t>(buffer.bytes()));
  };
  make_in_order(parts, most_held);
  pad_to(plans.front()->weight_bytes);
  WeightBlob blob;
  blob.bytes = file.position() - start;
  const auto digest = hasher.final();
  std::copy_n(digest.begin(), blob.hash.size(), blob.hash.begin());
  return blob;
}

std::uint32_t append(std::string& strings, const std::string& name) {
  const auto offset = static_cast<std::uint32_t>(strings.size());
  strings += name;
  strings += '\0';
  return offset;
}

}  // namespace

void pack_weight(const plan::Plan& plan, const plan::Buffer& buffer, std::span<std::byte> destination) {
  const TensorData source = source_of(plan, buffer).read();
  if (static_cast<std::int64_t>(source.bytes.size()) != source.type.bytes()) {
    throw Failure(Fault::bug, fmt::format("weight {} has {} bytes in place of {}", buffer.name, source.bytes.size(), source.type.bytes()));
  }
  if (buffer.pack) {
    std::fill(destination.begin(), destination.end(), std::byte{0});
    buffer.pack(source, destination);
  } else {
    if (source.type != buffer.type)
      throw Failure(Fault::bug, fmt::format("weight {} is {}, its buffer {}", buffer.name, to_text(source.type), to_text(buffer.type)));
    apply_layout(buffer, source, destination);
  }
}

void share_weights(std::vector<plan::Plan>& plans) {
  std::map<PackingKey, std::int64_t> offsets;
  std::int64_t end = 0;
  for (plan::Plan& plan : plans) {
    std::map<std::int64_t, std::int64_t> moved;  // places that the plan had, to places in the common blob
    for (const plan::Buffer& buffer : plan.buffers) {
      if (!is_weight(buffer) || moved.contains(buffer.place.offset)) continue;
      const auto [entry, is_new] = offsets.try_emplace(packing_key(plan, buffer), end);
      if (is_new) end = round_up(checked_add(end, buffer.bytes()), alignment);
      moved[buffer.place.offset] = entry->second;
    }
    for (plan::Buffer& buffer : plan.buffers) {
      if (buffer.place.kind != plan::Place::Kind::weights) continue;
      const auto entry = moved.find(buffer.place.offset);
      if (entry == moved.end()) throw Failure(Fault::bug, fmt::format("weight {} lies inside another", buffer.name));
      buffer.place.offset = entry->second;
    }
  }
  for (plan::Plan& plan : plans) plan.weight_bytes = end;
}

WeightBlob write_weight_object(const std::vector<const plan::Plan*>& plans, const std::string& symbol, const plan::Target& target,
                               FileWriter& file) {
  using namespace llvm::ELF;
  enum Section : std::uint16_t { none, blob_section, stack_note, symbols, strings, names, section_count };
  const std::int64_t start = file.position();  // offsets in the object count from here
  const auto offset = [&] { return file.position() - start; };
  file.zeros(alignment);  // the ELF header's place; it is written last
  static_assert(sizeof(Elf64_Ehdr) <= alignment);
  const std::int64_t blob_start = offset();
  const WeightBlob blob = write_blob(plans, file);

  std::string string_table(1, '\0'), name_table(1, '\0');
  const std::array<Elf64_Sym, 2> symbol_table = {Elf64_Sym{}, [&] {
                                                   Elf64_Sym entry{};
                                                   entry.st_name = append(string_table, symbol);
                                                   entry.setBindingAndType(STB_GLOBAL, STT_OBJECT);
                                                   entry.st_other = STV_HIDDEN;
                                                   entry.st_shndx = blob_section;
                                                   entry.st_size = static_cast<std::uint64_t>(blob.bytes);
                                                   return entry;
                                                 }()};
  std::array<Elf64_Shdr, section_count> headers{};
  const auto section = [&](Section number, const char* name, std::uint32_t type, std::uint64_t flags, std::int64_t offset,
                           std::size_t bytes, std::uint64_t align) {
    Elf64_Shdr& header = headers[number];
    header.sh_name = append(name_table, name);
    header.sh_type = type;
    header.sh_flags = flags;
    header.sh_offset = static_cast<std::uint64_t>(offset);
    header.sh_size = bytes;
    header.sh_addralign = align;
  };
  // Not within .rodata, where the hole would come twice: before all of it and before the blob.
  section(blob_section, ".calotype_weights", SHT_PROGBITS, SHF_ALLOC, blob_start, static_cast<std::size_t>(blob.bytes),
          blob.bytes >= large_blob ? huge_page : alignment);
  section(stack_note, ".note.GNU-stack", SHT_PROGBITS, 0, offset(), 0, 1);  // no executable stack
  file.zeros(round_up(offset(), 8) - offset());
  section(symbols, ".symtab", SHT_SYMTAB, 0, offset(), sizeof symbol_table, 8);
  headers[symbols].sh_link = strings;
  headers[symbols].sh_info = 1;  // the first global symbol
  headers[symbols].sh_entsize = sizeof(Elf64_Sym);
  file.write_record(symbol_table);
  section(strings, ".strtab", SHT_STRTAB, 0, offset(), string_table.size(), 1);
  file.write(string_table.data(), string_table.size());
  const std::int64_t names_start = offset();
  section(names, ".shstrtab", SHT_STRTAB, 0, names_start, 0, 1);
  headers[names].sh_size = name_table.size();
  file.write(name_table.data(), name_table.size());
  file.zeros(round_up(offset(), 8) - offset());
  const std::int64_t headers_start = offset();
  file.write_record(headers);

  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = target.architecture == "arm" ? EM_AARCH64 : EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_shoff = static_cast<std::uint64_t>(headers_start);
  header.e_ehsize = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = section_count;
  header.e_shstrndx = names;
  file.patch(start, &header, sizeof header);
  return blob;
}

WeightBlob write_weight_file(const std::vector<const plan::Plan*>& plans, const std::filesystem::path& path) {
  FileWriter file(path);
  file.zeros(CALOTYPE_WEIGHTS_HEADER_BYTES);
  const WeightBlob blob = write_blob(plans, file);
  calotype_weights_header header{};
  std::memcpy(header.magic, CALOTYPE_WEIGHTS_MAGIC, sizeof header.magic);
  for (std::size_t i = 0; i < sizeof header.bytes; ++i)
    header.bytes[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(blob.bytes) >> (8 * i));
  std::copy(blob.hash.begin(), blob.hash.end(), header.hash);
  file.patch(0, &header, sizeof header);
  file.close();
  return blob;
}

}  // namespace calotype::codegen
