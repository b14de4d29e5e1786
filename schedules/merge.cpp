/// \file
/// Kernels that run as one.
#include "schedules/merge.h"

#include <algorithm>
#include <map>
#include <set>

#include "schedules/template.h"

namespace calotype::schedules {
namespace {

/// For each kernel the only one that reads its result, or null.
std::vector<const plan::Kernel*> only_readers(const plan::Plan& plan) {
  std::map<ValueId, std::vector<const plan::Kernel*>> readers;
  for (const plan::Kernel& kernel : plan.kernels) {
    for (const ValueId value : kernel.input_values) readers[value].push_back(&kernel);
  }
  std::set<ValueId> results;
  for (const GraphResult& result : plan.graph.results) results.insert(result.value);
  std::vector<const plan::Kernel*> only;
  for (const plan::Kernel& kernel : plan.kernels) {
    const auto& found = readers[kernel.output_value];
    only.push_back(found.size() == 1 && !results.contains(kernel.output_value) ? found.front() : nullptr);
  }
  return only;
}

bool merges(const plan::Plan& plan, const plan::Target& target, const Chain& chain, bool whatever_it_costs) {
  const auto all = templates();
  return std::any_of(all.begin(), all.end(),
                     [&](const Template& each) { return each.merges != nullptr && each.merges(plan, target, chain, whatever_it_costs); });
}

plan::Kernel merged(const Chain& chain) {
  plan::Kernel kernel = *chain.front();
  for (std::size_t i = 1; i < chain.size(); ++i) {
    kernel.anchors.push_back(kernel.ops.size());
    kernel.ops.insert(kernel.ops.end(), chain[i]->ops.begin(), chain[i]->ops.end());
    for (const ValueId value : chain[i]->input_values) {
      const bool known = std::find(kernel.input_values.begin(), kernel.input_values.end(), value) != kernel.input_values.end();
      if (value != chain[i - 1]->output_value && !known) kernel.input_values.push_back(value);
    }
  }
  kernel.output_value = chain.back()->output_value;
  kernel.name = chain.back()->name;
  return kernel;
}

}  // namespace

void merge_kernels(plan::Plan& plan, const plan::Target& target, bool whatever_it_costs) {
  const std::vector<const plan::Kernel*> reader = only_readers(plan);
  std::map<const plan::Kernel*, Chain> chains;  // by their last kernel
  std::set<const plan::Kernel*> taken;
  for (const std::size_t length : {3, 2}) {
    for (const plan::Kernel& first : plan.kernels) {
      Chain chain = {&first};
      while (chain.size() < length) {
        const plan::Kernel* next = reader[static_cast<std::size_t>(chain.back() - plan.kernels.data())];
        if (next == nullptr) break;
        chain.push_back(next);
      }
      const bool free = std::none_of(chain.begin(), chain.end(), [&](const plan::Kernel* kernel) { return taken.contains(kernel); });
      if (chain.size() != length || !free || !merges(plan, target, chain, whatever_it_costs)) continue;
      taken.insert(chain.begin(), chain.end());
      chains.emplace(chain.back(), chain);
    }
  }
  std::vector<plan::Kernel> kernels;
  for (const plan::Kernel& kernel : plan.kernels) {
    const auto chain = chains.find(&kernel);
    if (chain != chains.end()) {
      kernels.push_back(merged(chain->second));
    } else if (!taken.contains(&kernel)) {
      kernels.push_back(kernel);
    }
  }
  plan.kernels = std::move(kernels);
}

}  // namespace calotype::schedules
