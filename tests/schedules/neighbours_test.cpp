/// \file
/// Layers between convolutions, where operands lie in channel blocks with pad lanes and halos, and where layers fuse: the compiled network against
/// its definitions, evaluated one after the other without any schedule. (That each definition is right, tests/layers shows.)
#include <Halide.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>

#include "compiled_model.h"
#include "layers/definition.h"
#include "passes/passes.h"
#include "tests/layers/layer_harness.h"

namespace calotype::testing {
namespace {

Halide::Buffer<> buffer_of(const TensorData& data) {
  std::vector<int> sizes;
  for (const std::int64_t extent : layers::storage_order(data.type.extents)) sizes.push_back(static_cast<int>(extent));
  Halide::Buffer<> buffer(layers::halide_type(data.type.element), sizes);
  if (!data.bytes.empty()) std::memcpy(buffer.data(), data.bytes.data(), data.bytes.size());
  return buffer;
}

/// The numbers of every value, op by op.
std::vector<TensorData> interpret(Graph graph, const std::vector<TensorData>& inputs) {
  passes::expand_activations(graph);
  std::vector<TensorData> values(graph.values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (graph.values[i].data) values[i] = graph.values[i].data->read();
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) values[static_cast<std::size_t>(graph.inputs[i].value)] = inputs[i];
  for (const Op& op : graph.ops) {
    const layers::Layer& layer = *layers::find_layer(op.kind);
    if (layer.traits.is_source) continue;
    const layers::Call call(layer, graph, op);
    std::vector<layers::Tensor> operands;
    for (const ValueId id : op.operands) {
      operands.emplace_back();
      if (id == no_value) continue;
      const Halide::Buffer<> buffer = buffer_of(values[static_cast<std::size_t>(id)]);
      operands.back() = {graph.value(id).type, [buffer](const layers::Index& index) { return buffer(layers::storage_order(index)); }};
    }
    for (int r = 0; r < call.result_count(); ++r) {
      const TensorType& type = call.result(r);
      const std::vector<Halide::Var> variables = layers::index_variables(type.rank());
      layers::Stages stages;
      Halide::Func y("y");
      y(layers::storage_order(variables)) =
          layers::find_definition(op.kind)->define(call, operands, {variables.begin(), variables.end()}, stages, r);
      for (Halide::Func& stage : stages.accumulators) stage.compute_root();
      for (Halide::Func& stage : stages.shared) stage.compute_root();
      std::vector<std::byte> bytes(static_cast<std::size_t>(type.bytes()));
      TensorData result = own(TensorType{ElementType::u8, {type.bytes()}}, std::move(bytes));
      result.type = type;
      Halide::Buffer<> buffer = buffer_of(result);
      if (type.elements() > 0) y.realize(Halide::Pipeline::RealizationArg(buffer));
      auto copied = std::make_shared<std::vector<std::byte>>(result.bytes.size());
      if (!copied->empty()) std::memcpy(copied->data(), buffer.data(), copied->size());
      values[static_cast<std::size_t>(op.results[static_cast<std::size_t>(r)])] = {type, std::span<const std::byte>(*copied), copied};
    }
  }
  std::vector<TensorData> results;
  for (const GraphResult& result : graph.results) results.push_back(values[static_cast<std::size_t>(result.value)]);
  return results;
}

struct Case {
  std::string name;
  std::string statements;  ///< of a and b, [2, 19, 7, 6] each, give y
  std::string after = "z = conv(y, filters=5, kernel=3, padding=1, activation=relu)";
  double tolerance = 1e-5;  ///< more where numbers are rounded to a coarse type
};

std::ostream& operator<<(std::ostream& stream, const Case& value) { return stream << value.statements; }

class neighbours : public ::testing::TestWithParam<Case> {};

TEST_P(neighbours, compiled_agrees_with_definitions) {
  const std::string text = fmt::format(R"(network test(x: f32[2, 3, 7, 6]) -> z, y {{
  a = conv(x, filters=19, kernel=3, padding=1)
  b = conv(x, filters=19, kernel=1, bias=false)
  {}
  {}
}}
)",
                                       GetParam().statements, GetParam().after);
  SCOPED_TRACE(text);
  try {
    const TensorData x = random_tensor({2, 3, 7, 6}, 5);
    const Graph with_both = graph_of(text);
    const std::vector<TensorData> expected = interpret(with_both, {x});
    const CompiledRun both = compile_and_run(with_both, {x}, 2, "x86-64-linux-sse41");
    ASSERT_EQ(both.results.size(), 2u);
    EXPECT_EQ(difference(both.results[0], expected[0], GetParam().tolerance), "") << "z";
    EXPECT_EQ(difference(both.results[1], expected[1], GetParam().tolerance), "") << "y";
    // Where nobody asks for y, it may fuse and lie as it likes.
    std::string source = text;
    source.replace(source.find("z, y"), 4, "z");
    const CompiledRun fused = compile_and_run(graph_of(source), {x}, 2);
    EXPECT_EQ(difference(fused.results.at(0), expected[0], GetParam().tolerance), "") << "z alone";
  } catch (const Failure& failure) {
    FAIL() << render(failure);
  }
}

const std::vector<Case> cases = {
    {"prelu", "y = prelu(a)"},
    {"prelu_shared", "y = prelu(a, shared=true)"},
    {"mish", "y = mish(a)"},
    {"chain", "c = gelu(a)\n  d = add(c, b, activation=silu)\n  y = mul(d, c)"},
    {"residual", "y = add(a, b, activation=relu)"},
    {"residual_of_itself", "y = add(a, a)"},
    {"three_operands", "c = conv(x, filters=19, kernel=3, padding=1)\n  y = max(a, b, c)"},
    {"channel_vector", "v = parameter(f32[19, 1, 1])\n  y = mul(a, v)"},
    {"channel_vector_first", "v = parameter(f32[19, 1, 1])\n  y = sub(v, a)"},
    {"scalar_first", "s = constant(2.5)\n  y = sub(s, a)"},
    {"row", "v = parameter(f32[6])\n  y = add(a, v)"},
    {"plane_without_channels", "v = parameter(f32[7, 6])\n  y = add(v, a)"},
    {"one_channel_times_many", "m = conv(x, filters=1, kernel=1)\n  y = mul(m, a)"},
    {"many_channels_times_one", "m = conv(x, filters=1, kernel=1)\n  y = mul(a, m)"},
    {"whole_operand", "v = parameter(f32[2, 19, 7, 6])\n  y = add(a, v)"},
    {"squeeze_and_excite",
     "s = global_average_pool(a)\n  t = conv(s, filters=4, kernel=1, activation=silu)\n  u = conv(t, filters=19, kernel=1, "
     "activation=sigmoid)\n  y = mul(a, u)"},
    {"squeeze_and_excite_by_reduction",
     "s = reduce_mean(a, axes=[2, 3])\n  t = conv(s, filters=19, kernel=1, activation=hard_sigmoid)\n  y = mul(t, a)"},
    {"concat", "y = concat(a, b)"},
    {"concat_of_rows", "y = concat(a, b, axis=2)"},
    {"concat_of_itself", "y = concat(a, x, a)"},
    {"concat_of_activations", "c = relu(a)\n  d = tanh(b)\n  y = concat(c, d, a)"},
    {"split", "c, d = split(a, axis=1, parts=[6, 13])\n  y = concat(d, c)"},
    {"split_of_rows", "c, d, e = split(a, axis=3, parts=3)\n  y = add(c, e, d)"},
    {"slice_of_channels", "y = slice(a, begin=3, end=17, axes=1)"},
    {"slice_of_pixels", "y = slice(a, begin=[6, 0], end=[0, 6], step=[-2, 1], axes=[2, 3])"},
    {"pad", "y = pad(a, amount=[1, 0, 2, 3], value=1.5)"},
    {"pad_reflect", "y = pad(a, amount=2, mode=reflect)"},
    {"pad_edge", "y = pad(a, amount=[0, 2, 1, 0], mode=edge)"},
    {"pad_channels", "y = pad(a, amount=[0, 1, 0, 0, 0, 2, 0, 0])"},
    {"resize_nearest", "y = resize(a, scale=2)"},
    {"resize_linear", "y = resize(a, size=11x5, mode=linear)"},
    {"resize_then_add", "p = max_pool(a, kernel=2)\n  q = resize(p, size=7x6)\n  y = add(q, b)"},
    {"depth_to_space", "c = slice(a, begin=0, end=16, axes=1)\n  y = depth_to_space(c, block=2)"},
    {"space_to_depth", "c = pad(a, amount=[0, 0, 1, 0])\n  y = space_to_depth(c, block=2)"},
    {"transpose", "y = transpose(a, order=[0, 3, 1, 2])"},
    {"shuffle",
     "c = slice(a, begin=0, end=18, axes=1)\n  d = reshape(c, shape=[2, 3, 6, 7, 6])\n  e = transpose(d, order=[0, 2, 1, 3, 4])\n  y = "
     "reshape(e, shape=[2, 18, 7, 6])"},
    {"flatten", "y = flatten(a)", "z = dense(y, units=7)"},
    {"reshape_to_sequence", "y = reshape(a, shape=[2, 19, 42])", "z = conv(y, filters=5, kernel=3)"},
    {"squeeze", "c = reduce_max(a, axes=3)\n  y = squeeze(c, axes=3)", "z = conv(y, filters=5, kernel=3)"},
    {"reduce_channels", "y = reduce_mean(a, axes=1)"},
    {"reduce_all", "c = reduce_max(a)\n  y = sub(a, c)"},
    {"reduce_without_dims", "c = reduce_sum(a, axes=[0, 1], keep_dims=false)\n  y = mul(a, c)"},
    {"dropout", "y = dropout(a)"},
    {"identity_of_input", "y = identity(x)"},
    {"cast_and_back", "k = constant(40)\n  c = mul(a, k)\n  d = cast(c, type=i8)\n  y = cast(d, type=f32)",
     "z = conv(y, filters=5, kernel=3)", 0.05},
    {"half", "c = cast(a, type=f16)\n  d = add(c, c)\n  y = cast(d, type=f32)", "z = conv(y, filters=5, kernel=3)", 2e-3},
};

INSTANTIATE_TEST_SUITE_P(layers, neighbours, ::testing::ValuesIn(cases), [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace calotype::testing
