/// \file
/// What templates share: wishes for the operands of an epilogue, tile sizes, tasks.
#include "schedules/template.h"

#include <algorithm>

namespace calotype::schedules {

int Question::input_of(std::string_view operand) const {
  const layers::Call asked = call();
  if (!asked.has(operand)) return -1;
  const Op& op = anchor();
  const auto operands = layers::operands_of(*layers::find_layer(op.kind));
  for (std::size_t i = 0; i < operands.size() && i < op.operands.size(); ++i) {
    if (operands[i].name != operand) continue;
    const auto found = std::find(kernel.input_values.begin(), kernel.input_values.end(), op.operands[i]);
    return found == kernel.input_values.end() ? -1 : static_cast<int>(found - kernel.input_values.begin());
  }
  return -1;
}

plan::Layout blocked_layout(const plan::Target& target) {
  plan::Layout layout;
  layout.family = plan::Layout::Family::blocked;
  layout.block = target.lanes(4);
  return layout;
}

std::vector<Wish> epilogue_wishes(const Question& question, const plan::Layout& output) {
  std::vector<Wish> wishes;
  for (std::size_t i = 0; i < question.kernel.input_values.size(); ++i) {
    const ValueId value = question.kernel.input_values[i];
    Wish wish;
    wish.any_halo = true;
    if (question.is_weight(i)) {
      wish.layout = {};
    } else if (question.plan.graph.value(value).type.extents == question.output_type().extents) {
      wish.layout = output;
      wish.layout.halo_begin.clear();
      wish.layout.halo_end.clear();
    } else {
      wish.layout = question.layout_of(value);
    }
    wishes.push_back(std::move(wish));
  }
  return wishes;
}

std::int64_t best_tile(std::int64_t extent, std::int64_t most) {
  most = std::min(most, extent);
  std::int64_t best = 1;
  double best_cost = 1e30;
  for (std::int64_t tile = 1; tile <= most; ++tile) {
    const std::int64_t tiles = (extent + tile - 1) / tile;
    // Cells computed, with a fixed price for each tile's start.
    const double cost = static_cast<double>(tiles) * (static_cast<double>(tile) + 0.75);
    if (cost < best_cost) {
      best_cost = cost;
      best = tile;
    }
  }
  return best;
}

double busiest_share(std::int64_t tasks, std::int64_t threads) {
  return static_cast<double>(rounded_up(tasks, threads)) / static_cast<double>(tasks);
}

std::int64_t parts_for_tasks(std::int64_t others, std::int64_t most, double work, double price) {
  constexpr double least_work = 2e5;
  most = std::min(most, static_cast<std::int64_t>(work / least_work) / others);
  std::int64_t best = 1;
  double best_time = 1e30;
  for (std::int64_t parts = 1; parts <= std::max<std::int64_t>(1, most); ++parts) {
    const std::int64_t tasks = others * parts;
    // Threads are never quite equal: the last task of one is what the others wait for.
    const double time =
        busiest_share(tasks, 2) + busiest_share(tasks, 4) / 2 + 0.5 / static_cast<double>(tasks) + price * static_cast<double>(parts);
    if (time < best_time) {
      best_time = time;
      best = parts;
    }
  }
  return best;
}

void make_tasks(Halide::Func& output, const std::vector<std::pair<Halide::Var, std::int64_t>>& outer, double work) {
  if (outer.empty() || work < 1e5) return;
  Halide::Var task = outer.front().first;
  std::int64_t count = outer.front().second;
  for (std::size_t i = 1; i < outer.size(); ++i) {
    const Halide::Var fused("task" + std::to_string(i));
    output.fuse(task, outer[i].first, fused);
    task = fused;
    count *= outer[i].second;
  }
  if (count <= 1) return;
  // At least 100,000 operations a task, and no more than 256 tasks.
  const double per_iteration = work / static_cast<double>(count);
  const auto enough = static_cast<std::int64_t>(std::max(1.0, std::min(1e5 / per_iteration, static_cast<double>(count))));
  const std::int64_t group = std::max(enough, (count + 255) / 256);
  if (group <= 1) {
    output.parallel(task);
    return;
  }
  if (group >= count) return;
  const Halide::Var inner("task_inner");
  const Halide::Var tasks("tasks");
  output.split(task, tasks, inner, static_cast<int>(group), Halide::TailStrategy::GuardWithIf).parallel(tasks);
}

}  // namespace calotype::schedules
