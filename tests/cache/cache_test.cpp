/// \file
/// The content cache: what it keeps, what it refuses to believe, and what many processes do to it at once.
#include "cache/cache.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace calotype::cache {
namespace {

namespace fs = std::filesystem;

class CacheTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "calotype-cache-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    cache_.directory = folder_ / "cache";
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::vector<fs::path> files() const {
    std::vector<fs::path> paths;
    if (!fs::exists(cache_.directory)) return paths;
    for (const auto& entry : fs::recursive_directory_iterator(cache_.directory)) {
      if (entry.is_regular_file()) paths.push_back(entry.path());
    }
    return paths;
  }
  std::int64_t total() const {
    std::int64_t bytes = 0;
    for (const fs::path& path : files()) bytes += static_cast<std::int64_t>(fs::file_size(path));
    return bytes;
  }

  fs::path folder_;
  Cache cache_;
};

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::transform(text.begin(), text.end(), bytes.begin(), [](char c) { return static_cast<std::byte>(c); });
  return bytes;
}

/// A value that differs for each key and is recognised when torn.
std::vector<std::byte> value_of(int key, std::size_t bytes) {
  std::vector<std::byte> value(bytes);
  for (std::size_t i = 0; i < bytes; ++i) value[i] = static_cast<std::byte>((static_cast<std::size_t>(key) * 131 + i * 7) & 255);
  return value;
}

TEST(Hash, IsBlake3) {
  // The official test vector for no input.
  EXPECT_EQ(hash_text(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
}

TEST_F(CacheTest, GivesBackWhatWasPut) {
  EXPECT_EQ(get(cache_, "key"), std::nullopt);
  put(cache_, "key", bytes_of("value"));
  put(cache_, "empty", {});
  EXPECT_EQ(get(cache_, "key"), bytes_of("value"));
  EXPECT_EQ(get(cache_, "empty"), std::vector<std::byte>{});
  EXPECT_EQ(get(cache_, "other"), std::nullopt);
  put(cache_, "key", bytes_of("newer"));
  EXPECT_EQ(get(cache_, "key"), bytes_of("newer"));
}

TEST_F(CacheTest, ForgetsDamagedEntries) {
  const auto damage = [&](const auto& how) {
    put(cache_, "key", bytes_of("a value of some length"));
    ASSERT_EQ(files().size(), 1u);
    how(files().front());
    EXPECT_EQ(get(cache_, "key"), std::nullopt);
    EXPECT_TRUE(files().empty()) << "a damaged entry must go";
  };
  for (const std::streamoff at : {0, 8, 20, 50, 85}) {
    damage([&](const fs::path& path) {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekg(at);
      const char flipped = static_cast<char>(file.get() ^ 1);
      file.seekp(at);
      file.put(flipped);
    });
  }
  damage([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) - 1); });
  damage([](const fs::path& path) { fs::resize_file(path, fs::file_size(path) + 1); });
  damage([](const fs::path& path) { fs::resize_file(path, 10); });
  damage([](const fs::path& path) { fs::resize_file(path, 0); });
}

TEST_F(CacheTest, AnEntryUnderAnotherKeysNameIsNotBelieved) {
  put(cache_, "one", bytes_of("first"));
  const fs::path one = files().front();
  put(cache_, "two", bytes_of("second"));
  for (const fs::path& path : files()) {
    if (path != one) fs::copy_file(path, one, fs::copy_options::overwrite_existing);
  }
  EXPECT_EQ(get(cache_, "one"), std::nullopt);
  EXPECT_EQ(get(cache_, "two"), bytes_of("second"));
}

TEST_F(CacheTest, DropsTheLeastRecentlyUsed) {
  cache_.size_limit = 100'000;
  for (int key = 0; key < 9; ++key) {
    put(cache_, std::to_string(key), value_of(key, 10'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_TRUE(get(cache_, "0"));  // used again: now the youngest
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (int key = 9; key < 12; ++key) {
    put(cache_, std::to_string(key), value_of(key, 10'000));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_LE(total(), cache_.size_limit);
  EXPECT_TRUE(get(cache_, "0"));
  EXPECT_TRUE(get(cache_, "11"));
  EXPECT_FALSE(get(cache_, "1"));
}

TEST_F(CacheTest, StaysWithinItsLimitWithSmallEntries) {
  cache_.size_limit = 20'000;
  for (int key = 0; key < 500; ++key) put(cache_, fmt::format("small {}", key), value_of(key, 100));
  EXPECT_LE(total(), cache_.size_limit * 3 / 2);
  EXPECT_GT(files().size(), 20u);
}

TEST_F(CacheTest, KeepsNothingLargerThanItself) {
  cache_.size_limit = 1000;
  put(cache_, "key", value_of(1, 2000));
  EXPECT_EQ(get(cache_, "key"), std::nullopt);
}

TEST_F(CacheTest, TroubleWithTheDiskIsNoTrouble) {
  std::ofstream(folder_ / "file") << "no folder";
  for (const fs::path& directory : {folder_ / "file" / "cache", fs::path("/proc/nowhere"), fs::path()}) {
    const Cache cache{directory};
    EXPECT_NO_THROW(put(cache, "key", bytes_of("value"))) << directory;
    EXPECT_EQ(get(cache, "key"), std::nullopt) << directory;
  }
  // A folder where the entry should be.
  put(cache_, "key", bytes_of("value"));
  const fs::path path = files().front();
  fs::remove(path);
  fs::create_directories(path / "inside");
  EXPECT_EQ(get(cache_, "key"), std::nullopt);
  EXPECT_NO_THROW(put(cache_, "key", bytes_of("value")));
}

TEST_F(CacheTest, IsFoundThroughTheEnvironment) {
  const char* const names[] = {"CALOTYPE_CACHE", "XDG_CACHE_HOME", "HOME"};
  std::vector<std::optional<std::string>> before;
  for (const char* name : names) before.push_back(std::getenv(name) ? std::optional<std::string>(std::getenv(name)) : std::nullopt);
  const auto with = [&](const char* cache, const char* xdg, const char* home) {
    const char* const values[] = {cache, xdg, home};
    for (int i = 0; i < 3; ++i) values[i] ? ::setenv(names[i], values[i], 1) : ::unsetenv(names[i]);
    return default_cache().directory;
  };
  EXPECT_EQ(with("/a", "/b", "/c"), "/a");
  EXPECT_EQ(with("", "/b", "/c"), "");
  EXPECT_EQ(with("off", "/b", "/c"), "");
  EXPECT_EQ(with(nullptr, "/b", "/c"), "/b/calotype");
  EXPECT_EQ(with(nullptr, "relative", "/c"), "/c/.cache/calotype");
  EXPECT_EQ(with(nullptr, nullptr, "/c"), "/c/.cache/calotype");
  EXPECT_EQ(with(nullptr, nullptr, nullptr), "");
  for (std::size_t i = 0; i < 3; ++i) before[i] ? ::setenv(names[i], before[i]->c_str(), 1) : ::unsetenv(names[i]);
}

/// Puts and gets keys at random; true if every value that came back was right.
bool hammer(const Cache& cache, unsigned seed) {
  unsigned state = seed * 2654435761u + 1;
  int found = 0;
  for (int round = 0; round < 400; ++round) {
    state = state * 1664525u + 1013904223u;
    const int key = static_cast<int>(state >> 16) % 40;
    const std::size_t bytes = 500 + static_cast<std::size_t>(key) * 37;
    if (state >> 31) {
      put(cache, std::to_string(key), value_of(key, bytes));
    } else if (const auto value = get(cache, std::to_string(key))) {
      ++found;
      if (*value != value_of(key, bytes)) return false;
    }
  }
  return found > 0;
}

TEST_F(CacheTest, ManyProcessesAndThreadsShareIt) {
  cache_.size_limit = 20'000;  // small enough that eviction runs all the time
  std::vector<pid_t> children;
  for (unsigned process = 0; process < 4; ++process) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(hammer(cache_, process + 10) ? 0 : 1);
    children.push_back(child);
  }
  std::vector<std::thread> threads;
  std::vector<int> good(2, 0);
  for (unsigned thread = 0; thread < 2; ++thread) {
    threads.emplace_back([&, thread] { good[thread] = hammer(cache_, thread); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(good, std::vector<int>({1, 1}));
  for (const fs::path& path : files()) EXPECT_NE(path.extension(), ".tmp") << "left behind";
}

}  // namespace
}  // namespace calotype::cache
