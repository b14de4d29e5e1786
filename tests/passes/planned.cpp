/// \file
/// Graphs taken down to a plan, and what every plan must satisfy. Written against the plan's data alone, not against the passes that made it.
#include "planned.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>

#include "passes/passes.h"
#include "schedules/choose.h"

namespace calotype::testing {
namespace {

using plan::BufferId;
using plan::Place;
using plan::Step;

constexpr std::int64_t line = 64;

BufferId root_of(const plan::Plan& plan, BufferId id) {
  while (plan.buffer(id).alias_of != plan::no_buffer) id = plan.buffer(id).alias_of;
  return id;
}

/// What a step reads and what it writes.
struct Access {
  std::vector<BufferId> reads;
  BufferId writes = plan::no_buffer;
};

Access access_of(const plan::Plan& plan, const Step& step) {
  if (step.kind == Step::Kind::zero_halo) return {{step.index}, step.index};
  const plan::Kernel& kernel = plan.kernels[static_cast<std::size_t>(step.index)];
  return {kernel.inputs, kernel.output};
}

bool in_arena(const plan::Plan& plan, BufferId id) { return plan.buffer(id).place.kind == Place::Kind::arena; }

}  // namespace

plan::Plan planned(Graph graph, const std::string& target) {
  passes::expand_activations(graph);
  passes::fold_batch_norm(graph);
  passes::remove_dead(graph);
  verify(graph, "simplify");
  plan::Plan plan = passes::fuse(std::move(graph));
  schedules::choose_implementations(plan, plan::parse_target(target));
  passes::insert_reorders(plan);
  passes::plan_memory(plan);
  return plan;
}

void expect_steps_are_valid(const plan::Plan& plan) {
  std::set<BufferId> written(plan.inputs.begin(), plan.inputs.end());
  std::set<BufferId> halo_missing;
  std::set<int> kernels;
  // A buffer holds its value when it, or the memory that it shares, was written, halo included; or when all of its parts were.
  const std::function<bool(BufferId)> holds_value = [&](BufferId id) {
    if (written.contains(id)) return !halo_missing.contains(id);
    const BufferId whole = plan.buffer(id).alias_of;
    if (whole != plan::no_buffer && written.contains(root_of(plan, id))) return !halo_missing.contains(root_of(plan, id));
    int parts = 0;
    std::int64_t bytes = 0;
    for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
      if (plan.buffers[i].alias_of != id || plan.buffers[i].bytes() == plan.buffer(id).bytes()) continue;  // the whole under another shape
      if (!holds_value(static_cast<BufferId>(i))) return false;
      ++parts;
      bytes += plan.buffers[i].bytes();
    }
    if (parts > 0) return bytes == plan.buffer(id).bytes();
    return whole != plan::no_buffer && plan.buffer(id).alias_offset == 0 && holds_value(whole);
  };
  const auto expect_readable = [&](BufferId id) {
    const plan::Buffer& buffer = plan.buffer(id);
    if (buffer.place.kind == Place::Kind::weights) return;
    EXPECT_TRUE(holds_value(id)) << "buffer " << id << " (" << buffer.name << ") is read before it is written, or its halo zeroed";
  };
  for (const Step& step : plan.steps) {
    if (step.kind == Step::Kind::zero_halo) {
      EXPECT_TRUE(written.contains(step.index));
      halo_missing.erase(step.index);
      continue;
    }
    EXPECT_TRUE(kernels.insert(step.index).second) << "a kernel runs twice";
    const plan::Kernel& kernel = plan.kernels[static_cast<std::size_t>(step.index)];
    EXPECT_EQ(kernel.inputs.size(), kernel.input_values.size());
    for (std::size_t i = 0; i < kernel.inputs.size(); ++i) {
      expect_readable(kernel.inputs[i]);
      EXPECT_EQ(plan.buffer(kernel.inputs[i]).value, kernel.input_values[i]) << kernel.name;
    }
    const plan::Buffer& output = plan.buffer(kernel.output);
    EXPECT_EQ(output.value, kernel.output_value) << kernel.name;
    EXPECT_TRUE(output.place.kind == Place::Kind::arena || output.place.kind == Place::Kind::result) << kernel.name;
    EXPECT_TRUE(written.insert(kernel.output).second) << kernel.name << " writes over a value";
    if (output.layout.has_halo()) halo_missing.insert(kernel.output);
  }
  EXPECT_EQ(kernels.size(), plan.kernels.size()) << "a kernel never runs";
  for (const BufferId result : plan.results) EXPECT_TRUE(holds_value(result)) << plan.buffer(result).name << " is never written";
}

void expect_arena_is_sound(const plan::Plan& plan) {
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const plan::Buffer& buffer = plan.buffers[i];
    if (buffer.place.kind != Place::Kind::arena && buffer.place.kind != Place::Kind::weights) continue;
    EXPECT_TRUE(buffer.alias_of != plan::no_buffer || buffer.place.offset % line == 0) << buffer.name;
    const std::int64_t end = buffer.place.offset + buffer.bytes();
    EXPECT_LE(end, buffer.place.kind == Place::Kind::arena ? plan.arena_bytes : plan.weight_bytes) << buffer.name;
  }
  // Who wrote each line of 64 bytes last. Lines, because buffers begin at them and no two may share one, but for parts of one buffer.
  std::vector<BufferId> owner(static_cast<std::size_t>((plan.arena_bytes + line - 1) / line), plan::no_buffer);
  const auto lines_of = [&](BufferId id) {
    const plan::Buffer& buffer = plan.buffer(id);
    const auto first = static_cast<std::size_t>(buffer.place.offset / line);
    return std::pair(first, static_cast<std::size_t>((buffer.place.offset + buffer.bytes() + line - 1) / line));
  };
  for (const Step& step : plan.steps) {
    const Access access = access_of(plan, step);
    const auto expect_owned = [&](BufferId id, const char* when) {
      if (!in_arena(plan, id)) return;
      const auto [first, last] = lines_of(id);
      for (std::size_t i = first; i < last; ++i) {
        ASSERT_EQ(owner[i], root_of(plan, id)) << when << " buffer " << id << " (" << plan.buffer(id).name << ") is overwritten at line "
                                               << i;
      }
    };
    for (const BufferId read : access.reads) expect_owned(read, "before the step");
    if (access.writes != plan::no_buffer && in_arena(plan, access.writes)) {
      const auto [first, last] = lines_of(access.writes);
      std::fill(owner.begin() + static_cast<std::ptrdiff_t>(first), owner.begin() + static_cast<std::ptrdiff_t>(last),
                root_of(plan, access.writes));
    }
    // A kernel reads while it writes.
    for (const BufferId read : access.reads) expect_owned(read, "by the step's own output");
  }
  // Weights never move: no two of them may touch.
  std::map<std::int64_t, std::int64_t> blob;  // offset -> end
  for (const Step& step : plan.steps) {
    for (const BufferId read : access_of(plan, step).reads) {
      const plan::Buffer& buffer = plan.buffer(read);
      if (buffer.place.kind != Place::Kind::weights || buffer.bytes() == 0) continue;
      const auto [at, inserted] = blob.emplace(buffer.place.offset, buffer.place.offset + buffer.bytes());
      EXPECT_EQ(at->second, buffer.place.offset + buffer.bytes()) << buffer.name << " shares its place";
    }
  }
  std::int64_t end = 0;
  for (const auto& [first, last] : blob) {
    EXPECT_GE(first, end) << "weights overlap";
    end = last;
  }
}

std::int64_t least_arena(const plan::Plan& plan) {
  struct Life {
    std::size_t first = 0, last = 0;
  };
  std::map<BufferId, Life> lives;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    Access access = access_of(plan, plan.steps[i]);
    access.reads.push_back(access.writes);
    for (const BufferId id : access.reads) {
      if (!in_arena(plan, id)) continue;
      lives.try_emplace(root_of(plan, id), Life{i, i}).first->second.last = i;
    }
  }
  std::int64_t most = 0;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    std::int64_t sum = 0;
    for (const auto& [id, life] : lives) {
      if (life.first <= i && i <= life.last) sum += plan.buffer(id).bytes();
    }
    most = std::max(most, sum);
  }
  return most;
}

}  // namespace calotype::testing
