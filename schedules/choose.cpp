/// \file
/// Picks a schedule template and layouts for every kernel.
#include "schedules/choose.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "ir/checked.h"
#include "schedules/merge.h"
#include "schedules/template.h"
#include "schedules/weight_room.h"

namespace calotype::schedules {
namespace {

using plan::Buffer;
using plan::BufferId;
using plan::Layout;
using plan::Place;

/// Layouts of one value that differ in their halo only share memory.
using Group = std::tuple<ValueId, Layout::Family, int>;

struct Decision {
  const Template* chosen = nullptr;
  Choice choice;
  std::int64_t growth = 0;  ///< bytes by which packed weights outgrow the weights
};

struct Chooser {
  plan::Plan& plan;
  const plan::Target& target;
  const ChooseOptions& options;
  std::int64_t all_weights = 0;
  std::set<ValueId> read_in_blocks = {};  ///< values whose readers lose by any other layout
  std::vector<Decision> decisions = {};
  std::map<ValueId, Layout> produced = {};  ///< layout in which a value is made
  std::map<Group, Layout> halos = {};       ///< the layout of each group with the largest halo that its readers want
};

Layout without_halo(Layout layout) {
  layout.halo_begin.clear();
  layout.halo_end.clear();
  return layout;
}

Group group_of(ValueId value, const Layout& layout) { return {value, layout.family, layout.block}; }

void widen(std::vector<std::int64_t>& halo, const std::vector<std::int64_t>& wanted) {
  halo.resize(std::max(halo.size(), wanted.size()), 0);
  for (std::size_t i = 0; i < wanted.size(); ++i) halo[i] = std::max(halo[i], wanted[i]);
}

/// Bytes by which the choice's packed weights outgrow the weights.
std::int64_t growth(const Question& question, const Choice& choice) {
  std::int64_t bytes = 0;
  for (std::size_t i = 0; i < choice.inputs.size(); ++i) {
    if (!question.is_weight(i) || choice.inputs[i].packed_extents.empty()) continue;
    const TensorType& type = question.plan.graph.value(question.kernel.input_values[i]).type;
    bytes += checked_multiply(checked_product(choice.inputs[i].packed_extents), bytes_of(type.element)) - type.bytes();
  }
  return bytes;
}

/// Bytes of all weights that kernels read.
std::int64_t weight_bytes(const plan::Plan& plan) {
  std::set<ValueId> weights;
  for (const plan::Kernel& kernel : plan.kernels) {
    for (const ValueId value : kernel.input_values) {
      if (plan.graph.value(value).data) weights.insert(value);
    }
  }
  std::int64_t bytes = 0;
  for (const ValueId value : weights) bytes = checked_add(bytes, plan.graph.value(value).type.bytes());
  return bytes;
}

/// Buffers of that value and kind get the layout's halo, or more.
void widen_group(Chooser& chooser, ValueId value, const Layout& layout) {
  Layout& group = chooser.halos.try_emplace(group_of(value, layout), without_halo(layout)).first->second;
  widen(group.halo_begin, layout.halo_begin);
  widen(group.halo_end, layout.halo_end);
}

Question question_of(const Chooser& chooser, const plan::Kernel& kernel) {
  const auto layout_of = [&chooser](ValueId value) {
    const auto found = chooser.produced.find(value);
    return found == chooser.produced.end() ? Layout{} : found->second;
  };
  Question question{chooser.plan, kernel, chooser.target, layout_of};
  question.exact = chooser.options.exact;
  question.all_weights = chooser.all_weights;
  return question;
}

/// The first template that takes the kernel: of those that have variants if it was given one, and of those that write channel blocks if its
/// readers want them, as far as there are such.
Decision first_match(const Chooser& chooser, const Question& question) {
  Decision second_best;
  const bool wants_blocks = chooser.read_in_blocks.contains(question.kernel.output_value);
  for (const Template& candidate : templates()) {
    if (question.variant != 0 && candidate.variants == nullptr) continue;
    if ((question.kernel.anchors.size() > 1) != (candidate.merges != nullptr)) continue;
    std::optional<Choice> choice = candidate.choose(question);
    if (!choice) continue;
    Decision decision{&candidate, std::move(*choice)};
    if (!wants_blocks || decision.choice.output.family == Layout::Family::blocked) return decision;
    if (second_best.chosen == nullptr) second_best = std::move(decision);
  }
  if (second_best.chosen == nullptr) throw Failure(Fault::bug, "no schedule template takes the kernel " + question.kernel.name);
  return second_best;
}

void decide(Chooser& chooser, const Question& question) {
  Decision decision = first_match(chooser, question);
  const plan::Kernel& kernel = question.kernel;
  chooser.produced[kernel.output_value] = decision.choice.output;
  if (decision.choice.output.has_halo()) widen_group(chooser, kernel.output_value, decision.choice.output);
  for (std::size_t i = 0; i < kernel.input_values.size(); ++i) {
    const Wish& wish = decision.choice.inputs[i];
    if (question.is_weight(i) || !wish.any_halo) continue;
    widen_group(chooser, kernel.input_values[i], wish.layout);
  }
  decision.growth = growth(question, decision.choice);
  chooser.decisions.push_back(std::move(decision));
}

/// All that templates offer for a kernel beyond what they do unasked, if it saves time.
std::vector<Variant> variants_of(const Question& question, std::int64_t only) {
  std::vector<Variant> variants;
  if (question.kernel.anchors.size() > 1) return variants;
  for (const Template& candidate : templates()) {
    if (candidate.variants == nullptr) continue;
    const std::vector<Variant> more = candidate.variants(question);
    variants.insert(variants.end(), more.begin(), more.end());
  }
  if (only == 0) {
    std::erase_if(variants, [](const Variant& variant) { return variant.saved <= 0; });
  } else {
    std::erase_if(variants, [&](const Variant& variant) { return variant.id != only; });
    for (Variant& variant : variants) variant.saved = 1;
  }
  return variants;
}

/// The values that kernels with a variant work on: these read channel blocks.
std::set<ValueId> read_in_blocks(const plan::Plan& plan, const std::vector<std::int64_t>& variants) {
  std::set<ValueId> values;
  for (std::size_t k = 0; k < variants.size(); ++k) {
    if (variants[k] != 0) values.insert(plan.kernels[k].input_values.front());
  }
  return values;
}

Chooser chooser_for(plan::Plan& plan, const plan::Target& target, const ChooseOptions& options) {
  Chooser chooser{plan, target, options, weight_bytes(plan)};
  for (const BufferId input : plan.inputs) chooser.produced[plan.buffer(input).value] = plan.buffer(input).layout;
  return chooser;
}

/// Decides for every kernel. Twice: first without variants, for the bytes that packing takes in any case; what is left of the room is
/// then shared among all kernels' variants.
Chooser decide_all(plan::Plan& plan, const plan::Target& target, const ChooseOptions& options) {
  constexpr double slack = 1 << 20;  // small networks: blocks of channels round their weights up many times over
  Chooser without = chooser_for(plan, target, options);
  auto room = static_cast<std::int64_t>(static_cast<double>(without.all_weights) * (options.size_limit - 1) + slack);
  std::vector<std::int64_t> rooms;
  std::vector<std::vector<Variant>> variants;
  for (const plan::Kernel& kernel : plan.kernels) {
    Question question = question_of(without, kernel);
    rooms.push_back(room);
    question.weight_room = room;
    variants.push_back(variants_of(question, options.only_variant));
    decide(without, question);
    room -= without.decisions.back().growth;
  }
  const std::vector<std::int64_t> given = share_weight_room(variants, room);
  Chooser chooser = chooser_for(plan, target, options);
  chooser.read_in_blocks = read_in_blocks(plan, given);
  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    Question question = question_of(chooser, plan.kernels[k]);
    question.weight_room = rooms[k];
    question.variant = given[k];
    decide(chooser, question);
  }
  return chooser;
}

/// The group's layout for a reader that accepts any halo, else the wish as it is.
Layout granted(const Chooser& chooser, ValueId value, const Layout& wish, bool any_halo) {
  const auto found = chooser.halos.find(group_of(value, wish));
  Layout layout = any_halo && found != chooser.halos.end() ? found->second : wish;
  return layout.has_halo() ? layout : without_halo(layout);
}

BufferId add_buffer(plan::Plan& plan, ValueId value, const Layout& layout, Place place) {
  Buffer buffer;
  buffer.name = plan.graph.value(value).name;
  buffer.value = value;
  buffer.type = plan.graph.value(value).type;
  buffer.layout = layout;
  buffer.place = place;
  plan.buffers.push_back(std::move(buffer));
  return static_cast<BufferId>(plan.buffers.size()) - 1;
}

/// The buffer of that value and layout; a caller's buffer serves where it lies so.
BufferId buffer_for(plan::Plan& plan, ValueId value, const Layout& layout) {
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    if (buffer.value == value && buffer.packing.empty() && buffer.layout == layout) return static_cast<BufferId>(i);
  }
  return add_buffer(plan, value, layout, {Place::Kind::arena, 0, 0});
}

BufferId weight_for(plan::Plan& plan, ValueId value, const Wish& wish) {
  for (std::size_t i = 0; i < plan.buffers.size(); ++i) {
    const Buffer& buffer = plan.buffers[i];
    const bool same = buffer.value == value && buffer.place.kind == Place::Kind::weights && buffer.packing == wish.packing;
    if (same && buffer.packed_extents == wish.packed_extents && buffer.layout == wish.layout) return static_cast<BufferId>(i);
  }
  const BufferId id = add_buffer(plan, value, wish.layout, {Place::Kind::weights, 0, 0});
  plan.buffer(id).packed_extents = wish.packed_extents;
  plan.buffer(id).packing = wish.packing;
  plan.buffer(id).pack = wish.pack;
  return id;
}

/// Operands of a join lie in its result's memory, so all of them have the same halo. Repeated until nothing changes, because the result
/// of a join may be the operand of another.
void unify_halos_of_joins(Chooser& chooser) {
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t k = 0; k < chooser.decisions.size(); ++k) {
      const Choice& choice = chooser.decisions[k].choice;
      if (!choice.is_join) continue;
      const plan::Kernel& kernel = chooser.plan.kernels[k];
      Layout together = granted(chooser, kernel.output_value, choice.output, true);
      std::vector<ValueId> values = kernel.input_values;
      values.push_back(kernel.output_value);
      for (const ValueId value : values) {
        const Layout layout = granted(chooser, value, choice.output, true);
        widen(together.halo_begin, layout.halo_begin);
        widen(together.halo_end, layout.halo_end);
      }
      for (const ValueId value : values) {
        Layout& layout = chooser.halos.try_emplace(group_of(value, choice.output), choice.output).first->second;
        changed = changed || layout != together;
        layout = together;
      }
    }
  }
}

/// Gives the operands of joins their parts of the results' memory, the last join first: its operand may be another's result. The producer of
/// a value writes into the first buffer that lies as it wants.
void place_joins(Chooser& chooser) {
  plan::Plan& plan = chooser.plan;
  for (std::size_t k = plan.kernels.size(); k-- > 0;) {
    const Choice& choice = chooser.decisions[k].choice;
    if (!choice.is_join) continue;
    plan::Kernel& kernel = plan.kernels[k];
    kernel.output = buffer_for(plan, kernel.output_value, granted(chooser, kernel.output_value, choice.output, true));
    std::int64_t begin = 0;
    for (const ValueId value : kernel.input_values) {
      const BufferId part = add_buffer(plan, value, plan.buffer(kernel.output).layout, {Place::Kind::arena, 0, 0});
      plan.buffer(part).alias_of = kernel.output;
      plan.buffer(part).alias_offset = begin;
      begin = checked_add(begin, plan::stored_bytes(plan.graph.value(value).type, plan.buffer(part).layout));
      kernel.inputs.push_back(part);
    }
  }
}

/// Where the kernel writes. An alias never writes into the caller's result: that takes a copy.
BufferId output_for(Chooser& chooser, const plan::Kernel& kernel, const Choice& choice) {
  const Layout layout = granted(chooser, kernel.output_value, choice.output, true);
  if (!choice.is_alias) return buffer_for(chooser.plan, kernel.output_value, layout);
  return add_buffer(chooser.plan, kernel.output_value, without_halo(layout), {Place::Kind::arena, 0, 0});
}

}  // namespace

void choose_implementations(plan::Plan& plan, const plan::Target& target, const ChooseOptions& options) {
  merge_kernels(plan, target, options.merge_all);
  Chooser chooser = decide_all(plan, target, options);
  unify_halos_of_joins(chooser);
  place_joins(chooser);

  for (std::size_t k = 0; k < plan.kernels.size(); ++k) {
    plan::Kernel& kernel = plan.kernels[k];
    const Choice& choice = chooser.decisions[k].choice;
    kernel.schedule = chooser.decisions[k].chosen->name;
    kernel.parameters = choice.parameters;
    kernel.is_alias = choice.is_alias || choice.is_join;
    if (choice.is_join) continue;
    for (std::size_t i = 0; i < kernel.input_values.size(); ++i) {
      const ValueId value = kernel.input_values[i];
      const Wish& wish = choice.inputs[i];
      const bool is_weight = plan.graph.value(value).data.has_value();
      kernel.inputs.push_back(is_weight ? weight_for(plan, value, wish)
                                        : buffer_for(plan, value, granted(chooser, value, wish.layout, wish.any_halo)));
    }
    kernel.output = output_for(chooser, kernel, choice);
    if (choice.is_alias) plan.buffer(kernel.output).alias_of = kernel.inputs.front();
  }
}

}  // namespace calotype::schedules
