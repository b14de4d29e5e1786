/// \file
/// Merged kernels (depthwise and 1x1 convolutions, with the convolution before them) as they are generated, against plain loops in double: bands of
/// rows, edges, strides, channels that fill no whole vectors, batches, residual additions, threads; and which networks get them unasked.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "commands/pipeline.h"
#include "compiled_model.h"

namespace calotype::testing {
namespace {

constexpr double bound = 3e-6;

/// A value [n, c, y, x] in row-major order.
struct Map {
  std::int64_t batch = 1, channels = 1, rows = 1, columns = 1;
  std::vector<double> numbers = {};

  double at(std::int64_t n, std::int64_t c, std::int64_t y, std::int64_t x) const {
    if (y < 0 || y >= rows || x < 0 || x >= columns) return 0;
    return numbers[static_cast<std::size_t>(((n * channels + c) * rows + y) * columns + x)];
  }
};

/// A convolution of planes: `groups` is 1 or the channels.
struct Convolution {
  std::int64_t filters = 1, kernel = 1, stride = 1, begin = 0, end = 0, dilation = 1;
  bool depthwise = false;
};

TensorData weight_named(const Graph& graph, const std::string& name) {
  const auto has_name = [&](const Value& value) { return value.name == name; };
  return std::find_if(graph.values.begin(), graph.values.end(), has_name)->data->read();
}

/// The convolution by its definition, clamped to [0, 6] if asked for.
Map convolve(const Graph& graph, const std::string& name, const Map& x, const Convolution& c, bool relu6) {
  const TensorData weight = weight_named(graph, name + ".weight"), bias = weight_named(graph, name + ".bias");
  const auto extent = [&](std::int64_t cells) { return (cells + c.begin + c.end - (c.kernel - 1) * c.dilation - 1) / c.stride + 1; };
  Map y{x.batch, c.depthwise ? x.channels : c.filters, extent(x.rows), extent(x.columns)};
  const std::int64_t inputs = c.depthwise ? 1 : x.channels;
  for (std::int64_t n = 0; n < y.batch; ++n) {
    for (std::int64_t o = 0; o < y.channels; ++o) {
      for (std::int64_t row = 0; row < y.rows; ++row) {
        for (std::int64_t column = 0; column < y.columns; ++column) {
          double sum = load_as_double(bias, o);
          for (std::int64_t i = 0; i < inputs; ++i) {
            for (std::int64_t k = 0; k < c.kernel * c.kernel; ++k) {
              const std::int64_t from_row = row * c.stride + k / c.kernel * c.dilation - c.begin;
              const std::int64_t from_column = column * c.stride + k % c.kernel * c.dilation - c.begin;
              sum +=
                  load_as_double(weight, (o * inputs + i) * c.kernel * c.kernel + k) * x.at(n, c.depthwise ? o : i, from_row, from_column);
            }
          }
          y.numbers.push_back(relu6 ? std::clamp(sum, 0.0, 6.0) : sum);
        }
      }
    }
  }
  return y;
}

/// [first ->] taps -> last [+ x].
struct Block {
  std::int64_t batch = 1, channels = 16, rows = 14, columns = 14;
  Convolution first = {.filters = 0};  ///< none
  Convolution taps = {.kernel = 3, .begin = 1, .end = 1, .depthwise = true};
  std::int64_t filters = 16;
  bool residual = false;
};

std::string text_of(const Block& b) {
  const auto line = [](const std::string& name, const std::string& x, const Convolution& c, bool relu6) {
    return fmt::format("  {} = {}({}, {}kernel={}, stride={}, dilation={}, padding=[{}, {}, {}, {}]{})\n", name,
                       c.depthwise ? "depthwise" : "conv", x, c.depthwise ? "" : fmt::format("filters={}, ", c.filters), c.kernel, c.stride,
                       c.dilation, c.begin, c.begin, c.end, c.end, relu6 ? ", activation=relu6" : "");
  };
  const bool has_first = b.first.filters > 0;
  return fmt::format("network test(x: f32[{}, {}, {}, {}]) -> z {{\n", b.batch, b.channels, b.rows, b.columns) +
         (has_first ? line("a", "x", b.first, true) : "") + line("d", has_first ? "a" : "x", b.taps, true) +
         line("p", "d", {.filters = b.filters}, false) + (b.residual ? "  z = add(p, x)\n}\n" : "  z = relu(p)\n}\n");
}

void expect_right(const Block& b, const std::string& target = "host") {
  const std::string text = text_of(b);
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text);
  const TensorData input = random_tensor({b.batch, b.channels, b.rows, b.columns}, 7);
  const CompiledRun run = compile_and_run(graph, {input}, 1, target, {.merge_all = true});
  EXPECT_EQ(std::count(run.schedules.begin(), run.schedules.end(), "inverted_residual"), 1);
  EXPECT_EQ(std::count(run.schedules.begin(), run.schedules.end(), "depthwise"), 0);

  Map x{b.batch, b.channels, b.rows, b.columns};
  for (std::int64_t i = 0; i < input.type.elements(); ++i) x.numbers.push_back(load_as_double(input, i));
  Map z = b.first.filters > 0 ? convolve(graph, "a", x, b.first, true) : x;
  z = convolve(graph, "p", convolve(graph, "d", z, b.taps, true), {.filters = b.filters}, false);
  for (std::size_t i = 0; i < z.numbers.size(); ++i) z.numbers[i] = b.residual ? z.numbers[i] + x.numbers[i] : std::max(z.numbers[i], 0.0);
  EXPECT_LT(relative_error(run.results[0], z.numbers), bound);
  for (const int threads : {2, 4}) {
    const CompiledRun other = compile_and_run(graph, {input}, threads, target, {.merge_all = true});
    EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin())) << threads;
  }
}

constexpr Convolution taps(std::int64_t kernel, std::int64_t stride, std::int64_t begin, std::int64_t end) {
  return {.kernel = kernel, .stride = stride, .begin = begin, .end = end, .depthwise = true};
}

TEST(inverted_residual, with_residual_in_bands) {
  expect_right({.channels = 24, .rows = 28, .columns = 20, .first = {.filters = 72}, .filters = 24, .residual = true});
}
TEST(inverted_residual, stride_two_and_half_filled_vectors) {
  expect_right({.channels = 16, .rows = 48, .columns = 30, .first = {.filters = 40}, .taps = taps(3, 2, 1, 1), .filters = 24});
  expect_right({.channels = 16, .rows = 28, .columns = 28, .first = {.filters = 48}, .taps = taps(3, 2, 0, 1), .filters = 40});
}
TEST(inverted_residual, odd_extents_and_a_batch) {
  expect_right({.batch = 3, .channels = 19, .rows = 13, .columns = 15, .first = {.filters = 35}, .filters = 37});
  expect_right({.channels = 17, .rows = 23, .columns = 9, .first = {.filters = 33}, .taps = taps(3, 2, 1, 1), .filters = 5});
}
TEST(inverted_residual, five_by_five) {
  expect_right({.channels = 16, .rows = 56, .columns = 17, .first = {.filters = 32}, .taps = taps(5, 1, 2, 2), .filters = 16});
  expect_right({.channels = 16, .rows = 57, .columns = 30, .first = {.filters = 32}, .taps = taps(5, 2, 1, 2), .filters = 16});
}
TEST(inverted_residual, dilation_and_a_window_larger_than_the_map) {
  expect_right({.channels = 16,
                .rows = 20,
                .columns = 20,
                .first = {.filters = 32},
                .taps = {.kernel = 3, .begin = 2, .end = 2, .dilation = 2, .depthwise = true}});
  expect_right({.channels = 16, .rows = 2, .columns = 3, .first = {.filters = 32}, .taps = taps(5, 1, 2, 2)});
}
TEST(inverted_residual, first_layer_of_a_network) {
  expect_right({.channels = 3, .rows = 56, .columns = 46, .first = {.filters = 32, .kernel = 3, .stride = 2, .begin = 1, .end = 1}});
  expect_right({.batch = 2,
                .channels = 3,
                .rows = 33,
                .columns = 29,
                .first = {.filters = 24, .kernel = 3, .stride = 2, .begin = 0, .end = 1},
                .taps = taps(3, 2, 1, 1),
                .filters = 33});
}
TEST(inverted_residual, without_a_first_convolution) {
  expect_right({.channels = 40, .rows = 28, .columns = 28, .filters = 40, .residual = true});
  expect_right({.batch = 2, .channels = 33, .rows = 15, .columns = 18, .taps = taps(5, 2, 2, 2), .filters = 50});
}
TEST(inverted_residual, narrower_vectors) {
  for (const char* target : {"x86-64-linux-avx2-fma", "x86-64-linux-sse41"}) {
    expect_right({.channels = 12, .rows = 16, .columns = 18, .first = {.filters = 36}, .filters = 12, .residual = true}, target);
    expect_right({.channels = 3, .rows = 31, .columns = 32, .first = {.filters = 20, .kernel = 3, .stride = 2, .begin = 1, .end = 1}},
                 target);
  }
}

/// How the network's kernels are scheduled unasked.
std::vector<std::string> schedules_of(const std::string& text) {
  Graph graph = graph_of(text);
  commands::simplify(graph);
  const plan::Plan plan = commands::make_plan(std::move(graph), plan::host_target(), {});
  std::vector<std::string> names;
  for (const plan::Kernel& kernel : plan.kernels) {
    if (!kernel.ops.empty()) names.push_back(kernel.schedule);
  }
  return names;
}

std::int64_t merged_in(const std::string& text) {
  const std::vector<std::string> names = schedules_of(text);
  return std::count(names.begin(), names.end(), "inverted_residual");
}

TEST(inverted_residual, is_taken_where_a_map_outgrows_the_cache) {
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 112, 112]) -> y {\n  a = conv(x, filters=96, kernel=1, activation=relu6)\n"
                      "  d = depthwise(a, kernel=3, stride=2, padding=1, activation=relu6)\n  y = conv(d, filters=24, kernel=1)\n}\n"),
            1);
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 28, 28]) -> y {\n  a = conv(x, filters=96, kernel=1, activation=relu6)\n"
                      "  d = depthwise(a, kernel=3, stride=2, padding=1, activation=relu6)\n  y = conv(d, filters=24, kernel=1)\n}\n"),
            0);
}

/// Rows so wide that the few which a window needs outgrow the cache themselves.
TEST(inverted_residual, is_not_taken_where_rows_outgrow_the_cache) {
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 16, 8192]) -> y {\n  a = conv(x, filters=96, kernel=1, activation=relu6)\n"
                      "  d = depthwise(a, kernel=3, stride=2, padding=1, activation=relu6)\n  y = conv(d, filters=24, kernel=1)\n}\n"),
            0);
}

/// A value between that something else wants stays.
TEST(inverted_residual, is_not_taken_where_a_value_between_is_read) {
  const std::string begin =
      "  a = conv(x, filters=96, kernel=1, activation=relu6)\n  d = depthwise(a, kernel=3, padding=1, activation=relu6)\n"
      "  p = conv(d, filters=96, kernel=1)\n";
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 112, 112]) -> y {\n" + begin + "  y = add(p, d)\n}\n"), 0);
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 112, 112]) -> p, d {\n" + begin + "}\n"), 0);
  EXPECT_EQ(merged_in("network test(x: f32[1, 16, 112, 112]) -> p, a {\n" + begin + "}\n"), 1) << "the depthwise one and the last";
}

}  // namespace
}  // namespace calotype::testing
