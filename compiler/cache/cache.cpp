/// \file
/// Entries as files. Whatever is read is checked against its own hash before it is believed.
#include "cache/cache.h"

#include <fcntl.h>
#include <llvm/Support/BLAKE3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include "cache/atomic_output.h"
#include "ir/failure.h"

namespace calotype::cache {
namespace {

namespace fs = std::filesystem;
using Hash = std::array<std::uint8_t, 32>;

constexpr std::array<char, 8> magic = {'c', 'a', 'l', 'o', 't', 'y', 'p', '1'};

struct EntryHeader {
  std::array<char, 8> magic;
  std::uint64_t bytes;
  Hash key;
  Hash value;
};
static_assert(sizeof(EntryHeader) == 80);

Hash hash_of(const void* bytes, std::size_t count) {
  llvm::BLAKE3 hasher;
  hasher.update(llvm::ArrayRef<std::uint8_t>(static_cast<const std::uint8_t*>(bytes), count));
  const auto digest = hasher.final();
  Hash hash;
  std::copy(digest.begin(), digest.end(), hash.begin());
  return hash;
}

std::string to_text(const Hash& hash) {
  constexpr char digits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : hash) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

fs::path path_of(const Cache& cache, const Hash& key) {
  const std::string name = to_text(key);
  return cache.directory / name.substr(0, 2) / name.substr(2);
}

/// Reads `count` bytes or fails.
bool read_exactly(int file, void* destination, std::size_t count) {
  auto* at = static_cast<char*>(destination);
  while (count > 0) {
    const ssize_t got = ::read(file, at, count);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += got;
    count -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<std::vector<std::byte>> read_entry(int file, const Hash& key) {
  struct stat status{};
  EntryHeader header{};
  if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < static_cast<off_t>(sizeof header)) return std::nullopt;
  if (!read_exactly(file, &header, sizeof header)) return std::nullopt;
  // The length is checked against the file before memory is taken for it.
  if (header.magic != magic || header.key != key || header.bytes != static_cast<std::uint64_t>(status.st_size) - sizeof header)
    return std::nullopt;
  std::vector<std::byte> value(header.bytes);
  if (!read_exactly(file, value.data(), value.size()) || hash_of(value.data(), value.size()) != header.value) return std::nullopt;
  return value;
}

struct Entry {
  fs::path path;
  std::int64_t bytes;
  fs::file_time_type used;
};

/// Every file of the cache; those that vanish meanwhile are left out. Temporary files that a killed process left count too.
std::vector<Entry> entries_of(const Cache& cache) {
  std::vector<Entry> entries;
  std::error_code error;
  fs::recursive_directory_iterator walk(cache.directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && walk != fs::recursive_directory_iterator(); walk.increment(error)) {
    std::error_code gone;
    const bool regular = fs::is_regular_file(walk->symlink_status(gone));
    if (gone || !regular) continue;
    const auto bytes = static_cast<std::int64_t>(walk->file_size(gone));
    const fs::file_time_type used = gone ? fs::file_time_type{} : walk->last_write_time(gone);
    if (!gone) entries.push_back({walk->path(), bytes, used});
  }
  return entries;
}

/// Removes the least recently used until nine tenths of the limit are left. Two processes at it at once remove at most the same files:
/// removing what is gone already is no error, and a reader that has an entry open keeps its bytes.
void evict(const Cache& cache) {
  std::vector<Entry> entries = entries_of(cache);
  std::int64_t total = 0;
  for (const Entry& entry : entries) total += entry.bytes;
  if (total <= cache.size_limit) return;
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  const std::int64_t goal = cache.size_limit / 10 * 9;
  for (const Entry& entry : entries) {
    if (total <= goal) break;
    std::error_code ignored;
    fs::remove(entry.path, ignored);
    total -= entry.bytes;
  }
}

/// Walking the whole cache for every entry stored would cost more than it keeps. Entries are spread over 256 folders by their hash, so a
/// walk is due when this entry's own folder holds more than its share, and now and then by the hash itself.
bool eviction_is_due(const Cache& cache, const Hash& key, std::size_t bytes) {
  if (key[31] < 8) return true;
  const std::int64_t share = cache.size_limit / 256;
  if (static_cast<std::int64_t>(bytes) > share) return true;
  std::int64_t total = 0;
  std::error_code error;
  fs::directory_iterator walk(path_of(cache, key).parent_path(), error);
  for (; !error && walk != fs::directory_iterator(); walk.increment(error)) {
    std::error_code gone;
    const auto size = walk->file_size(gone);
    if (!gone) total += static_cast<std::int64_t>(size);
  }
  return total > share;
}

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Cache default_cache() {
  Cache cache;
  if (const char* stated = std::getenv("CALOTYPE_CACHE")) {
    const std::string_view text = stated;
    if (!text.empty() && text != "off") cache.directory = fs::path(text);
  } else if (const std::string base = variable("XDG_CACHE_HOME"); base.starts_with('/')) {
    cache.directory = fs::path(base) / "calotype";
  } else if (const std::string home = variable("HOME"); home.starts_with('/')) {
    cache.directory = fs::path(home) / ".cache" / "calotype";
  }
  return cache;
}

std::optional<std::vector<std::byte>> get(const Cache& cache, std::string_view key) {
  if (cache.directory.empty()) return std::nullopt;
  const Hash hash = hash_of(key.data(), key.size());
  const fs::path path = path_of(cache, hash);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return std::nullopt;
  std::optional<std::vector<std::byte>> value;
  try {
    value = read_entry(file, hash);
  } catch (const std::bad_alloc&) {
    ::close(file);
    return std::nullopt;
  }
  ::close(file);
  std::error_code ignored;
  if (value) {
    fs::last_write_time(path, fs::file_time_type::clock::now(), ignored);  // what eviction goes by
  } else {
    fs::remove(path, ignored);
  }
  return value;
}

void put(const Cache& cache, std::string_view key, std::span<const std::byte> value) {
  if (cache.directory.empty() || static_cast<std::int64_t>(value.size()) > cache.size_limit) return;
  EntryHeader header{};
  header.magic = magic;
  header.bytes = value.size();
  header.key = hash_of(key.data(), key.size());
  header.value = hash_of(value.data(), value.size());
  try {
    std::vector<std::byte> bytes(sizeof header + value.size());
    std::memcpy(bytes.data(), &header, sizeof header);
    std::copy(value.begin(), value.end(), bytes.begin() + sizeof header);
    const fs::path path = path_of(cache, header.key);
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) return;
    write_atomically(path, bytes);
    if (eviction_is_due(cache, header.key, bytes.size())) evict(cache);
  } catch (const Failure&) {  // full or read-only: the next compile does the work again
  } catch (const std::bad_alloc&) {
  }
}

std::string hash_text(std::string_view bytes) { return to_text(hash_of(bytes.data(), bytes.size())); }
std::string hash_text(std::span<const std::byte> bytes) { return to_text(hash_of(bytes.data(), bytes.size())); }

}  // namespace calotype::cache
