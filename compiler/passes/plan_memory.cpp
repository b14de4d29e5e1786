/// \file
/// Gives every buffer its place: intermediate values share one arena, largest first, each at the lowest offset that is free for all of its
/// life; weights follow one another in the order in which kernels read them.
#include <algorithm>
#include <functional>
#include <initializer_list>
#include <limits>

#include "ir/checked.h"
#include "passes/passes.h"

namespace calotype::passes {
namespace {

using plan::Buffer;
using plan::BufferId;
using plan::Place;
using plan::Plan;
using plan::Step;

constexpr std::int64_t alignment = 64;

std::int64_t aligned(std::int64_t bytes) { return checked_multiply((checked_add(bytes, alignment - 1)) / alignment, alignment); }

BufferId root_of(const Plan& plan, BufferId id) {
  while (plan.buffer(id).alias_of != plan::no_buffer) id = plan.buffer(id).alias_of;
  return id;
}

/// First and last step that touches a buffer of the arena.
struct Life {
  BufferId buffer = plan::no_buffer;
  int first = std::numeric_limits<int>::max();
  int last = -1;
  std::int64_t bytes = 0;
  std::int64_t offset = 0;
};

std::vector<Life> lives_of(const Plan& plan) {
  std::vector<Life> lives(plan.buffers.size());
  const auto touch = [&](BufferId id, int step) {
    const BufferId root = root_of(plan, id);
    Life& life = lives[static_cast<std::size_t>(root)];
    life.buffer = root;
    life.first = std::min(life.first, step);
    life.last = std::max(life.last, step);
    life.bytes = std::max(life.bytes, aligned(plan.buffer(root).bytes()));
  };
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const Step& step = plan.steps[i];
    const auto at = static_cast<int>(i);
    if (step.kind == Step::Kind::zero_halo) {
      touch(step.index, at);
      continue;
    }
    const plan::Kernel& kernel = plan.kernels[static_cast<std::size_t>(step.index)];
    for (const BufferId input : kernel.inputs) touch(input, at);
    touch(kernel.output, at);
  }
  std::erase_if(
      lives, [&](const Life& life) { return life.buffer == plan::no_buffer || plan.buffer(life.buffer).place.kind != Place::Kind::arena; });
  return lives;
}

/// The lowest offset where `life` collides with none of the placed ones that live at the same time.
std::int64_t lowest_offset(const Life& life, const std::vector<Life>& placed) {
  std::vector<const Life*> neighbours;
  for (const Life& other : placed) {
    if (other.first <= life.last && life.first <= other.last) neighbours.push_back(&other);
  }
  std::sort(neighbours.begin(), neighbours.end(), [](const Life* a, const Life* b) { return a->offset < b->offset; });
  std::int64_t offset = 0;
  for (const Life* other : neighbours) {
    if (checked_add(offset, life.bytes) <= other->offset) break;
    offset = std::max(offset, other->offset + other->bytes);
  }
  return offset;
}

/// Places the lives in the order given, each as low as it can lie; what this takes.
std::int64_t place_in_order(std::vector<Life>& lives) {
  std::vector<Life> placed;
  std::int64_t end = 0;
  for (Life& life : lives) {
    life.offset = lowest_offset(life, placed);
    end = std::max(end, checked_add(life.offset, life.bytes));
    placed.push_back(life);
  }
  return end;
}

/// Betters an order: what ends last, and so decides how much is taken, is placed first; again and again, until the bound is reached or it was tried
/// often. Returns the bytes of the best order, which `lives` then has.
std::int64_t place_better(std::vector<Life>& lives, std::int64_t bound) {
  const auto count = static_cast<std::int64_t>(lives.size());
  const std::int64_t most_tries = std::min<std::int64_t>(60, 4'000'000 / (count * count + 1));  // each looks at all pairs
  std::int64_t least = place_in_order(lives);
  std::vector<Life> tried = lives;
  for (std::int64_t i = 0; i < most_tries && least > bound; ++i) {
    const auto end = [](const Life& a, const Life& b) { return a.offset + a.bytes < b.offset + b.bytes; };
    const auto last = std::max_element(tried.begin(), tried.end(), end);
    std::rotate(tried.begin(), last, last + 1);
    const std::int64_t bytes = place_in_order(tried);
    if (bytes >= least) continue;
    least = bytes;
    lives = tried;
  }
  return least;
}

/// Of three orders, each bettered, the best: largest first, most bytes times steps first, longest-lived first.
void place_arena(Plan& plan) {
  const std::vector<Life> lives = lives_of(plan);
  const std::int64_t bound = least_arena(plan);
  const auto size = [](const Life& life) { return life.bytes; };
  const auto area = [](const Life& life) { return life.bytes * (life.last - life.first + 1); };
  const auto length = [](const Life& life) { return std::int64_t{life.last - life.first}; };
  std::vector<Life> best;
  for (const auto& weight : std::initializer_list<std::function<std::int64_t(const Life&)>>{size, area, length}) {
    std::vector<Life> ordered = lives;
    std::stable_sort(ordered.begin(), ordered.end(), [&](const Life& a, const Life& b) { return weight(a) > weight(b); });
    const std::int64_t bytes = place_better(ordered, bound);
    if (!best.empty() && bytes >= plan.arena_bytes) continue;
    plan.arena_bytes = bytes;
    best = std::move(ordered);
  }
  for (const Life& life : best) plan.buffer(life.buffer).place.offset = life.offset;
}

void place_weights(Plan& plan) {
  std::vector<bool> done(plan.buffers.size(), false);
  for (const Step& step : plan.steps) {
    if (step.kind != Step::Kind::kernel) continue;
    for (const BufferId input : plan.kernels[static_cast<std::size_t>(step.index)].inputs) {
      Buffer& buffer = plan.buffer(input);
      if (buffer.place.kind != Place::Kind::weights || done[static_cast<std::size_t>(input)]) continue;
      done[static_cast<std::size_t>(input)] = true;
      buffer.place.offset = plan.weight_bytes;
      plan.weight_bytes = checked_add(plan.weight_bytes, aligned(buffer.bytes()));
    }
  }
}

}  // namespace

std::int64_t least_arena(const Plan& plan) {
  const std::vector<Life> lives = lives_of(plan);
  std::int64_t most = 0;
  for (int step = 0; step < static_cast<int>(plan.steps.size()); ++step) {
    std::int64_t sum = 0;
    for (const Life& life : lives) sum += life.first <= step && step <= life.last ? life.bytes : 0;
    most = std::max(most, sum);
  }
  return most;
}

void plan_memory(Plan& plan) {
  plan.arena_bytes = 0;
  plan.weight_bytes = 0;
  place_arena(plan);
  place_weights(plan);
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const auto id = static_cast<BufferId>(i);
    Place place = plan.buffer(root_of(plan, id)).place;
    for (BufferId part = id; plan.buffer(part).alias_of != plan::no_buffer; part = plan.buffer(part).alias_of) {
      place.offset = checked_add(place.offset, plan.buffer(part).alias_offset);
    }
    if (plan.buffer(id).alias_of != plan::no_buffer) plan.buffer(id).place = place;
  }
}

}  // namespace calotype::passes
