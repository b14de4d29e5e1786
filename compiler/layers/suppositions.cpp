/// \file
/// Comparisons of an input's numbers with what is supposed of them, and sets of axes.
#include "layers/suppositions.h"

#include <fmt/format.h>

#include <algorithm>

#include "ir/number_format.h"
#include "layers/layer.h"

namespace calotype::layers {
namespace {

/// More sets than that are not tried.
constexpr std::size_t set_limit = 100;

/// Every subset of that size of 0, 1, ... rank - 1, in order.
std::vector<std::vector<std::int64_t>> subsets(std::int64_t rank, std::int64_t size) {
  std::vector<std::vector<std::int64_t>> all;
  std::vector<bool> chosen(static_cast<std::size_t>(rank), false);
  std::fill_n(chosen.begin(), size, true);
  do {
    std::vector<std::int64_t> set;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (chosen[i]) set.push_back(static_cast<std::int64_t>(i));
    }
    all.push_back(std::move(set));
  } while (all.size() <= set_limit && std::prev_permutation(chosen.begin(), chosen.end()));
  return all;
}

/// A set as a number: one digit for each axis, which counts how often it occurs.
std::int64_t digit_of(std::int64_t axis, std::int64_t size) {
  std::int64_t digit = 1;
  for (std::int64_t i = 0; i < axis; ++i) digit *= size + 1;
  return digit;
}

/// The number of the set that input i holds. What is no axis adds nothing, so that the number is then none of a set of that size.
ValueId code_of_axes(OnnxBuilder& builder, std::size_t i, std::int64_t rank, std::int64_t size) {
  std::vector<std::int64_t> digits = {0};
  for (std::int64_t axis = -rank; axis < rank; ++axis) digits.push_back(digit_of((axis + rank) % rank, size));
  digits.push_back(0);
  ValueId axes = builder.input(i);
  if (builder.type(axes).element != ElementType::i64) axes = builder.emit("cast", {axes}, {named_word("type", "i64")});
  axes = builder.emit("max", {axes, builder.constant(std::vector<std::int64_t>{-rank - 1})});
  axes = builder.emit("min", {axes, builder.constant(std::vector<std::int64_t>{rank})});
  const ValueId places = builder.emit("add", {axes, builder.constant(std::vector<std::int64_t>{rank + 1})});
  const ValueId entries = builder.emit("gather", {builder.constant(digits), places});
  return builder.emit("reduce_sum", {entries});
}

TensorData numbers_like(const TensorType& type, const std::vector<double>& numbers) {
  std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
  for (std::size_t n = 0; n < numbers.size(); ++n) {
    if (!store_double(bytes, type.element, static_cast<std::int64_t>(n), numbers[n]))
      throw Failure(Fault::unsupported, "a number is too large");
  }
  return own(type, std::move(bytes));
}

}  // namespace

std::int64_t entries_of(const OnnxBuilder& builder, std::size_t i) {
  if (!builder.has(i)) return -1;
  const std::vector<std::int64_t>& extents = builder.extents(builder.input(i));
  return extents.size() == 1 ? extents[0] : -1;
}

std::optional<std::int64_t> declared_extent(const OnnxBuilder& builder, std::size_t i, std::int64_t axis) {
  const std::vector<std::int64_t>* shape = builder.declared(i);
  if (shape == nullptr) return std::nullopt;
  if (axis < 0) axis += std::ssize(*shape);
  if (axis < 0 || axis >= std::ssize(*shape)) return std::nullopt;
  return (*shape)[static_cast<std::size_t>(axis)];
}

ValueId equals(OnnxBuilder& builder, ValueId value, const std::vector<double>& numbers) {
  const TensorType type{builder.type(value).element, {std::ssize(numbers)}};
  return builder.emit("equal", {value, builder.constant(numbers_like(type, numbers))});
}

ValueId equals(OnnxBuilder& builder, ValueId value, const std::vector<std::int64_t>& numbers) {
  return equals(builder, value, std::vector<double>(numbers.begin(), numbers.end()));
}

ValueId truths(OnnxBuilder& builder, const std::vector<bool>& list) {
  const std::vector<std::uint8_t> bytes(list.begin(), list.end());
  return builder.constant(own({ElementType::boolean, {std::ssize(list)}}, bytes));
}

TensorData as_input(const OnnxBuilder& builder, std::size_t i, const std::vector<double>& numbers) {
  const TensorType& type = builder.type(builder.input(i));
  if (type.elements() != std::ssize(numbers)) throw Failure(Fault::bug, "a supposition has not as many numbers as its input");
  return numbers_like(type, numbers);
}

Supposition suppose_equal(OnnxBuilder& builder, std::size_t i, const std::vector<double>& numbers) {
  return {{{i, as_input(builder, i, numbers)}}, {equals(builder, builder.input(i), numbers)}};
}

Supposition suppose_equal(OnnxBuilder& builder, std::size_t i, const std::vector<std::int64_t>& numbers) {
  return suppose_equal(builder, i, std::vector<double>(numbers.begin(), numbers.end()));
}

void require(OnnxBuilder& builder, ValueId condition, std::string says) {
  NamedAttribute text{"says", {}};
  text.value.value = std::move(says);
  builder.emit("require", {condition}, {std::move(text)});
}

void require_row(OnnxBuilder& builder, ValueId table, std::int64_t row, const std::vector<std::int64_t>& shape, std::string_view what) {
  const ValueId extents = builder.emit("gather", {table, builder.constant(ElementType::i64, static_cast<double>(row))});
  require(builder, equals(builder, extents, shape), fmt::format("{} of shape {}", what, to_text(shape)));
}

std::vector<Supposition> suppose_axes_of_rank(OnnxBuilder& builder, std::size_t i, std::int64_t rank) {
  const std::int64_t size = builder.has(i) ? builder.type(builder.input(i)).elements() : 0;
  if (size < 1 || size > rank || rank > 10) return {};
  const std::vector<std::vector<std::int64_t>> sets = subsets(rank, size);
  if (sets.size() > set_limit) return {};
  const ValueId code = code_of_axes(builder, i, rank, size);
  std::vector<Supposition> list;
  for (const std::vector<std::int64_t>& set : sets) {
    std::int64_t wanted = 0;
    for (const std::int64_t axis : set) wanted += digit_of(axis, size);
    list.push_back({{{i, as_input(builder, i, {set.begin(), set.end()})}}, {equals(builder, code, std::vector<std::int64_t>{wanted})}});
  }
  return list;
}

std::vector<Supposition> suppose_axes(const OnnxNode&, OnnxBuilder& builder) {
  return suppose_axes_of_rank(builder, 1, std::ssize(builder.extents(builder.input(0))));
}

}  // namespace calotype::layers
