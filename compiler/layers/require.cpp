/// \file
/// Layers that check numbers which arrive at run time. What they yield is of no further use; they run because a program must not hand out an answer
/// that its inputs have made wrong.
///
///   require           every number of a bool operand is true, or run returns CALOTYPE_SHAPE_MISMATCH; `says` tells a person what was wanted
///   require_between   every integer lies in [least, most], or run returns CALOTYPE_INDEX_OUT_OF_RANGE; `least` and `most` are one number each,
///                     or one for each place along the last dimension
///
/// The result is a lone bool: did it hold?
#include <fmt/format.h>

#include <algorithm>
#include "ir/number_format.h"

#include "layers/reduction.h"
#include "runtime/include/calotype/types.h"

namespace calotype::layers {
namespace {

using Halide::Expr;

std::vector<TensorType> infer_require(const Call& call) {
  if (call.type(0).element != ElementType::boolean) {
    call.fail(fmt::format("require wants bool, but {} is {}", call.operand(0).name, name_of(call.type(0).element)));
  }
  return {{ElementType::boolean, {}}};
}

std::string explain_require(const Call& call) {
  const auto written =
      std::find_if(call.op().attributes.begin(), call.op().attributes.end(), [](const auto& a) { return a.name == "says"; });
  const auto* says = written == call.op().attributes.end() ? nullptr : std::get_if<std::string>(&written->value.value);
  return fmt::format("wants {}; otherwise run returns CALOTYPE_SHAPE_MISMATCH",
                     says == nullptr ? "what the network was compiled for" : *says);
}

std::string explain_between(const Call& call) {
  const std::vector<std::int64_t> least = call.integers("least"), most = call.integers("most");
  const std::string range = least.size() == 1 ? fmt::format("numbers from {} to {}", least[0], most[0])
                                              : fmt::format("rows of numbers from {} to {}", to_text(least), to_text(most));
  return fmt::format("wants {}; otherwise run returns CALOTYPE_INDEX_OUT_OF_RANGE", range);
}

std::vector<TensorType> infer_between(const Call& call) {
  const TensorType& x = call.type(0);
  if (is_float(x.element) || x.element == ElementType::boolean || x.element == ElementType::u64) {
    call.unsupported(fmt::format("require_between wants integers, but {} is {}", call.operand(0).name, name_of(x.element)));
  }
  const std::vector<std::int64_t> least = call.integers("least"), most = call.integers("most");
  const bool is_for_each = !x.extents.empty() && std::ssize(least) == x.extents.back();
  if (least.size() != most.size() || (least.size() != 1 && !is_for_each)) {
    call.fail("least",
              fmt::format("'least' and 'most' have {} and {} numbers; {} wants one each, or one for each place of the last dimension",
                          least.size(), most.size(), to_text(x.extents)));
  }
  return {{ElementType::boolean, {}}};
}

/// Tells the state unless it holds. The call is no pure function, so it is made exactly once for the result's one element.
Expr report(const Expr& holds, calotype_status status) {
  const Expr told = Halide::Internal::Call::make(Halide::Int(32), "calotype_require",
                                                 {Halide::user_context_value(), Halide::cast<int>(holds), static_cast<int>(status)},
                                                 Halide::Internal::Call::Extern);
  return Halide::cast<std::uint8_t>(told);
}

/// Do all elements satisfy the predicate? Those of the last dimension side by side, in vectors where there are many.
template <typename Predicate>
Expr all(const Tensor& x, Stages& stages, Predicate predicate) {
  const auto truth = [&](const Index& at) { return Halide::cast<std::uint8_t>(predicate(x(at), at)); };
  if (x.type.extents.empty()) return truth({}) != 0;
  Extents outer = x.type.extents;
  const std::int64_t columns = outer.back();
  outer.pop_back();

  const Halide::Var column("column");
  Halide::Func held("held_by_column"), total("held");
  if (outer.empty()) {
    held(column) = truth({column});
  } else {
    held(column) = Expr(std::uint8_t{1});
    const Domain rows = domain_over(outer, "rows");
    Index at(rows.variables.begin(), rows.variables.end());
    at.emplace_back(column);
    held(column) = held(column) & truth(at);
  }
  stages.share(held, {column}, {columns});
  const Domain across = domain_over({columns}, "columns");
  total() = Expr(std::uint8_t{1});
  total() = total() & held(across.variables[0]);
  stages.accumulators.push_back(total);
  return total() != 0;
}

Expr define_require(const Call&, const std::vector<Tensor>& operands, const Index&, Stages& stages, int) {
  const auto is_true = [](const Expr& x, const Index&) { return x != 0; };
  return report(all(operands[0], stages, is_true), CALOTYPE_SHAPE_MISMATCH);
}

Expr define_between(const Call& call, const std::vector<Tensor>& operands, const Index&, Stages& stages, int) {
  const std::vector<std::int64_t> least = call.integers("least"), most = call.integers("most");
  const auto is_between = [&](const Expr& x, const Index& at) {
    const Expr wide = Halide::cast<std::int64_t>(x);
    Expr holds = wide >= Expr(least.back()) && wide <= Expr(most.back());
    for (std::size_t i = least.size() - 1; i-- > 0;) {
      holds = Halide::select(at.back() == static_cast<int>(i), wide >= Expr(least[i]) && wide <= Expr(most[i]), holds);
    }
    return holds;
  };
  return report(all(operands[0], stages, is_between), CALOTYPE_INDEX_OUT_OF_RANGE);
}

constexpr Traits check_traits = {.is_check = true};

}  // namespace

extern constinit const Layer require = {
    .name = "require",
    .operands = {{"condition"}},
    .arguments = {optional("says", ArgumentKind::text)},
    .traits = check_traits,
    .infer = infer_require,
    .explain = explain_require,
};
extern constinit const Layer require_between = {
    .name = "require_between",
    .operands = {{"x"}},
    .arguments = {required("least", ArgumentKind::integers), required("most", ArgumentKind::integers)},
    .traits = check_traits,
    .infer = infer_between,
    .explain = explain_between,
};

extern constinit const Definition require_definition = {"require", define_require};
extern constinit const Definition require_between_definition = {"require_between", define_between};

}  // namespace calotype::layers
