/// \file
/// The plan of the toy model, as the passes would have made it.
#include "toy_model.h"

#include <cstring>
#include <stdexcept>

#include "command.h"

namespace calotype::codegen {
namespace {

constexpr int channels = 3, rows = 4, columns = 5;
constexpr float weights[channels] = {2, -1, 0.5f};

}  // namespace

plan::Plan toy_plan() {
  using Kind = plan::Place::Kind;
  plan::Plan plan;
  Graph& graph = plan.graph;
  graph.name = "toy";
  const TensorType image{ElementType::f32, {1, channels, rows, columns}};
  const TensorType scale{ElementType::f32, {channels}};
  const auto value = [&](const char* name, const TensorType& type, Value::Origin origin) {
    Value made;
    made.name = name;
    made.type = type;
    made.typed = true;
    made.origin = origin;
    return add_value(graph, made);
  };
  const ValueId x = value("x", image, Value::Origin::input);
  const ValueId scales = value("scale", scale, Value::Origin::weight);
  const ValueId y = value("y", image, Value::Origin::op);
  graph.value(scales).data = own<float>(scale, {weights, weights + channels});
  graph.ops.push_back({"y", "window", {x, scales}, {y}, {}});
  graph.value(y).producer = 0;
  graph.inputs.push_back({x, {}});
  graph.results.push_back({"y", y});

  const auto buffer = [&](const char* name, const TensorType& type, plan::Layout layout, plan::Place place, ValueId of) {
    plan::Buffer made;
    made.name = name;
    made.type = type;
    made.layout = std::move(layout);
    made.place = place;
    made.value = of;
    plan.buffers.push_back(std::move(made));
    return static_cast<plan::BufferId>(plan.buffers.size()) - 1;
  };
  const plan::BufferId given = buffer("x", image, {}, {Kind::input, 0, 0}, x);
  const plan::Layout blocked{plan::Layout::Family::blocked, 4, {1, 1}, {1, 2}};
  const plan::BufferId padded = buffer("x padded", image, blocked, {Kind::arena, 0, 64}, x);
  const plan::BufferId weight = buffer("scale", scale, {}, {Kind::weights, 0, 128}, scales);
  const plan::BufferId result = buffer("y", image, {}, {Kind::result, 0, 0}, y);

  const auto kernel = [&](const char* symbol, std::vector<OpId> ops, std::vector<plan::BufferId> inputs, plan::BufferId output,
                          std::int64_t scratch) {
    plan::Kernel made;
    made.name = symbol;
    made.symbol = symbol;
    made.ops = std::move(ops);
    made.inputs = std::move(inputs);
    made.output = output;
    made.schedule = "by hand";
    made.scratch_bytes = scratch;
    plan.kernels.push_back(std::move(made));
  };
  kernel("toy_pad", {}, {given}, padded, 0);
  kernel("toy_window", {0}, {padded, weight}, result, 512);
  using Step = plan::Step::Kind;
  plan.steps = {{Step::zero_halo, padded}, {Step::kernel, 0}, {Step::kernel, 1}};
  plan.inputs = {given};
  plan.results = {result};
  plan.arena_bytes = 64 + plan.buffer(padded).bytes() + 64;
  plan.weight_bytes = 192;
  plan.scratch_bytes = 512;
  return plan;
}

Objects toy_objects(const std::string& prefix, int factor) {
  const TestFolder folder;
  const std::string object = (folder / "kernels.o").string();
  const std::string names = " -Dtoy_pad=" + prefix + "toy_pad -Dtoy_window=" + prefix + "toy_window -DFACTOR=" + std::to_string(factor);
  const CommandResult compiled =
      run_command(std::string(CALOTYPE_C_COMPILER) + " -std=c11 -O1 -fPIC -c " CALOTYPE_TEST_DATA "/toy_kernels.c -o " + object + names);
  if (compiled.status != 0) throw std::runtime_error(compiled.output);
  const std::string text = read_text(object);
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return {{{prefix + "toy_pad and toy_window", std::move(bytes), 512}}};
}

Library toy_library(const std::filesystem::path& directory, const std::string& name) {
  return {name, name, directory, plan::parse_target("x86-64-linux"), WeightStorage::embedded};
}

std::vector<float> toy_answer(const std::vector<float>& x) {
  std::vector<float> y(x.size());
  for (int channel = 0; channel < channels; ++channel) {
    for (int row = 0; row < rows; ++row) {
      for (int column = 0; column < columns; ++column) {
        float sum = 0;
        for (int i = row - 1; i <= row + 1; ++i) {
          for (int j = column - 1; j <= column + 1; ++j) {
            if (i >= 0 && i < rows && j >= 0 && j < columns) sum += x[static_cast<std::size_t>((channel * rows + i) * columns + j)];
          }
        }
        y[static_cast<std::size_t>((channel * rows + row) * columns + column)] = sum * weights[channel];
      }
    }
  }
  return y;
}

std::vector<float> toy_input() {
  std::vector<float> x(channels * rows * columns);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 37 % 23) - 11;  // sums are exact
  return x;
}

}  // namespace calotype::codegen
