/// \file
/// einsum: a product of operands whose dimensions are named by letters, summed over every letter that the result does not have.
///
///   equation="bij,bjk->bik"   y[b,i,k] = sum over j of a[b,i,j] * c[b,j,k]
///
/// A letter that one operand has twice walks its diagonal. `...` stands for dimensions that broadcast. Without `->` the result has, after those, the
/// letters that occur once, in alphabetical order. Sums of integers wrap.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "ir/checked.h"
#include "layers/argument.h"
#include "layers/elementwise.h"
#include "layers/reduction.h"

namespace calotype::layers {
namespace {

/// A letter, or a dimension of the ellipsis: -1 is its last, -2 the one before it.
using Label = int;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> operands;
  Labels result;
  std::map<Label, std::int64_t> extents;
  Labels summed;
};

constexpr int ellipsis_mark = 0;  ///< stands for all dimensions of the ellipsis while the text is read

Labels read_labels(const Call& call, std::string_view text) {
  Labels labels;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("...")) {
      if (std::count(labels.begin(), labels.end(), ellipsis_mark) > 0) call.fail("equation", "'...' may stand once in each term");
      labels.push_back(ellipsis_mark);
      i += 2;
    } else if (std::isalpha(static_cast<unsigned char>(text[i])) != 0) {
      labels.push_back(text[i]);
    } else {
      call.fail("equation", fmt::format("'{}' is no letter of an equation such as \"ij,jk->ik\"", text[i]));
    }
  }
  return labels;
}

/// The ellipsis as `rank` labels, -rank to -1.
Labels without_ellipsis(const Labels& labels, int rank) {
  Labels all;
  for (const Label label : labels) {
    if (label != ellipsis_mark) {
      all.push_back(label);
      continue;
    }
    for (int d = -rank; d < 0; ++d) all.push_back(d);
  }
  return all;
}

std::string equation_text(const Call& call) {
  const auto* attribute = find(call.op().attributes, "equation");
  const auto* text = attribute == nullptr ? nullptr : std::get_if<std::string>(&attribute->value);
  if (text == nullptr) call.fail("equation", "'equation' wants a string such as \"ij,jk->ik\"");
  std::string letters = *text;
  std::erase(letters, ' ');
  return letters;
}

Equation equation_of(const Call& call) {
  const std::string text = equation_text(call);
  const std::size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  Equation equation;
  int ellipsis_rank = 0;
  std::size_t begin = 0;
  for (int i = 0; i < call.operand_count(); ++i) {
    if (begin > left.size()) call.fail("equation", fmt::format("'{}' has fewer terms than the {} operands", text, call.operand_count()));
    const std::size_t end = std::min(left.find(',', begin), left.size());
    const Labels labels = read_labels(call, std::string_view(left).substr(begin, end - begin));
    begin = end + 1;
    const bool has_ellipsis = std::count(labels.begin(), labels.end(), ellipsis_mark) > 0;
    const int rest = call.type(i).rank() - static_cast<int>(labels.size()) + (has_ellipsis ? 1 : 0);
    if (rest < 0 || (rest > 0 && !has_ellipsis)) {
      call.fail("equation", fmt::format("'{}' does not fit {} {}", text, call.operand(i).name, to_text(call.type(i).extents)));
    }
    ellipsis_rank = std::max(ellipsis_rank, rest);
    equation.operands.push_back(without_ellipsis(labels, rest));
  }
  if (begin <= left.size()) call.fail("equation", fmt::format("'{}' has more terms than the {} operands", text, call.operand_count()));

  std::map<Label, int> occurrences;
  for (std::size_t i = 0; i < equation.operands.size(); ++i) {
    for (std::size_t d = 0; d < equation.operands[i].size(); ++d) {
      const Label label = equation.operands[i][d];
      const std::int64_t extent = call.type(static_cast<int>(i)).extents[d];
      std::int64_t& known = equation.extents.try_emplace(label, extent).first->second;
      if (known == 1) known = extent;
      if (extent != known && extent != 1) {
        call.fail("equation", fmt::format("a letter of '{}' has both the extents {} and {}", text, known, extent));
      }
      ++occurrences[label];
    }
  }
  if (arrow != std::string::npos) {
    equation.result = without_ellipsis(read_labels(call, std::string_view(text).substr(arrow + 2)), ellipsis_rank);
  } else {
    for (const auto& [label, count] : occurrences) {
      if (label < 0 || count == 1) equation.result.push_back(label);
    }
  }
  for (const Label label : equation.result) {
    if (!occurrences.contains(label)) call.fail("equation", fmt::format("the result of '{}' has a letter that no operand has", text));
    if (std::count(equation.result.begin(), equation.result.end(), label) > 1) {
      call.fail("equation", fmt::format("the result of '{}' has a letter twice", text));
    }
  }
  for (const auto& [label, count] : occurrences) {
    if (std::find(equation.result.begin(), equation.result.end(), label) == equation.result.end()) equation.summed.push_back(label);
  }
  return equation;
}

std::vector<TensorType> infer(const Call& call) {
  const ElementType element = common_element(call);
  if (element == ElementType::boolean) call.unsupported("einsum is not defined for bool");
  TensorType type = {element, {}};
  const Equation equation = equation_of(call);
  for (const Label label : equation.result) type.extents.push_back(equation.extents.at(label));
  return {type};
}

std::int64_t multiply_adds(const Call& call) {
  const Equation equation = equation_of(call);
  std::int64_t number = call.operand_count() > 1 ? call.operand_count() - 1 : 0;
  for (const auto& [label, extent] : equation.extents) number = checked_multiply(number, extent);
  return number;
}

Halide::Expr define(const Call& call, const std::vector<Tensor>& operands, const Index& index, Stages& stages, int) {
  const Equation equation = equation_of(call);
  const Halide::Type stored = halide_type(call.result().element);
  const Halide::Type type = stored.is_float() ? accumulator_type(call.result().element) : stored;
  const auto product_at = [&](const std::map<Label, Halide::Expr>& at) {
    Halide::Expr product;
    for (std::size_t i = 0; i < equation.operands.size(); ++i) {
      Index here;
      for (std::size_t d = 0; d < equation.operands[i].size(); ++d) {
        const bool repeats = operands[i].type.extents[d] == 1;
        here.push_back(repeats ? Halide::Expr(0) : at.at(equation.operands[i][d]));
      }
      const Halide::Expr x = Halide::cast(type, operands[i](here));
      product = product.defined() ? arithmetic::multiply(product, x) : x;
    }
    return product;
  };
  std::map<Label, Halide::Expr> at;
  if (equation.summed.empty()) {
    for (std::size_t d = 0; d < index.size(); ++d) at[equation.result[d]] = index[d];
    return arithmetic::narrow(stored, product_at(at));
  }
  Extents summed;
  for (const Label label : equation.summed) summed.push_back(equation.extents.at(label));
  const Domain r = domain_over(summed, "r");
  for (std::size_t d = 0; d < summed.size(); ++d) at[equation.summed[d]] = r.variables[d];
  const std::vector<Halide::Var> variables = index_variables(call.result().rank());
  for (std::size_t d = 0; d < variables.size(); ++d) at[equation.result[d]] = variables[d];

  Halide::Func sum("einsum_sum");
  const std::vector<Halide::Var> arguments = storage_order(variables);
  const Halide::Expr product = product_at(at);
  sum(arguments) = Halide::Internal::make_zero(type);
  sum(arguments) = type.is_float() ? sum(arguments) + product : arithmetic::add(sum(arguments), product);
  stages.accumulators.push_back(sum);
  return arithmetic::narrow(stored, sum(storage_order(index)));
}

void adapt_einsum(const OnnxNode& node, OnnxBuilder& builder) {
  Op op = builder.statement();
  op.attributes.push_back({"equation", {node.text("equation", "")}});
  builder.bind(0, builder.emit(std::move(op)));
}

constexpr OnnxForm einsum_onnx[] = {{.op_type = "Einsum", .attributes = {onnx::adapted_attribute("equation")}, .adapt = adapt_einsum}};

}  // namespace

extern constinit const Layer einsum = {
    .name = "einsum",
    .operands = {{"x", Operand::Kind::variadic}},
    .arguments = {required("equation", ArgumentKind::text)},
    .traits = {.reduces_channels = true, .takes_epilogue = true},
    .infer = infer,
    .multiply_adds = multiply_adds,
    .onnx = einsum_onnx,
};
extern constinit const Definition einsum_definition = {"einsum", define};

}  // namespace calotype::layers
