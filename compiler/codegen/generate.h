#pragma once
/// \file
/// The stage that turns the plan's kernels into object files.
#include <functional>

#include "cache/cache.h"
#include "codegen/objects.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::codegen {

struct GenerateOptions {
  int jobs = 0;  ///< threads that compile; 0: one for each core
  /// Called after each kernel with the number done and the number of distinct kernels; from any thread, one call at a time.
  std::function<void(int done, int total)> progress = {};
};

/// What a caller may want to report.
struct GenerateStatistics {
  int distinct = 0;
  int from_cache = 0;
};

/// Compiles each distinct kernel once, or takes it from the cache; sets Kernel::symbol, Kernel::scratch_bytes and Plan::scratch_bytes.
Objects generate(plan::Plan& plan, const plan::Target& target, const cache::Cache& cache, const GenerateOptions& options = {},
                 GenerateStatistics* statistics = nullptr);

}  // namespace calotype::codegen
