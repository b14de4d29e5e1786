#pragma once
/// \file
/// What a step of a tape does.
#include "codegen/tape.h"

namespace calotype::codegen {

enum class Operation {
  convert,
  reinterpret,
  add,
  subtract,
  multiply,
  divide,
  remainder,
  minimum,
  maximum,
  equal,
  less,
  less_equal,
  logical_and,
  logical_or,
  logical_not,
  select,
  bit_and,
  bit_or,
  bit_xor,
  bit_not,
  shift_left,
  shift_right,
  truncating_divide,
  truncating_remainder,
  absolute,
  leading_zeros,
  trailing_zeros,
  population,
  is_nan,
  is_infinite,
  is_finite,
  square_root,
  floor,
  ceil,
  truncate,
  round,
  power,
  exponential,
  logarithm,
  sine,
  cosine,
  tangent,
  arc_sine,
  arc_cosine,
  arc_tangent,
  arc_tangent2,
  hyperbolic_sine,
  hyperbolic_cosine,
  hyperbolic_tangent,
  arc_hyperbolic_sine,
  arc_hyperbolic_cosine,
  arc_hyperbolic_tangent,
  copy,
  load,
  call,
};

/// The result of an operation other than load and call on its operands.
Slot apply(const Step& step, const Slot* operands);

/// A number of that type at an address, and the number as Halide computes on it.
Slot load_slot(const Halide::Type& type, const void* at);
void store_slot(const Halide::Type& type, void* at, Slot slot);

/// The number of a constant expression.
Slot constant_slot(const Halide::Type& type, std::int64_t number);
Slot constant_slot(const Halide::Type& type, std::uint64_t number);
Slot constant_slot(const Halide::Type& type, double number);

/// As a number whatever its type: for indices.
std::int64_t index_of(const Halide::Type& type, Slot slot);

}  // namespace calotype::codegen
