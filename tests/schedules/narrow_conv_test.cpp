/// \file
/// Convolutions of few channels as they are generated, against a plain loop in double, on several instruction sets: rows that tiles do not divide,
/// strides, dilations, padding on one side, one to three dimensions, batches, epilogues, and when the template is taken at all.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

/// A convolution with explicit padding; extents of one to three spatial dimensions, outermost first.
struct Case {
  std::int64_t batch = 1, channels = 1, filters = 6;
  std::vector<std::int64_t> spatial = {}, kernel = {}, stride = {}, dilation = {}, begin = {}, end = {};
};

std::string list_text(const std::vector<std::int64_t>& list) { return fmt::format("[{}]", fmt::join(list, ", ")); }

std::vector<std::int64_t> input_shape(const Case& c) {
  std::vector<std::int64_t> shape = {c.batch, c.channels};
  shape.insert(shape.end(), c.spatial.begin(), c.spatial.end());
  return shape;
}

/// Without what is given, ones and zeros.
Case completed(Case c) {
  const std::size_t rank = c.spatial.size();
  for (auto* list : {&c.stride, &c.dilation}) {
    if (list->empty()) list->assign(rank, 1);
  }
  for (auto* list : {&c.begin, &c.end}) {
    if (list->empty()) list->assign(rank, 0);
  }
  // The loops below know three dimensions.
  while (c.spatial.size() < 3) {
    for (auto* list : {&c.spatial, &c.kernel, &c.stride, &c.dilation}) list->insert(list->begin(), 1);
    for (auto* list : {&c.begin, &c.end}) list->insert(list->begin(), 0);
  }
  return c;
}

std::string call_text(const Case& c, const std::string& operand) {
  std::string text = fmt::format("conv({}, filters={}, kernel={}", operand, c.filters, list_text(c.kernel));
  if (!c.stride.empty()) text += ", stride=" + list_text(c.stride);
  if (!c.dilation.empty()) text += ", dilation=" + list_text(c.dilation);
  if (!c.begin.empty()) {
    std::vector<std::int64_t> cells = c.begin;
    cells.insert(cells.end(), c.end.begin(), c.end.end());
    text += ", padding=" + list_text(cells);
  }
  return text + ")";
}

/// Batch, filters, z, y, x.
std::vector<double> plain_loop(const Case& given, const std::vector<double>& x, const TensorData& weight, const TensorData& bias) {
  const Case c = completed(given);
  std::vector<std::int64_t> out;
  for (std::size_t d = 0; d < 3; ++d) {
    out.push_back((c.spatial[d] + c.begin[d] + c.end[d] - (c.kernel[d] - 1) * c.dilation[d] - 1) / c.stride[d] + 1);
  }
  std::vector<double> result;
  for (std::int64_t n = 0; n < c.batch; ++n)
    for (std::int64_t o = 0; o < c.filters; ++o)
      for (std::int64_t z = 0; z < out[0]; ++z)
        for (std::int64_t y = 0; y < out[1]; ++y)
          for (std::int64_t p = 0; p < out[2]; ++p) {
            double sum = load_as_double(bias, o);
            for (std::int64_t i = 0; i < c.channels; ++i)
              for (std::int64_t kz = 0; kz < c.kernel[0]; ++kz)
                for (std::int64_t ky = 0; ky < c.kernel[1]; ++ky)
                  for (std::int64_t kx = 0; kx < c.kernel[2]; ++kx) {
                    const std::int64_t az = z * c.stride[0] + kz * c.dilation[0] - c.begin[0];
                    const std::int64_t ay = y * c.stride[1] + ky * c.dilation[1] - c.begin[1];
                    const std::int64_t ax = p * c.stride[2] + kx * c.dilation[2] - c.begin[2];
                    if (az < 0 || ay < 0 || ax < 0 || az >= c.spatial[0] || ay >= c.spatial[1] || ax >= c.spatial[2]) continue;
                    const std::int64_t from = (((n * c.channels + i) * c.spatial[0] + az) * c.spatial[1] + ay) * c.spatial[2] + ax;
                    const std::int64_t by = (((o * c.channels + i) * c.kernel[0] + kz) * c.kernel[1] + ky) * c.kernel[2] + kx;
                    sum += x[static_cast<std::size_t>(from)] * load_as_double(weight, by);
                  }
            result.push_back(sum);
          }
  return result;
}

std::vector<double> numbers_of(const TensorData& data) {
  std::vector<double> numbers;
  for (std::int64_t i = 0; i < data.type.elements(); ++i) numbers.push_back(load_as_double(data, i));
  return numbers;
}

TensorData weight_named(const Graph& graph, const std::string& name) {
  return std::find_if(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == name; })->data->read();
}

std::vector<double> plain_layer(const Case& c, const std::vector<double>& x, const Graph& graph, const std::string& name) {
  return plain_loop(c, x, weight_named(graph, name + ".weight"), weight_named(graph, name + ".bias"));
}

bool ran(const CompiledRun& run, const std::string& schedule) {
  return std::find(run.schedules.begin(), run.schedules.end(), schedule) != run.schedules.end();
}

constexpr const char* sse41 = "x86-64-linux-sse41";
constexpr const char* avx2 = "x86-64-linux-avx-avx2-f16c-fma-sse41";

void expect_right(const Case& c, const std::vector<std::string>& targets = {"host", avx2, sse41}) {
  const std::string text = fmt::format("network test(x: f32{}) -> y {{\n  y = {}\n}}\n", list_text(input_shape(c)), call_text(c, "x"));
  const Graph graph = graph_of(text);
  const TensorData x = random_tensor(input_shape(c), 7);
  const std::vector<double> expected = plain_layer(c, numbers_of(x), graph, "y");
  for (const std::string& target : targets) {
    SCOPED_TRACE(text + target);
    const CompiledRun run = compile_and_run(graph, {x}, 1, target);
    EXPECT_TRUE(target == "host" || ran(run, "narrow_conv"));  // the host's vectors may be of any width
    EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
  }
}

TEST(narrow_conv, one_channel_to_six) { expect_right({.spatial = {32, 32}, .kernel = {5, 5}}, {"host", avx2}); }
TEST(narrow_conv, rows_that_vectors_do_not_divide) {
  expect_right({.channels = 2, .filters = 3, .spatial = {7, 41}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}});
}
TEST(narrow_conv, padding_at_one_side) {
  expect_right({.channels = 3, .filters = 5, .spatial = {9, 37}, .kernel = {2, 4}, .begin = {0, 3}, .end = {1, 0}}, {"host", avx2});
}
TEST(narrow_conv, stride_of_two) {
  expect_right({.channels = 3, .filters = 6, .spatial = {21, 75}, .kernel = {3, 3}, .stride = {2, 2}, .begin = {1, 1}, .end = {1, 0}},
               {"host"});
}
TEST(narrow_conv, stride_along_columns) {
  expect_right({.channels = 2, .filters = 2, .spatial = {16, 33}, .kernel = {5, 1}, .stride = {3, 1}, .begin = {2, 0}, .end = {2, 0}});
}
TEST(narrow_conv, causal_audio) {
  for (const std::int64_t dilation : {1, 16, 97}) {
    expect_right(
        {.channels = 12, .filters = 12, .spatial = {300}, .kernel = {3}, .dilation = {dilation}, .begin = {2 * dilation}, .end = {0}},
        {"host"});
  }
}
TEST(narrow_conv, tasks_of_one_long_row) {
  expect_right({.channels = 12, .filters = 12, .spatial = {2085}, .kernel = {5}, .begin = {4}, .end = {0}}, {"host"});
}
TEST(narrow_conv, more_filters_than_a_tile) {
  expect_right({.channels = 5, .filters = 19, .spatial = {83}, .kernel = {3}, .begin = {1}, .end = {1}}, {"host"});
}
TEST(narrow_conv, one_filter) {
  expect_right({.channels = 7, .filters = 1, .spatial = {19, 50}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}});
}
TEST(narrow_conv, pointwise_walks_pixels_as_one_row) {
  expect_right({.batch = 2, .channels = 3, .filters = 7, .spatial = {5, 9}, .kernel = {1, 1}}, {"host"});
}
TEST(narrow_conv, batch) {
  expect_right({.batch = 3, .channels = 2, .filters = 4, .spatial = {6, 35}, .kernel = {3, 2}, .dilation = {2, 3}}, {"host", avx2});
}
TEST(narrow_conv, three_dimensions) {
  expect_right({.channels = 2, .filters = 5, .spatial = {5, 6, 35}, .kernel = {3, 2, 3}, .begin = {1, 0, 1}, .end = {1, 1, 1}},
               {"host", avx2});
}
TEST(narrow_conv, kernel_longer_than_what_is_unrolled) {
  expect_right({.channels = 2, .filters = 6, .spatial = {150}, .kernel = {63}, .begin = {31}, .end = {31}}, {"host", sse41});
}

/// tanh(conv(x)) * sigmoid(conv(x)) and a 1x1 convolution added to x: a stage of WaveNet stays planar from end to end.
TEST(narrow_conv, gated_stage_has_no_copies) {
  const Case gate{.channels = 5, .filters = 5, .spatial = {290}, .kernel = {3}, .dilation = {8}, .begin = {16}, .end = {0}};
  const Case mix{.channels = 5, .filters = 5, .spatial = {290}, .kernel = {1}};
  const std::string text = fmt::format(
      "network test(x: f32[1, 5, 290]) -> y {{\n  pre = {}\n  a = {}\n  at = tanh()\n  b = {}\n  bs = sigmoid()\n  g = mul(at, bs)\n  m = "
      "{}\n"
      "  y = add(m, pre)\n}}\n",
      call_text(mix, "x"), call_text(gate, "pre"), call_text(gate, "pre"), call_text(mix, "g"));
  const Graph graph = graph_of(text);
  const TensorData x = random_tensor({1, 5, 290}, 5);
  const std::vector<double> pre = plain_layer(mix, numbers_of(x), graph, "pre");
  const std::vector<double> a = plain_layer(gate, pre, graph, "a");
  const std::vector<double> b = plain_layer(gate, pre, graph, "b");
  std::vector<double> gated;
  for (std::size_t i = 0; i < a.size(); ++i) gated.push_back(std::tanh(a[i]) / (1 + std::exp(-b[i])));
  std::vector<double> expected = plain_layer(mix, gated, graph, "m");
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += pre[i];
  const CompiledRun run = compile_and_run(graph, {x});
  EXPECT_LT(relative_error(run.results[0], expected), 3e-6);
  EXPECT_EQ(run.schedules, std::vector<std::string>(run.schedules.size(), "narrow_conv"));
  for (const int threads : {2, 3}) {
    const CompiledRun other = compile_and_run(graph, {x}, threads);
    EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin()));
  }
}

/// Channel blocks waste nothing here, or rows are shorter than a vector.
TEST(narrow_conv, leaves_full_blocks_alone) {
  for (const Case& c : {Case{.channels = 3, .filters = 32, .spatial = {20, 40}, .kernel = {3, 3}},
                        Case{.channels = 3, .filters = 6, .spatial = {3, 3}, .kernel = {2, 2}}}) {
    const Graph graph =
        graph_of(fmt::format("network test(x: f32{}) -> y {{\n  y = {}\n}}\n", list_text(input_shape(c)), call_text(c, "x")));
    const TensorData x = random_tensor(input_shape(c), 7);
    const CompiledRun run = compile_and_run(graph, {x}, 1, avx2);
    EXPECT_FALSE(ran(run, "narrow_conv"));
    EXPECT_LT(relative_error(run.results[0], plain_layer(c, numbers_of(x), graph, "y")), 2e-6);
  }
}

}  // namespace
}  // namespace calotype::testing
