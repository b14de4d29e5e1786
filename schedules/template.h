#pragma once
/// \file
/// What a schedule template is: does it match a kernel, in which layouts and with which parameters would it run, and how is it built.
/// One file a template under schedules/cpu; the list is in templates.cpp, most special first.
#include <Halide.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "layers/definition.h"
#include "plan/plan.h"
#include "plan/target.h"
#include "schedules/kernel_builder.h"

namespace calotype::schedules {

/// How a kernel wants one of its inputs to lie.
struct Wish {
  plan::Layout layout = {};
  bool any_halo = false;  ///< a larger halo than `layout` has is as good
  /// Weights only: the packed memory in place of a layout (see plan::Buffer).
  std::vector<std::int64_t> packed_extents = {};
  std::string packing = {};
  std::function<void(const TensorData& source, std::span<std::byte> destination)> pack = {};
};

/// One way to run a kernel.
struct Choice {
  plan::Layout output = {};
  std::vector<Wish> inputs = {};  ///< one for each of Kernel::input_values
  std::map<std::string, std::int64_t> parameters = {};
  bool is_alias = false;  ///< no code at all: the output is the bytes of input 0
  bool is_join = false;   ///< no code at all: the inputs lie one after the other in the output's memory
};

/// A kernel that looks for an implementation, and the layouts that its operands have so far.
struct Question {
  const plan::Plan& plan;
  const plan::Kernel& kernel;
  const plan::Target& target;
  std::function<plan::Layout(ValueId)> layout_of;
  bool exact = false;            ///< no reformulations: sums of products only
  std::int64_t weight_room = 0;  ///< bytes by which packed weights may still outgrow the weights
  std::int64_t all_weights = 0;  ///< bytes of the network's weights: large networks read theirs from memory in every run
  std::int64_t variant = 0;      ///< the one of the template's variants that the kernel was given; 0: none

  const Op& anchor() const { return plan.graph.op(kernel.ops.front()); }
  layers::Call call() const { return {*layers::find_layer(anchor().kind), plan.graph, anchor()}; }
  const TensorType& output_type() const { return plan.graph.value(kernel.output_value).type; }
  bool is_weight(std::size_t input) const { return plan.graph.value(kernel.input_values[input]).data.has_value(); }
  /// Where an operand of the anchor stands among the kernel's inputs, or -1.
  int input_of(std::string_view operand) const;
};

/// A way to run a kernel that saves time and takes weights of its own: choose_implementations shares the room for weights among all kernels.
struct Variant {
  std::int64_t id = 0;  ///< not 0; the template's own
  double saved = 0;  ///< time, in the unit of schedules/cost.h, against what runs without variant
  std::int64_t bytes = 0;  ///< by which packed weights outgrow those of what runs without variant
};

/// Kernels that could become one: each reads the result of the one before it, which nothing else reads.
using Chain = std::vector<const plan::Kernel*>;

struct Template {
  std::string_view name;
  std::optional<Choice> (*choose)(const Question&) = nullptr;  ///< nothing where the template does not match
  Halide::Func (*build)(KernelBuilder&) = nullptr;
  std::vector<Variant> (*variants)(const Question&) = nullptr;  ///< asked before `choose`; null: the template has none
  /// Does it save time to run the chain as one kernel (or, whatever it costs, is it possible)? Null: the template takes no merged kernels; else it
  /// takes no others.
  bool (*merges)(const plan::Plan&, const plan::Target&, const Chain&, bool whatever_it_costs) = nullptr;
};

/// All templates for that target's kind, most special first; the last one matches everything.
std::span<const Template> templates();
const Template& find_template(std::string_view name);

/// Can the kernel's spatial dimensions be walked as one (see can_flatten)? Recorded by choose_implementations as the parameter "flat".
inline constexpr const char* flat_parameter = "flat";

/// Not 0: Halide may contract the kernel's sums and products (see is_contraction in codegen/kernel.cpp), which is what makes exponentials fast. For
/// templates that write everything else with layers/arithmetic.h.
inline constexpr const char* relaxed_parameter = "relaxed";

/// Wishes for everything but the anchor's own tensors: operands of the result's shape lie as the output does, others as they are.
std::vector<Wish> epilogue_wishes(const Question& question, const plan::Layout& output);

/// A channel-blocked layout for the target's f32 vectors.
plan::Layout blocked_layout(const plan::Target& target);

/// Marks the outer loops of `output` as tasks: fuses `outer` (innermost first) and cuts them so that a task does at least some microseconds of
/// work. `work` counts multiply-adds or comparable operations of the whole kernel.
void make_tasks(Halide::Func& output, const std::vector<std::pair<Halide::Var, std::int64_t>>& outer, double work);

/// Into how many parts to cut each of `others` tasks, so that few threads end at about the same time: 1 where there are enough already or the
/// tasks are small. A task may be cut into `most` parts, each of which costs `price`, as a share of the kernel's time; `work` as for make_tasks.
std::int64_t parts_for_tasks(std::int64_t others, std::int64_t most, double work, double price);

/// What the busiest of `threads` threads does of equal tasks, over an equal share: 1 where all do as much.
double busiest_share(std::int64_t tasks, std::int64_t threads);

/// `count / by`, rounded up, and the multiple of `by` that this makes; both for numbers above 0.
constexpr std::int64_t divided_up(std::int64_t count, std::int64_t by) { return (count + by - 1) / by; }
constexpr std::int64_t rounded_up(std::int64_t count, std::int64_t by) { return divided_up(count, by) * by; }

/// The divisor of `extent` in [1, most] that makes the best tile, or a tile that wastes little where none is good.
std::int64_t best_tile(std::int64_t extent, std::int64_t most);

}  // namespace calotype::schedules
