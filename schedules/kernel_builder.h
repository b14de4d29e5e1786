#pragma once
/// \file
/// What every schedule template needs to turn a planned kernel into Halide: parameters with fixed shapes, readers of logical elements in
/// whatever layout they lie, and the epilogue. A template writes its own algorithm and schedule between these.
#include <Halide.h>

#include <string>
#include <vector>

#include "layers/definition.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::schedules {

/// The point of the result at which a kernel computes: variables of the output's memory, and the logical index that they stand for.
struct ResultPoint {
  std::vector<Halide::Var> variables;          ///< innermost first, as plan::storage_of lists them
  std::vector<plan::StorageDimension> storage; ///< extents and strides of the memory, halo taken off
  layers::Index index;                         ///< logical; in pad lanes the channel lies beyond the last one
  Halide::Expr channel;                        ///< index[1] of a blocked layout: lane + block * lanes
  Halide::Expr lane, block;
  int lanes = 1;
};

class KernelBuilder {
 public:
  /// `prefix` makes Func names unique in the process. With `flat`, spatial dimensions are merged into the last one (see can_flatten).
  KernelBuilder(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, std::string prefix, bool flat);

  const plan::Plan& plan() const { return plan_; }
  const plan::Kernel& kernel() const { return kernel_; }
  const plan::Target& target() const { return target_; }
  const std::string& prefix() const { return prefix_; }
  std::int64_t parameter(const char* name) const { return kernel_.parameters.at(name); }

  /// The memory of input `position`: a parameter whose dimensions are those of its layout, or its packed extents.
  const Halide::ImageParam& input(int position) const { return inputs_[static_cast<std::size_t>(position)]; }
  const std::vector<Halide::ImageParam>& inputs() const { return inputs_; }
  const plan::Buffer& input_buffer(int position) const;
  /// Makes input `position`, which is planar without a halo, a parameter of other extents (innermost first) over the same numbers. To be called
  /// first; `read` and `evaluate` no longer know that input.
  const Halide::ImageParam& view_input(int position, const std::vector<std::int64_t>& extents);
  const plan::Buffer& output_buffer() const { return plan_.buffer(kernel_.output); }
  /// The position among the inputs of an operand of the kernel's op number `op`, or -1 if it is absent or made inside the kernel.
  int position_of(int op, std::string_view operand) const;

  const ResultPoint& point() const { return point_; }
  /// The element of input `position` at a logical index.
  Halide::Expr read(int position, const layers::Index& index) const;
  /// What the kernel's op number `op` makes at the point; op 0 by its definition, later ones from `before`, the value of the op before.
  Halide::Expr evaluate(int op, const Halide::Expr& before);
  /// The kernel's result at the point, given the last anchor's: all later ops, then zero in the pad lanes.
  Halide::Expr finish(Halide::Expr anchor);

  /// Declares `output` over the point's variables and fixes its memory.
  Halide::Func make_output(const Halide::Expr& value);
  /// The same over other variables, which see the result's memory through `storage`: `value` is in terms of them.
  Halide::Func make_output(const Halide::Expr& value, const std::vector<Halide::Var>& variables,
                           const std::vector<plan::StorageDimension>& storage);
  layers::Stages& stages() { return stages_; }

 private:
  layers::Tensor operand_tensor(const Op& op, std::size_t operand, const Halide::Expr& before) const;
  Halide::Expr zero_pad_lanes(Halide::Expr value) const;
  bool has_pad_lanes() const;

  const plan::Plan& plan_;
  const plan::Kernel& kernel_;
  const plan::Target& target_;
  std::string prefix_;
  bool flat_;
  std::vector<Halide::ImageParam> inputs_;
  ResultPoint point_;
  layers::Stages stages_;
};

/// May the spatial dimensions be walked as one? True if no buffer has a halo and each operand of the ops after the anchor has either the
/// result's spatial extents or only extents 1.
bool can_flatten(const plan::Plan& plan, const plan::Kernel& kernel);

/// The dimensions of a buffer's memory with the spatial ones merged into the last.
std::vector<plan::StorageDimension> flattened(std::vector<plan::StorageDimension> storage, const TensorType& type);

}  // namespace calotype::schedules
