/// \file
/// Transposed convolutions as they are generated, against a plain loop in double that spreads each cell of the operand: strides that do not divide
/// the result's extents, kernels that the stride does not divide, padding on one side, output_padding, one to three dimensions, epilogues.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "compiled_model.h"

namespace calotype::testing {
namespace {

using List = std::vector<std::int64_t>;

struct Transposed {
  std::int64_t batch = 1, channels = 16, filters = 16;
  List spatial = {7, 9};
  List kernel = {2, 2}, stride = {2, 2};
  List begin = {0, 0}, end = {0, 0}, extra = {0, 0};
  std::int64_t dilation = 1;

  std::int64_t output(std::size_t d) const {
    return (spatial[d] - 1) * stride[d] + (kernel[d] - 1) * dilation + 1 + extra[d] - begin[d] - end[d];
  }
  List output_shape() const {
    List shape = {batch, filters};
    for (std::size_t d = 0; d < spatial.size(); ++d) shape.push_back(output(d));
    return shape;
  }
  List input_shape() const {
    List shape = {batch, channels};
    shape.insert(shape.end(), spatial.begin(), spatial.end());
    return shape;
  }
};

std::string statement_of(const Transposed& t) {
  List cells = t.begin;
  cells.insert(cells.end(), t.end.begin(), t.end.end());
  return fmt::format("conv_transpose(x, filters={}, kernel=[{}], stride=[{}], padding=[{}], output_padding=[{}], dilation={})", t.filters,
                     fmt::join(t.kernel, ", "), fmt::join(t.stride, ", "), fmt::join(cells, ", "), fmt::join(t.extra, ", "), t.dilation);
}

std::int64_t flat(const List& index, const List& extents) {
  std::int64_t position = 0;
  for (std::size_t i = 0; i < index.size(); ++i) position = position * extents[i] + index[i];
  return position;
}

bool advance(List& index, const List& extents) {
  for (std::size_t i = index.size(); i-- > 0;) {
    if (++index[i] < extents[i]) return true;
    index[i] = 0;
  }
  return false;
}

/// Every cell of the operand times the kernel of every filter, added where it falls.
std::vector<double> plain(const Transposed& t, const TensorData& x, const TensorData& weight, const TensorData& bias) {
  const List shape = t.output_shape();
  std::vector<double> result(static_cast<std::size_t>(TensorType{ElementType::f32, shape}.elements()));
  List at(shape.size(), 0);
  do result[static_cast<std::size_t>(flat(at, shape))] = load_as_double(bias, at[1]);
  while (advance(at, shape));
  const List cells = t.input_shape();
  List from(cells.size(), 0);
  do {
    const double element = load_as_double(x, flat(from, cells));
    for (std::int64_t o = 0; o < t.filters; ++o) {
      List k(t.kernel.size(), 0);
      do {
        List to = {from[0], o}, weight_at = {from[1], o};
        bool inside = true;
        for (std::size_t d = 0; d < k.size(); ++d) {
          to.push_back(from[d + 2] * t.stride[d] + k[d] * t.dilation - t.begin[d]);
          weight_at.push_back(k[d]);
          inside = inside && to.back() >= 0 && to.back() < shape[d + 2];
        }
        if (inside)
          result[static_cast<std::size_t>(flat(to, shape))] += element * load_as_double(weight, flat(weight_at, weight.type.extents));
      } while (advance(k, t.kernel));
    }
  } while (advance(from, cells));
  return result;
}

TensorData weight_named(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == name; });
  return found->data->read();
}

void expect_right(const Transposed& t, const std::string& schedule = "conv_transpose") {
  const std::string text =
      fmt::format("network test(x: f32[{}]) -> y {{\n  y = {}\n}}\n", fmt::join(t.input_shape(), ", "), statement_of(t));
  SCOPED_TRACE(text);
  const Graph graph = graph_of(text);
  const TensorData x = random_tensor(t.input_shape(), 3);
  const std::vector<double> expected = plain(t, x, weight_named(graph, "y.weight"), weight_named(graph, "y.bias"));
  for (const char* target : {"host", "x86-64-linux-sse41"}) {
    const CompiledRun run = compile_and_run(graph, {x}, 2, target);
    EXPECT_TRUE(std::find(run.schedules.begin(), run.schedules.end(), schedule) != run.schedules.end())
        << "expected the template " << schedule;
    ASSERT_EQ(run.results[0].type.extents, t.output_shape());
    EXPECT_LT(relative_error(run.results[0], expected), 2e-6) << target;
  }
}

TEST(conv_transpose, two_by_two) { expect_right({.channels = 48, .filters = 32, .spatial = {5, 14}}); }
TEST(conv_transpose, channels_no_multiple_of_the_vector) { expect_right({.batch = 2, .channels = 19, .filters = 37}); }
TEST(conv_transpose, four_by_four_padded) { expect_right({.kernel = {4, 4}, .begin = {1, 1}, .end = {1, 1}}); }
TEST(conv_transpose, odd_result) { expect_right({.filters = 20, .kernel = {3, 3}}); }
TEST(conv_transpose, odd_result_padded) { expect_right({.kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}); }
TEST(conv_transpose, output_padding) { expect_right({.kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}, .extra = {1, 1}}); }
TEST(conv_transpose, uneven_everything) {
  expect_right({.channels = 21,
                .filters = 18,
                .spatial = {5, 8},
                .kernel = {5, 4},
                .stride = {3, 2},
                .begin = {2, 0},
                .end = {0, 3},
                .extra = {2, 1}});
}
TEST(conv_transpose, stride_beyond_the_kernel) { expect_right({.kernel = {1, 2}, .stride = {2, 3}, .extra = {1, 2}}); }
TEST(conv_transpose, stride_one) { expect_right({.kernel = {3, 4}, .stride = {1, 1}, .begin = {1, 2}, .end = {1, 1}}); }
TEST(conv_transpose, crops_more_than_a_kernel) { expect_right({.kernel = {2, 2}, .begin = {5, 3}, .end = {3, 4}}); }
TEST(conv_transpose, one_cell) { expect_right({.channels = 40, .spatial = {1, 1}, .kernel = {4, 4}, .stride = {1, 1}}); }
TEST(conv_transpose, few_channels_from_planar_data) {
  expect_right({.channels = 3, .filters = 17, .kernel = {4, 4}, .begin = {1, 1}, .end = {1, 1}});
}
TEST(conv_transpose, one_dimension) {
  expect_right({.channels = 24, .filters = 16, .spatial = {31}, .kernel = {16}, .stride = {8}, .begin = {4}, .end = {4}, .extra = {0}});
}
TEST(conv_transpose, three_dimensions) {
  expect_right({.spatial = {3, 4, 5}, .kernel = {3, 2, 4}, .stride = {2, 2, 2}, .begin = {1, 0, 1}, .end = {0, 0, 1}, .extra = {0, 1, 0}});
}
TEST(conv_transpose, dilation_is_generic) { expect_right({.kernel = {3, 3}, .dilation = 2}, "generic"); }

/// relu(conv_transpose(x) + b) beside a skip connection, the result no multiple of the stride; the same bits at any thread count.
TEST(conv_transpose, epilogue_and_concat) {
  const Transposed t{.channels = 32, .filters = 35, .spatial = {9, 8}, .kernel = {3, 3}, .begin = {1, 1}, .end = {0, 0}};
  const std::string shape = fmt::format("{}, {}", t.output(0), t.output(1));
  const Graph graph = graph_of(fmt::format(
      "network test(x: f32[1, 32, 9, 8], b: f32[1, 35, {}]) -> z {{\n  y = {}\n  s = add(y, b, activation=relu)\n  z = concat(s, b)\n}}\n",
      shape, statement_of(t)));
  const TensorData x = random_tensor(t.input_shape(), 3), b = random_tensor(t.output_shape(), 4);
  std::vector<double> expected = plain(t, x, weight_named(graph, "y.weight"), weight_named(graph, "y.bias"));
  const auto count = static_cast<std::int64_t>(expected.size());
  for (std::int64_t i = 0; i < count; ++i)
    expected[static_cast<std::size_t>(i)] = std::max(0.0, expected[static_cast<std::size_t>(i)] + load_as_double(b, i));
  for (std::int64_t i = 0; i < count; ++i) expected.push_back(load_as_double(b, i));
  const CompiledRun run = compile_and_run(graph, {x, b});
  EXPECT_LT(relative_error(run.results[0], expected), 2e-6);
  const CompiledRun other = compile_and_run(graph, {x, b}, 3);
  EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin()));
}

}  // namespace
}  // namespace calotype::testing
