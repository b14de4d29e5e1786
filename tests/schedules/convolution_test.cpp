/// \file
/// Convolutions, depthwise and dense layers as they are generated, against a plain loop in double: every template's edge cases (tiles that do not
/// divide, channels that are no multiple of the vector, padding on one side only, extent 1) and epilogues.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiled_model.h"
#include "plan/target.h"

namespace calotype::testing {
namespace {

/// A plain loop over the graph's ops: conv with groups and explicit weights, add, relu. Written for reading, not for speed.
struct Convolution {
  std::int64_t batch = 1, channels = 3, filters = 8, groups = 1;
  std::vector<std::int64_t> spatial = {9, 9};
  std::vector<std::int64_t> kernel = {3, 3};
  std::vector<std::int64_t> stride = {}, dilation = {}, begin = {}, end = {};  // empty: 1, 1, 0, 0

  std::int64_t at(const std::vector<std::int64_t>& list, std::size_t d, std::int64_t fallback) const {
    return list.empty() ? fallback : list[d];
  }
  std::int64_t output(std::size_t d) const {
    const std::int64_t span = (kernel[d] - 1) * at(dilation, d, 1) + 1;
    return (spatial[d] + at(begin, d, 0) + at(end, d, 0) - span) / at(stride, d, 1) + 1;
  }
};

std::string list_text(const std::vector<std::int64_t>& list) {
  std::string text = "[";
  for (std::size_t i = 0; i < list.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(list[i]);
  return text + "]";
}

std::string text_of(const Convolution& c, const std::string& epilogue, const std::string& more) {
  std::vector<std::int64_t> shape = {c.batch, c.channels};
  shape.insert(shape.end(), c.spatial.begin(), c.spatial.end());
  std::string arguments = fmt::format("filters={}, kernel={}", c.filters, list_text(c.kernel));
  if (!c.stride.empty()) arguments += ", stride=" + list_text(c.stride);
  if (!c.dilation.empty()) arguments += ", dilation=" + list_text(c.dilation);
  if (!c.begin.empty()) {
    std::vector<std::int64_t> cells = c.begin;
    cells.insert(cells.end(), c.end.begin(), c.end.end());
    arguments += ", padding=" + list_text(cells);
  }
  if (c.groups != 1) arguments += fmt::format(", groups={}", c.groups);
  return fmt::format("network test(x: f32{}) -> y {{\n  y = conv(x, {}{})\n{}}}\n", list_text(shape), arguments, epilogue, more);
}

/// Row-major position.
std::int64_t flat(const std::vector<std::int64_t>& index, const std::vector<std::int64_t>& extents) {
  std::int64_t position = 0;
  for (std::size_t i = 0; i < index.size(); ++i) position = position * extents[i] + index[i];
  return position;
}

/// Advances a row-major index; false after the last one.
bool advance(std::vector<std::int64_t>& index, const std::vector<std::int64_t>& extents) {
  for (std::size_t i = index.size(); i-- > 0;) {
    if (++index[i] < extents[i]) return true;
    index[i] = 0;
  }
  return false;
}

std::vector<double> plain_convolution(const Convolution& c, const TensorData& x, const TensorData& weight, const TensorData& bias) {
  std::vector<std::int64_t> extents = {c.batch, c.filters};
  for (std::size_t d = 0; d < c.spatial.size(); ++d) extents.push_back(c.output(d));
  const std::int64_t per_group = c.channels / c.groups;
  std::vector<double> result;
  std::vector<std::int64_t> at(extents.size(), 0);
  do {
    double sum = load_as_double(bias, at[1]);
    const std::int64_t first = at[1] / (c.filters / c.groups) * per_group;
    for (std::int64_t i = 0; i < per_group; ++i) {
      std::vector<std::int64_t> cell(c.kernel.size(), 0);
      do {
        std::vector<std::int64_t> from = {at[0], first + i};
        bool inside = true;
        for (std::size_t d = 0; d < cell.size(); ++d) {
          from.push_back(at[d + 2] * c.at(c.stride, d, 1) + cell[d] * c.at(c.dilation, d, 1) - c.at(c.begin, d, 0));
          inside = inside && from.back() >= 0 && from.back() < c.spatial[d];
        }
        std::vector<std::int64_t> weight_at = {at[1], i};
        weight_at.insert(weight_at.end(), cell.begin(), cell.end());
        if (inside) sum += load_as_double(x, flat(from, x.type.extents)) * load_as_double(weight, flat(weight_at, weight.type.extents));
      } while (advance(cell, c.kernel));
    }
    result.push_back(sum);
  } while (advance(at, extents));
  return result;
}

const Value& weight_named(const Graph& graph, const std::string& name) {
  return *std::find_if(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == name; });
}

TensorData input_of(const Convolution& c) {
  std::vector<std::int64_t> shape = {c.batch, c.channels};
  shape.insert(shape.end(), c.spatial.begin(), c.spatial.end());
  return random_tensor(shape, 7);
}

void expect_right(const Convolution& c, const std::string& schedule, double bound = 2e-6, const std::string& target = "host") {
  const std::string text = text_of(c, "", "");
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text);
  const TensorData x = input_of(c);
  // Exact: Winograd, which has a test of its own, would take some of these.
  const CompiledRun run = compile_and_run(graph, {x}, 1, target, {.exact = schedule == "direct_conv"});
  EXPECT_TRUE(std::find(run.schedules.begin(), run.schedules.end(), schedule) != run.schedules.end())
      << "expected the template " << schedule;
  const std::vector<double> expected =
      plain_convolution(c, x, weight_named(graph, "y.weight").data->read(), weight_named(graph, "y.bias").data->read());
  EXPECT_LT(relative_error(run.results[0], expected), bound);
}

TEST(direct_conv, first_layer_from_planar_data) {
  expect_right({.channels = 3, .filters = 32, .spatial = {21, 19}, .stride = {2, 2}, .begin = {1, 1}, .end = {1, 1}}, "direct_conv");
}
TEST(direct_conv, one_channel_to_few) { expect_right({.channels = 1, .filters = 6, .spatial = {12, 13}, .kernel = {5, 5}}, "direct_conv"); }
TEST(direct_conv, channels_no_multiple_of_the_vector) {
  expect_right({.channels = 19, .filters = 37, .spatial = {7, 11}, .stride = {1, 2}, .begin = {1, 1}, .end = {1, 1}}, "direct_conv");
}
TEST(direct_conv, pointwise_flattens_pixels) {
  expect_right({.channels = 40, .filters = 48, .spatial = {7, 7}, .kernel = {1, 1}}, "direct_conv");
}
TEST(direct_conv, pointwise_batch) {
  expect_right({.batch = 3, .channels = 24, .filters = 30, .spatial = {5, 3}, .kernel = {1, 1}}, "direct_conv");
}
TEST(direct_conv, pointwise_stride) {
  expect_right({.channels = 16, .filters = 32, .spatial = {9, 9}, .kernel = {1, 1}, .stride = {2, 2}}, "direct_conv");
}
TEST(direct_conv, parts_of_a_block) {
  for (const std::int64_t channels : {24, 36, 9}) {  // sums in parts of 8 and 4 of a block of 16, and in less than one block
    expect_right({.channels = channels, .filters = 40, .spatial = {9, 10}, .stride = {2, 1}, .begin = {1, 1}, .end = {1, 1}},
                 "direct_conv");
  }
}
TEST(direct_conv, first_layer_of_one_and_three_dimensions) {
  expect_right({.channels = 2, .filters = 20, .spatial = {37}, .kernel = {4}, .dilation = {3}, .begin = {9}, .end = {0}}, "direct_conv");
  expect_right(
      {.channels = 3, .filters = 8, .spatial = {3, 5, 6}, .kernel = {3, 3, 3}, .stride = {1, 2, 2}, .begin = {1, 0, 2}, .end = {1, 1, 2}},
      "direct_conv");
}
TEST(direct_conv, first_layer_smaller_than_its_padding) {
  expect_right({.channels = 3, .filters = 8, .spatial = {2, 1}, .kernel = {5, 5}, .begin = {4, 4}, .end = {4, 4}}, "direct_conv");
}
TEST(direct_conv, odd_padding_at_the_end) {
  expect_right({.channels = 16, .filters = 16, .spatial = {8, 10}, .stride = {2, 2}, .begin = {0, 0}, .end = {1, 1}}, "direct_conv");
}
TEST(direct_conv, uneven_everything) {
  expect_right({.channels = 20,
                .filters = 33,
                .spatial = {11, 14},
                .kernel = {3, 5},
                .stride = {1, 2},
                .dilation = {2, 1},
                .begin = {3, 0},
                .end = {1, 2}},
               "direct_conv");
}
TEST(direct_conv, extent_one) { expect_right({.channels = 17, .filters = 5, .spatial = {1, 1}, .kernel = {1, 1}}, "direct_conv"); }
TEST(direct_conv, one_dimension) {
  expect_right({.channels = 16, .filters = 24, .spatial = {50}, .kernel = {3}, .dilation = {4}, .begin = {8}, .end = {0}}, "direct_conv");
}
TEST(direct_conv, three_dimensions) {
  expect_right({.channels = 16, .filters = 20, .spatial = {4, 6, 7}, .kernel = {3, 3, 3}, .begin = {1, 1, 1}, .end = {1, 1, 1}},
               "direct_conv");
}
TEST(direct_conv, large_kernel_same) {
  expect_right({.channels = 3, .filters = 64, .spatial = {30, 31}, .kernel = {7, 7}, .stride = {2, 2}, .begin = {3, 3}, .end = {3, 3}},
               "direct_conv");
}

/// The last vector has the sums of a few channels in two or four parts. (Planar operands of up to two vectors of filters are narrow_conv's.)
TEST(half_block, filters_beyond_whole_vectors) {
  for (const char* target : {"host", "x86-64-linux-avx2-fma"}) {
    const std::int64_t lanes = plan::parse_target(target).lanes(4);
    for (const std::int64_t rest : {lanes / 4, lanes / 2}) {
      expect_right({.channels = 3 * lanes, .filters = 2 * lanes + rest, .spatial = {9, 14}, .kernel = {1, 1}}, "half_block", 2e-6, target);
    }
  }
}
TEST(half_block, batch_and_channels_no_multiple_of_the_parts) {
  const std::int64_t lanes = plan::host_target().lanes(4);
  expect_right({.batch = 3, .channels = 2 * lanes + 3, .filters = 2 * lanes + 1, .spatial = {5, 9}, .kernel = {1, 1}}, "half_block");
  expect_right({.channels = lanes + 1, .filters = 3 * lanes + lanes / 2 - 1, .spatial = {3, 23}, .kernel = {1, 1}}, "half_block");
}
TEST(half_block, one_and_three_dimensions) {
  const std::int64_t lanes = plan::host_target().lanes(4);
  expect_right({.channels = 2 * lanes, .filters = 2 * lanes + lanes / 2, .spatial = {50}, .kernel = {1}}, "half_block");
  expect_right({.channels = 2 * lanes, .filters = 2 * lanes + 2, .spatial = {2, 3, 14}, .kernel = {1, 1, 1}}, "half_block");
}
TEST(half_block, leaves_narrow_maps_to_the_direct_convolution) {
  const std::int64_t lanes = plan::host_target().lanes(4);
  expect_right({.channels = 2 * lanes, .filters = 2 * lanes + lanes / 2, .spatial = {50, 1}, .kernel = {1, 1}}, "direct_conv");
}

TEST(depthwise, same_padding) {
  expect_right({.channels = 32, .filters = 32, .groups = 32, .spatial = {15, 17}, .begin = {1, 1}, .end = {1, 1}}, "depthwise");
}
TEST(depthwise, stride_and_odd_channels) {
  expect_right(
      {.channels = 21, .filters = 21, .groups = 21, .spatial = {14, 9}, .kernel = {5, 5}, .stride = {2, 2}, .begin = {1, 1}, .end = {2, 2}},
      "depthwise");
}
TEST(depthwise, narrow) {
  expect_right({.channels = 16, .filters = 16, .groups = 16, .spatial = {3, 2}, .begin = {1, 1}, .end = {1, 1}}, "depthwise");
}
TEST(depthwise, one_dimension) {
  expect_right({.channels = 18, .filters = 18, .groups = 18, .spatial = {33}, .kernel = {3}, .begin = {2}, .end = {0}}, "depthwise");
}

/// For AVX2, whose blocks of 8 any machine of these tests runs, and for the host's own.
void expect_groups_right(const Convolution& c, const std::string& schedule) {
  expect_right(c, schedule, 2e-6, "x86-64-linux-avx2-fma");
  const int lanes = plan::parse_target("host").lanes(4);
  const std::int64_t group = c.channels / c.groups;
  const bool is_small = group == c.filters / c.groups && group < lanes && lanes % group == 0;
  expect_right(c, is_small ? "small_groups" : "grouped_conv");
}

TEST(grouped_conv, whole_blocks) {
  expect_groups_right({.channels = 96, .filters = 64, .groups = 2, .spatial = {9, 11}, .begin = {1, 1}, .end = {1, 1}}, "grouped_conv");
}
TEST(grouped_conv, tiles_across_groups) {  // of 24, 12 and 20 channels
  expect_groups_right({.channels = 72, .filters = 72, .groups = 3, .spatial = {10, 9}, .stride = {2, 1}, .begin = {1, 0}, .end = {0, 1}},
                      "grouped_conv");
  expect_groups_right({.channels = 60, .filters = 60, .groups = 5, .spatial = {5, 8}}, "grouped_conv");
  expect_groups_right({.batch = 2, .channels = 240, .filters = 60, .groups = 3, .spatial = {4, 7}, .kernel = {1, 1}}, "grouped_conv");
}
TEST(grouped_conv, more_filters_than_channels) {
  expect_groups_right({.channels = 18, .filters = 54, .groups = 3, .spatial = {7, 6}, .kernel = {3, 2}}, "grouped_conv");
}
TEST(grouped_conv, one_and_three_dimensions) {
  expect_groups_right(
      {.channels = 32, .filters = 48, .groups = 2, .spatial = {41}, .kernel = {5}, .dilation = {2}, .begin = {8}, .end = {0}},
      "grouped_conv");
  expect_groups_right(
      {.channels = 20, .filters = 20, .groups = 2, .spatial = {3, 5, 6}, .kernel = {2, 3, 3}, .begin = {1, 0, 1}, .end = {0, 1, 1}},
      "grouped_conv");
}
TEST(small_groups, same_padding) {
  expect_groups_right({.channels = 32, .filters = 32, .groups = 8, .spatial = {9, 23}, .begin = {1, 1}, .end = {1, 1}}, "small_groups");
}
TEST(small_groups, pairs_in_part_of_a_block) {
  expect_groups_right({.channels = 22, .filters = 22, .groups = 11, .spatial = {8, 7}, .stride = {2, 2}, .begin = {0, 1}, .end = {1, 0}},
                      "small_groups");
}
TEST(small_groups, eights) {
  expect_groups_right({.batch = 2, .channels = 24, .filters = 24, .groups = 3, .spatial = {5, 6}, .stride = {1, 2}}, "grouped_conv");
}
TEST(small_groups, one_and_three_dimensions) {
  expect_groups_right(
      {.channels = 12, .filters = 12, .groups = 3, .spatial = {30}, .kernel = {9}, .dilation = {2}, .begin = {3}, .end = {16}},
      "small_groups");
  expect_groups_right(
      {.channels = 8, .filters = 8, .groups = 2, .spatial = {4, 3, 5}, .kernel = {3, 1, 2}, .begin = {1, 0, 0}, .end = {1, 0, 1}},
      "small_groups");
}
TEST(small_groups, blocks_of_four) {
  expect_right({.channels = 8, .filters = 8, .groups = 4, .spatial = {6, 5}, .begin = {1, 1}, .end = {1, 1}}, "small_groups", 2e-6,
               "x86-64-linux-sse41");
}

TEST(generic, groups_of_three) {
  expect_right({.channels = 12, .filters = 12, .groups = 4, .spatial = {9, 7}, .begin = {1, 1}, .end = {1, 1}}, "generic");
}
TEST(generic, depthwise_multiplier) {
  expect_right({.channels = 5, .filters = 10, .groups = 5, .spatial = {9, 20}, .begin = {1, 0}, .end = {0, 1}}, "generic");
}

/// relu(conv(x) + x), and the same bits at any thread count.
TEST(epilogue, residual_and_activation) {
  const Convolution c{.channels = 35, .filters = 35, .spatial = {20, 23}, .begin = {1, 1}, .end = {1, 1}};
  const std::string text =
      "network test(x: f32[1, 35, 20, 23]) -> z {\n  y = conv(x, filters=35, kernel=3x3, padding=1)\n  z = add(y, x, activation=relu)\n}\n";
  const Graph graph = graph_of(text);
  const TensorData x = input_of(c);
  const CompiledRun run = compile_and_run(graph, {x});
  std::vector<double> expected =
      plain_convolution(c, x, weight_named(graph, "y.weight").data->read(), weight_named(graph, "y.bias").data->read());
  for (std::size_t i = 0; i < expected.size(); ++i)
    expected[i] = std::max(0.0, expected[i] + load_as_double(x, static_cast<std::int64_t>(i)));
  EXPECT_LT(relative_error(run.results[0], expected), 2e-5);
  for (const int threads : {2, 4}) {
    const CompiledRun other = compile_and_run(graph, {x}, threads);
    EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin()));
  }
}

/// The same where the last vector holds parts of the sums, through an activation that makes something of zero and into a layer that reads pad lanes.
TEST(epilogue, half_block) {
  const Convolution first{.channels = 32, .filters = 24, .spatial = {20, 14}, .kernel = {1, 1}};
  const std::string text =
      "network test(x: f32[1, 32, 20, 14], b: f32[1, 24, 20, 14]) -> z {\n  y = conv(x, filters=24, kernel=1)\n"
      "  s = add(y, b, activation=sigmoid)\n  z = conv(s, filters=40, kernel=1)\n}\n";
  const Graph graph = graph_of(text);
  const TensorData x = input_of(first), b = random_tensor({1, 24, 20, 14}, 5);
  const CompiledRun run = compile_and_run(graph, {x, b});
  std::vector<double> middle =
      plain_convolution(first, x, weight_named(graph, "y.weight").data->read(), weight_named(graph, "y.bias").data->read());
  std::vector<float> activated;
  for (std::size_t i = 0; i < middle.size(); ++i)
    activated.push_back(static_cast<float>(1.0 / (1.0 + std::exp(-(middle[i] + load_as_double(b, static_cast<std::int64_t>(i)))))));
  const Convolution second{.channels = 24, .filters = 40, .spatial = {20, 14}, .kernel = {1, 1}};
  const TensorData between = own({ElementType::f32, {1, 24, 20, 14}}, std::move(activated));
  const std::vector<double> expected =
      plain_convolution(second, between, weight_named(graph, "z.weight").data->read(), weight_named(graph, "z.bias").data->read());
  EXPECT_LT(relative_error(run.results[0], expected), 3e-6);
  for (const int threads : {2, 4}) {
    const CompiledRun other = compile_and_run(graph, {x, b}, threads);
    EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin()));
  }
}

/// A row that broadcasts along the last axis follows a convolution whose pixels could be walked as one dimension.
TEST(epilogue, row_after_pointwise) {
  const Convolution c{.channels = 16, .filters = 20, .spatial = {6, 5}, .kernel = {1, 1}};
  const Graph graph =
      graph_of("network test(x: f32[1, 16, 6, 5], row: f32[5]) -> z {\n  y = conv(x, filters=20, kernel=1x1)\n  z = add(y, row)\n}\n");
  const TensorData x = input_of(c);
  const TensorData row = random_tensor({5}, 11);
  const CompiledRun run = compile_and_run(graph, {x, row});
  std::vector<double> expected =
      plain_convolution(c, x, weight_named(graph, "y.weight").data->read(), weight_named(graph, "y.bias").data->read());
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += load_as_double(row, static_cast<std::int64_t>(i % 5));
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
}

/// An activation that makes something of zero must not leak into pad lanes: the second layer would read it.
TEST(epilogue, pad_lanes_stay_zero) {
  const Convolution first{.channels = 3, .filters = 5, .spatial = {6, 6}};
  const Convolution second{.channels = 5, .filters = 7, .spatial = {4, 4}, .kernel = {1, 1}};
  const std::string text =
      "network test(x: f32[1, 3, 6, 6]) -> y {\n  a = conv(x, filters=5, kernel=3x3, activation=sigmoid)\n  y = conv(filters=7, "
      "kernel=1x1)\n}\n";
  const Graph graph = graph_of(text);
  const TensorData x = input_of(first);
  const CompiledRun run = compile_and_run(graph, {x});
  std::vector<double> middle =
      plain_convolution(first, x, weight_named(graph, "a.weight").data->read(), weight_named(graph, "a.bias").data->read());
  std::vector<float> activated;
  for (const double number : middle) activated.push_back(static_cast<float>(1.0 / (1.0 + std::exp(-number))));
  const TensorData between = own({ElementType::f32, {1, 5, 4, 4}}, std::move(activated));
  const std::vector<double> expected =
      plain_convolution(second, between, weight_named(graph, "y.weight").data->read(), weight_named(graph, "y.bias").data->read());
  EXPECT_LT(relative_error(run.results[0], expected), 3e-6);
}

/// y[r, u] = bias[u] + sum over k of weight[u, k] x[r, k].
void expect_dense_right(std::int64_t rows, std::int64_t inputs, std::int64_t units) {
  const Graph graph = graph_of(fmt::format("network test(x: f32[{}, {}]) -> y {{\n  y = dense(x, units={})\n}}\n", rows, inputs, units));
  const TensorData x = random_tensor({rows, inputs}, 3);
  const CompiledRun run = compile_and_run(graph, {x});
  const TensorData weight = weight_named(graph, "y.weight").data->read();
  const TensorData bias = weight_named(graph, "y.bias").data->read();
  std::vector<double> expected;
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t u = 0; u < units; ++u) {
      double sum = load_as_double(bias, u);
      for (std::int64_t k = 0; k < inputs; ++k) sum += load_as_double(weight, u * inputs + k) * load_as_double(x, r * inputs + k);
      expected.push_back(sum);
    }
  }
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6) << rows << " rows, " << inputs << " inputs, " << units << " units";
  EXPECT_EQ(run.schedules.back(), "dense");
}

/// Steps of a sequence with a batch of one: rows, like any others.
TEST(dense, rows_outside_of_a_dimension_of_one) {
  const TensorData x = random_tensor({2, 9, 1, 31}, 3);
  const Graph graph = graph_of("network test(x: f32[2, 9, 1, 31]) -> y {\n  y = dense(x, units=37)\n}\n");
  const CompiledRun run = compile_and_run(graph, {x});
  const TensorData weight = weight_named(graph, "y.weight").data->read(), bias = weight_named(graph, "y.bias").data->read();
  std::vector<double> expected;
  for (std::int64_t r = 0; r < 18; ++r) {
    for (std::int64_t u = 0; u < 37; ++u) {
      double sum = load_as_double(bias, u);
      for (std::int64_t k = 0; k < 31; ++k) sum += load_as_double(weight, u * 31 + k) * load_as_double(x, r * 31 + k);
      expected.push_back(sum);
    }
  }
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
  EXPECT_GT(run.parameters.back().at("rows"), 1);
}

TEST(dense, one_row) { expect_dense_right(1, 400, 120); }
TEST(dense, one_unit) { expect_dense_right(1, 7, 1); }
TEST(dense, ten_units) { expect_dense_right(1, 84, 10); }
TEST(dense, prime_everything) { expect_dense_right(13, 31, 37); }
TEST(dense, many_rows) { expect_dense_right(32, 64, 256); }

}  // namespace
}  // namespace calotype::testing
