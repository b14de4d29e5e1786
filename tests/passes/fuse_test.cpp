/// \file
/// How a graph is cut into kernels. Every cut is checked for what all must have: each op stands in exactly one kernel (one for each result), and
/// kernels in their order read only what was made before.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "layers/layer.h"
#include "passes/passes.h"
#include "small_graphs.h"

namespace calotype::testing {
namespace {

using ::testing::ElementsAre;

void expect_valid(const plan::Plan& plan) {
  const Graph& graph = plan.graph;
  std::map<OpId, int> times;
  std::set<ValueId> known;
  for (ValueId id = 0; static_cast<std::size_t>(id) < graph.values.size(); ++id) {
    if (graph.value(id).origin != Value::Origin::op) known.insert(id);
  }
  for (const plan::Kernel& kernel : plan.kernels) {
    for (const ValueId input : kernel.input_values)
      EXPECT_TRUE(known.contains(input)) << kernel.name << " runs before " << graph.value(input).name;
    // Inside: every op reads inputs of the kernel and the value before it, nothing else.
    std::set<ValueId> inside(kernel.input_values.begin(), kernel.input_values.end());
    for (const OpId op : kernel.ops) {
      ++times[op];
      for (const ValueId operand : graph.op(op).operands) EXPECT_TRUE(operand == no_value || inside.contains(operand)) << kernel.name;
      inside.insert(graph.op(op).results.begin(), graph.op(op).results.end());
    }
    EXPECT_EQ(std::set<ValueId>(kernel.input_values.begin(), kernel.input_values.end()).size(), kernel.input_values.size())
        << "an input twice";
    EXPECT_TRUE(inside.contains(kernel.output_value));
    known.insert(kernel.output_value);
  }
  const std::vector<std::vector<OpId>> consumers = consumers_of(graph);
  std::set<ValueId> results;
  for (const GraphResult& result : graph.results) results.insert(result.value);
  for (OpId op = 0; static_cast<std::size_t>(op) < graph.ops.size(); ++op) {
    if (layers::find_layer(graph.op(op).kind)->traits.is_source) continue;
    const auto wanted = [&](ValueId result) { return !consumers[static_cast<std::size_t>(result)].empty() || results.contains(result); };
    EXPECT_EQ(times[op], std::count_if(graph.op(op).results.begin(), graph.op(op).results.end(), wanted)) << graph.op(op).name;
  }
  for (const GraphResult& result : graph.results) EXPECT_TRUE(known.contains(result.value)) << result.name << " is never made";
}

plan::Plan fused(const std::string& header, const std::string& body) {
  Graph graph = small_graph(header, body);
  passes::expand_activations(graph);
  passes::fold_batch_norm(graph);
  passes::remove_dead(graph);
  plan::Plan plan = passes::fuse(std::move(graph));
  expect_valid(plan);
  return plan;
}

/// "conv+add+relu(x, y.weight, y.bias, a)" for each kernel, in order.
std::vector<std::string> kernels_of(const plan::Plan& plan) {
  std::vector<std::string> list;
  for (const plan::Kernel& kernel : plan.kernels) {
    std::string kinds, inputs;
    for (const OpId op : kernel.ops) kinds += (kinds.empty() ? "" : "+") + plan.graph.op(op).kind;
    for (const ValueId input : kernel.input_values) {
      if (plan.graph.value(input).data) continue;  // weights
      inputs += (inputs.empty() ? "" : ", ") + plan.graph.value(input).name;
    }
    list.push_back(fmt::format("{}: {}({})", kernel.name, kinds, inputs));
  }
  return list;
}

TEST(fuse, activation_joins_its_layer) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 3, 8, 8]) -> y", "  y = conv(x, filters=4, kernel=3x3, activation=relu)")),
              ElementsAre("y: conv+relu(x)"));
}

TEST(fuse, chain_of_elementwise_layers_is_one_kernel) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 3, 8, 8]) -> y",
                               "  a = relu(x)\n  b = mul(a, x)\n  c = sigmoid(b)\n  d = batch_norm(c)\n  y = sub(x, d)")),
              ElementsAre("y: relu+mul+sigmoid+mul+add+sub(x)"));
}

/// The add waits for both branches: it joins the first, which then runs behind the second.
TEST(fuse, residual_add_joins_one_branch_and_runs_behind_the_other) {
  EXPECT_THAT(
      kernels_of(fused(
          "test(x: f32[1, 4, 8, 8]) -> y",
          "  a = conv(x, filters=4, kernel=1x1)\n  b = conv(x, filters=4, kernel=3x3, padding=same)\n  y = add(a, b, activation=relu)")),
      ElementsAre("b: conv(x)", "y: conv+add+relu(x, b)"));
}

TEST(fuse, residual_add_of_the_input) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> y", "  a = conv(x, filters=4, kernel=1x1)\n  y = add(x, a, activation=relu)")),
              ElementsAre("y: conv+add+relu(x)"));
}

TEST(fuse, a_value_added_to_itself) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> y", "  a = conv(x, filters=4, kernel=1x1)\n  y = add(a, a, x)")),
              ElementsAre("y: conv+add(x)"));
}

TEST(fuse, not_across_a_value_with_two_readers) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> y",
                               "  a = conv(x, filters=4, kernel=1x1)\n  b = relu(a)\n  c = sigmoid(a)\n  y = mul(b, c)")),
              ElementsAre("a: conv(x)", "c: sigmoid(a)", "y: relu+mul(a, c)"));
}

TEST(fuse, not_across_a_result) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> a, y", "  a = conv(x, filters=4, kernel=1x1)\n  y = relu(a)")),
              ElementsAre("a: conv(x)", "y: relu(a)"));
}

/// Squeeze and excite: the factors are smaller than what they scale, so the product belongs to the larger operand.
TEST(fuse, broadcasting_layer_joins_the_operand_of_its_shape_only) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> y",
                               "  a = conv(x, filters=4, kernel=3x3, padding=same)\n  s = global_average_pool(a)\n"
                               "  t = conv(s, filters=4, kernel=1x1, activation=sigmoid)\n  y = mul(t, a)")),
              ElementsAre("a: conv(x)", "s: global_average_pool(a)", "t: conv+sigmoid(s)", "y: mul(t, a)"));
}

TEST(fuse, layers_that_are_no_epilogue_stand_alone) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 8, 8]) -> y",
                               "  a = relu(x)\n  p = max_pool(a, kernel=2)\n  f = flatten(p)\n  d = dense(f, units=3)\n  y = softmax(d)")),
              ElementsAre("a: relu(x)", "p: max_pool(a)", "f: flatten(p)", "d: dense(f)", "y: softmax(d)"));
}

TEST(fuse, each_result_of_a_layer_is_a_kernel) {
  const plan::Plan plan = fused("test(x: f32[1, 6, 4, 4]) -> y, c", "  a, b, c = split(x, axis=1, parts=3)\n  y = add(a, b)");
  EXPECT_THAT(kernels_of(plan), ElementsAre("a: split(x)", "b: split(x)", "c: split(x)", "y: add(a, b)"));
  EXPECT_EQ(plan.kernels[2].result, 2);
}

TEST(fuse, results_that_nobody_reads_have_no_kernel) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 6, 4, 4]) -> y", "  a, b, c = split(x, axis=1, parts=3)\n  y = add(a, c)")),
              ElementsAre("a: split(x)", "c: split(x)", "y: add(a, c)"));
}

/// Two chains that cross: each add takes part in one of them, and no order of kernels may close a cycle.
TEST(fuse, crossing_chains) {
  EXPECT_THAT(kernels_of(fused("test(x: f32[1, 4, 4, 4]) -> p, q",
                               "  a = conv(x, filters=4, kernel=1x1)\n  b = conv(x, filters=4, kernel=1x1)\n  c = relu(a)\n  d = relu(b)\n"
                               "  e = sigmoid(c)\n  p = add(d, e)\n  q = tanh(p)")),
              ElementsAre("d: conv+relu(x)", "p: conv+relu+sigmoid+add(x, d)", "q: tanh(p)"));
}

/// Sources have no code; a parameter that two layers read is an input of both.
TEST(fuse, parameters_are_inputs) {
  const plan::Plan plan = fused("test(x: f32[1, 3, 4, 4]) -> y",
                                "  w = parameter(f32[3, 3, 1, 1])\n  a = conv(x, w, bias=false)\n  y = conv(a, w, bias=false)");
  EXPECT_THAT(kernels_of(plan), ElementsAre("a: conv(x)", "y: conv(a)"));
  EXPECT_EQ(plan.kernels[0].input_values.at(1), plan.kernels[1].input_values.at(1));
}

TEST(fuse, the_callers_buffers_come_first_as_declared) {
  const plan::Plan plan =
      fused("test(x: u8[1, 4, 5, 3] channels_last) -> y: f32[1, 4, 5, 3] channels_last, z", "  y = cast(x, type=f32)\n  z = relu(y)");
  ASSERT_EQ(plan.inputs.size(), 1U);
  ASSERT_EQ(plan.results.size(), 2U);
  EXPECT_EQ(plan.buffer(plan.inputs[0]).layout.family, plan::Layout::Family::channels_last);
  EXPECT_EQ(plan.buffer(plan.inputs[0]).type.extents, (std::vector<std::int64_t>{1, 3, 4, 5}));
  EXPECT_EQ(plan.buffer(plan.results[0]).layout.family, plan::Layout::Family::channels_last);
  EXPECT_EQ(plan.buffer(plan.results[1]).layout.family, plan::Layout::Family::planar);
  EXPECT_EQ(plan.buffer(plan.results[1]).place.index, 1);
}

}  // namespace
}  // namespace calotype::testing
