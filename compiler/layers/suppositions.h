#pragma once
/// \file
/// What inputs that decide shapes can be, where their numbers arrive at run time: an operator lists the possibilities by the declared shapes of its
/// outputs (OnnxForm::suppose), and says by a few layers on the input how the compiled program finds out whether one holds.
#include <vector>

#include "layers/onnx.h"

namespace calotype::layers {

/// The number of entries of a list that arrives as input i; -1 if it is no list.
std::int64_t entries_of(const OnnxBuilder& builder, std::size_t i);

/// bool: where the value's numbers are these. One for each element.
ValueId equals(OnnxBuilder& builder, ValueId value, const std::vector<std::int64_t>& numbers);
ValueId equals(OnnxBuilder& builder, ValueId value, const std::vector<double>& numbers);

/// bool, known.
ValueId truths(OnnxBuilder& builder, const std::vector<bool>& list);

/// The declared extent of output i along an axis, negative or not.
std::optional<std::int64_t> declared_extent(const OnnxBuilder& builder, std::size_t i, std::int64_t axis);

/// The list as input i of the node, in that input's own type and shape.
TensorData as_input(const OnnxBuilder& builder, std::size_t i, const std::vector<double>& numbers);

/// That input i holds exactly these numbers.
Supposition suppose_equal(OnnxBuilder& builder, std::size_t i, const std::vector<std::int64_t>& numbers);
Supposition suppose_equal(OnnxBuilder& builder, std::size_t i, const std::vector<double>& numbers);

/// Input i holds the declared extents of output 0.
template <std::size_t i>
std::vector<Supposition> suppose_shape(const OnnxNode&, OnnxBuilder& builder) {
  const std::vector<std::int64_t>* shape = builder.declared(0);
  if (shape == nullptr || entries_of(builder, i) != std::ssize(*shape)) return {};
  return {suppose_equal(builder, i, *shape)};
}

/// Adds the check that a row of a table i64 [rows, rank], extents that `what` has by numbers that arrive at run time, is the declared shape.
void require_row(OnnxBuilder& builder, ValueId table, std::int64_t row, const std::vector<std::int64_t>& shape, std::string_view what);

/// Adds the check that the condition holds; `says` tells what is wanted.
void require(OnnxBuilder& builder, ValueId condition, std::string says);

/// Every set of as many axes of a rank as input i has entries, in any order, negative or not.
std::vector<Supposition> suppose_axes_of_rank(OnnxBuilder& builder, std::size_t i, std::int64_t rank);

/// Input 1 holds axes of input 0.
std::vector<Supposition> suppose_axes(const OnnxNode& node, OnnxBuilder& builder);

}  // namespace calotype::layers
