#pragma once
/// \file
/// A cache of bytes by content: what compiling gave for an input that was seen before. Losing an entry costs time and nothing else, so every
/// trouble with the disk (no HOME, read-only, full, damaged entries) makes the cache forget and never makes a command fail.
///
/// An entry is a file named by the BLAKE3 hash of its key, in one of 256 folders. It holds the key's hash, the value's length and hash, and the
/// value; it appears by rename, so readers see whole entries or none. Processes share the folder without locks.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace calotype::cache {

struct Cache {
  std::filesystem::path directory;  ///< empty: no cache; get finds nothing and put keeps nothing
  std::int64_t size_limit = std::int64_t{2} << 30;  ///< bytes of all entries; the least recently used go first
};

/// $CALOTYPE_CACHE ("" or "off": none), else $XDG_CACHE_HOME/calotype, else $HOME/.cache/calotype, else none.
Cache default_cache();

/// The value stored under the key, if it is there and whole. A damaged entry is removed.
std::optional<std::vector<std::byte>> get(const Cache& cache, std::string_view key);

/// Stores the value; drops old entries when the cache has outgrown its limit. Safe from many threads and processes.
void put(const Cache& cache, std::string_view key, std::span<const std::byte> value);

/// BLAKE3, 32 bytes, as 64 hexadecimal digits.
std::string hash_text(std::string_view bytes);
std::string hash_text(std::span<const std::byte> bytes);

}  // namespace calotype::cache
