/// \file
/// Threads claim parts in order, so the part that is waited for is always under way or done.
#include "codegen/in_order.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

namespace calotype::codegen {
namespace {

/// Less than this is not worth a thread.
constexpr std::int64_t small_work = 1 << 20;

Bytes allocate(std::int64_t bytes) { return std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(bytes)); }

class Workshop {
 public:
  Workshop(const Parts& parts, std::int64_t most_held) : parts_(parts), most_held_(most_held), done_(parts.sizes.size()) {
    const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < cores; ++i) threads_.emplace_back([this] { work(); });
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  /// Waits for part `index`, the one after the last taken; throws what its making threw.
  Bytes take(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return done_[index] != nullptr || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    return std::move(done_[index]);
  }

  /// The part taken last has been used.
  void used(std::size_t index) {
    const std::lock_guard lock(mutex_);
    held_ -= parts_.sizes[index];
    changed_.notify_all();
  }

 private:
  bool has_room() const { return held_ == 0 || held_ + parts_.sizes[next_] <= most_held_; }

  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return stopped_ || failure_ || next_ == parts_.sizes.size() || has_room(); });
      if (stopped_ || failure_ || next_ == parts_.sizes.size()) return;
      const std::size_t index = next_++;
      held_ += parts_.sizes[index];
      lock.unlock();
      Bytes part;
      std::exception_ptr failure;
      try {
        part = allocate(parts_.sizes[index]);
        parts_.make(index, part.get());
      } catch (...) {
        failure = std::current_exception();
      }
      lock.lock();
      if (failure && !failure_) failure_ = failure;
      done_[index] = std::move(part);
      changed_.notify_all();
    }
  }

  const Parts& parts_;
  const std::int64_t most_held_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0;     // the part to claim
  std::int64_t held_ = 0;  // bytes of the parts claimed and not used
  bool stopped_ = false;
  std::exception_ptr failure_;
  std::vector<Bytes> done_;
  std::vector<std::thread> threads_;
};

}  // namespace

void make_in_order(const Parts& parts, std::int64_t most_held) {
  std::int64_t total = 0;
  for (const std::int64_t bytes : parts.sizes) total += bytes;
  if (total < small_work) {
    for (std::size_t i = 0; i < parts.sizes.size(); ++i) {
      const Bytes part = allocate(parts.sizes[i]);
      parts.make(i, part.get());
      parts.use(i, part.get());
    }
    return;
  }
  Workshop workshop(parts, most_held);
  for (std::size_t i = 0; i < parts.sizes.size(); ++i) {
    {
      const Bytes part = workshop.take(i);
      parts.use(i, part.get());
    }
    workshop.used(i);
  }
}

}  // namespace calotype::codegen
