/// \file
/// Turns the plan's kernels into object files: equal kernels once, known ones from the cache, the rest on all cores.
#include "codegen/generate.h"

#include <atomic>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <thread>

#include "codegen/kernel.h"
#include "codegen/kernel_key.h"
#include "ir/current_layer.h"

namespace calotype::codegen {
namespace {

/// A kernel that stands for all equal ones.
struct Task {
  std::string key;
  std::string symbol;
  const plan::Kernel* kernel = nullptr;
  KernelObject object;
  bool from_cache = false;
};

/// Cached value: the scratch size in eight bytes, then the object.
std::vector<std::byte> pack(const KernelObject& object) {
  std::vector<std::byte> bytes(sizeof object.scratch_bytes + object.object.size());
  std::memcpy(bytes.data(), &object.scratch_bytes, sizeof object.scratch_bytes);
  std::memcpy(bytes.data() + sizeof object.scratch_bytes, object.object.data(), object.object.size());
  return bytes;
}

KernelObject unpack(const std::string& symbol, const std::vector<std::byte>& bytes) {
  KernelObject object{symbol, {}, 0};
  std::memcpy(&object.scratch_bytes, bytes.data(), sizeof object.scratch_bytes);
  object.object.assign(bytes.begin() + sizeof object.scratch_bytes, bytes.end());
  return object;
}

/// Names each kernel by the hash of its key, and lists the distinct ones in running order.
std::vector<Task> name_kernels(plan::Plan& plan, const plan::Target& target) {
  std::vector<Task> tasks;
  std::map<std::string, std::string> symbols;
  for (plan::Kernel& kernel : plan.kernels) {
    std::string key = kernel_key(plan, kernel, target);
    auto [entry, inserted] = symbols.try_emplace(key);
    if (inserted) {
      entry->second = "k_" + cache::hash_text(std::string_view(key)).substr(0, 24);
      tasks.push_back({std::move(key), entry->second, &kernel, {}, false});
    }
    kernel.symbol = entry->second;
  }
  return tasks;
}

void make(Task& task, const plan::Plan& plan, const plan::Target& target, const cache::Cache& cache) {
  const CurrentLayer current(task.kernel->name);
  const auto cached = cache::get(cache, task.key);
  if (cached && cached->size() > sizeof(std::int64_t)) {
    task.object = unpack(task.symbol, *cached);
    task.from_cache = true;
    return;
  }
  task.object = compile_kernel(plan, *task.kernel, target, task.symbol);
  cache::put(cache, task.key, pack(task.object));
}

/// Runs all tasks on `jobs` threads; the first failure stops the rest and is thrown here.
void make_all(std::vector<Task>& tasks, const plan::Plan& plan, const plan::Target& target, const cache::Cache& cache,
              const GenerateOptions& options) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  int done = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size(); i = next++) {
      try {
        make(tasks[i], plan, target, cache);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = tasks.size();
        return;
      }
      const std::lock_guard lock(mutex);
      ++done;
      if (options.progress) options.progress(done, static_cast<int>(tasks.size()));
    }
  };
  const auto cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int jobs = std::min(options.jobs > 0 ? options.jobs : cores, static_cast<int>(tasks.size()));
  std::vector<std::thread> threads;
  for (int i = 1; i < jobs; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

Objects generate(plan::Plan& plan, const plan::Target& target, const cache::Cache& cache, const GenerateOptions& options,
                 GenerateStatistics* statistics) {
  std::vector<Task> tasks = name_kernels(plan, target);
  make_all(tasks, plan, target, cache, options);

  Objects objects;
  std::map<std::string, std::int64_t> scratch;
  GenerateStatistics counted;
  for (Task& task : tasks) {
    ++counted.distinct;
    counted.from_cache += task.from_cache ? 1 : 0;
    scratch[task.symbol] = task.object.scratch_bytes;
    objects.distinct.push_back(std::move(task.object));
  }
  plan.scratch_bytes = 0;
  for (plan::Kernel& kernel : plan.kernels) {
    kernel.scratch_bytes = scratch[kernel.symbol];
    plan.scratch_bytes = std::max(plan.scratch_bytes, kernel.scratch_bytes);
  }
  if (statistics != nullptr) *statistics = counted;
  return objects;
}

}  // namespace calotype::codegen
