/// \file
/// Each form of Winograd's algorithm against a plain loop in double: its error, tiles that hang over, padding on one side, strips and whole maps,
/// one to three dimensions; the transforms; and how forms are chosen.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiled_model.h"
#include "passes/passes.h"
#include "schedules/cpu/winograd_transform.h"
#include "schedules/weight_room.h"

namespace calotype::testing {
namespace {

using Extents = std::vector<std::int64_t>;

/// A convolution of stride 1 with a bias; spatial extents padded to three dimensions by leading ones in the loop below.
struct Layer {
  std::int64_t batch = 1, channels = 64, filters = 64;
  Extents spatial, kernel, begin, end;
  Extents dilation = {};  ///< empty: 1
};

std::string text_of(const Layer& layer) {
  Extents padding = layer.begin;
  padding.insert(padding.end(), layer.end.begin(), layer.end.end());
  std::string more = layer.dilation.empty() ? "" : fmt::format(", dilation=[{}]", fmt::join(layer.dilation, ", "));
  return fmt::format("network test(x: f32[{}, {}, {}]) -> y {{\n  y = conv(x, filters={}, kernel=[{}], padding=[{}]{})\n}}\n", layer.batch,
                     layer.channels, fmt::join(layer.spatial, ", "), layer.filters, fmt::join(layer.kernel, ", "), fmt::join(padding, ", "),
                     more);
}

/// Leading entries up to three.
Extents three(Extents extents, std::int64_t fill) {
  while (extents.size() < 3) extents.insert(extents.begin(), fill);
  return extents;
}

std::vector<double> plain_loop(const Layer& layer, const TensorData& x, const TensorData& weight, const TensorData& bias) {
  const Extents in = three(layer.spatial, 1), taps = three(layer.kernel, 1), begin = three(layer.begin, 0), end = three(layer.end, 0);
  const Extents dilation = three(layer.dilation.empty() ? Extents(layer.spatial.size(), 1) : layer.dilation, 1);
  Extents out;
  for (std::size_t d = 0; d < 3; ++d) out.push_back(in[d] + begin[d] + end[d] - (taps[d] - 1) * dilation[d]);
  const std::int64_t cells = taps[0] * taps[1] * taps[2];
  std::vector<double> result;
  for (std::int64_t at = 0; at < layer.batch * layer.filters * out[0] * out[1] * out[2]; ++at) {
    const std::int64_t x_at = at % out[2], y_at = at / out[2] % out[1], z_at = at / (out[2] * out[1]) % out[0];
    const std::int64_t filter = at / (out[0] * out[1] * out[2]) % layer.filters, n = at / (out[0] * out[1] * out[2]) / layer.filters;
    double sum = load_as_double(bias, filter);
    for (std::int64_t k = 0; k < cells; ++k) {
      const std::int64_t xx = x_at + k % taps[2] * dilation[2] - begin[2];
      const std::int64_t yy = y_at + k / taps[2] % taps[1] * dilation[1] - begin[1];
      const std::int64_t zz = z_at + k / (taps[2] * taps[1]) * dilation[0] - begin[0];
      if (xx < 0 || yy < 0 || zz < 0 || xx >= in[2] || yy >= in[1] || zz >= in[0]) continue;
      for (std::int64_t c = 0; c < layer.channels; ++c) {
        const std::int64_t from = (((n * layer.channels + c) * in[0] + zz) * in[1] + yy) * in[2] + xx;
        sum += load_as_double(x, from) * load_as_double(weight, (filter * layer.channels + c) * cells + k);
      }
    }
    result.push_back(sum);
  }
  return result;
}

TensorData weight_named(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.values.begin(), graph.values.end(), [&](const Value& value) { return value.name == name; });
  return found->data->read();
}

/// Runs the layer in that form ("results" by axis: 44, 16, 144) and holds its error to the bound.
void expect_right(const Layer& layer, std::int64_t form, double bound) {
  const std::string text = text_of(layer);
  SCOPED_TRACE(fmt::format("{}results {}", text, form));
  const Graph graph = graph_of(text);
  Extents shape = {layer.batch, layer.channels};
  shape.insert(shape.end(), layer.spatial.begin(), layer.spatial.end());
  const TensorData x = random_tensor(shape, 7);
  schedules::ChooseOptions options;
  options.only_variant = form;
  options.size_limit = 100;
  const CompiledRun run = compile_and_run(graph, {x}, 1, "host", options);
  const auto found = std::find(run.schedules.begin(), run.schedules.end(), "winograd");
  ASSERT_TRUE(found != run.schedules.end());
  EXPECT_EQ(run.parameters[static_cast<std::size_t>(found - run.schedules.begin())].at("results"), form);
  const std::vector<double> expected = plain_loop(layer, x, weight_named(graph, "y.weight"), weight_named(graph, "y.bias"));
  EXPECT_LT(relative_error(run.results[0], expected), bound);
  const CompiledRun other = compile_and_run(graph, {x}, 3, "host", options);
  EXPECT_TRUE(std::equal(run.results[0].bytes.begin(), run.results[0].bytes.end(), other.results[0].bytes.begin())) << "on three threads";
}

/// Bounds are twice what was measured, and far below the 1e-4 that --accuracy fast promises.
TEST(winograd, two_by_two_results_of_three_taps) {
  expect_right({.channels = 80, .filters = 96, .spatial = {7, 7}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 22, 2e-6);
}
TEST(winograd, four_by_four_results_of_three_taps) {
  expect_right({.spatial = {28, 28}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 44, 1e-5);
}
TEST(winograd, four_by_two_results_of_three_taps) {
  expect_right({.channels = 48, .filters = 40, .spatial = {14, 13}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 42, 1e-5);
}
TEST(winograd, strips_of_rows) {
  expect_right({.channels = 16, .filters = 48, .spatial = {60, 57}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 44, 1e-5);
}
TEST(winograd, strips_of_columns) {
  expect_right({.channels = 16, .filters = 16, .spatial = {9, 250}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 44, 1e-5);
}
TEST(winograd, tiles_that_hang_over) {
  expect_right({.channels = 35, .filters = 37, .spatial = {15, 18}, .kernel = {3, 3}, .begin = {1, 0}, .end = {0, 1}}, 44, 1e-5);
}
TEST(winograd, no_padding) {
  expect_right({.channels = 32, .filters = 32, .spatial = {17, 31}, .kernel = {3, 3}, .begin = {0, 0}, .end = {0, 0}}, 44, 1e-5);
}
TEST(winograd, batch) {
  expect_right({.batch = 3, .channels = 32, .filters = 32, .spatial = {13, 14}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 44,
               1e-5);
}
TEST(winograd, rows_of_a_prime_number_of_tiles) {
  expect_right({.channels = 16, .filters = 16, .spatial = {44, 29}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 44, 1e-5);
}
TEST(winograd, two_by_two_kernel) {
  expect_right({.channels = 32, .filters = 48, .spatial = {13, 16}, .kernel = {2, 2}, .begin = {0, 1}, .end = {1, 0}}, 44, 1e-5);
}
TEST(winograd, four_by_four_kernel) {
  expect_right({.channels = 32, .filters = 48, .spatial = {12, 12}, .kernel = {4, 4}, .begin = {1, 1}, .end = {2, 2}}, 44, 1e-5);
}
TEST(winograd, five_by_five_kernel) {
  expect_right({.channels = 48, .filters = 64, .spatial = {35, 35}, .kernel = {5, 5}, .begin = {2, 2}, .end = {2, 2}}, 44, 1e-5);
}
TEST(winograd, seven_by_seven_kernel) {
  expect_right({.channels = 16, .filters = 16, .spatial = {14, 15}, .kernel = {7, 7}, .begin = {3, 3}, .end = {3, 3}}, 22, 1e-5);
}
TEST(winograd, rows_of_a_square_kernel_summed) {
  expect_right({.channels = 32, .filters = 32, .spatial = {14, 14}, .kernel = {3, 3}, .begin = {1, 1}, .end = {1, 1}}, 14, 1e-5);
}
TEST(winograd, summed_axis_may_be_dilated) {
  expect_right({.channels = 32, .filters = 32, .spatial = {20, 16}, .kernel = {3, 3}, .begin = {3, 1}, .end = {3, 1}, .dilation = {3, 1}},
               14, 1e-5);
}
TEST(winograd, row_of_seven) {
  const Layer layer = {.channels = 96, .filters = 112, .spatial = {17, 17}, .kernel = {1, 7}, .begin = {0, 3}, .end = {0, 3}};
  expect_right(layer, 12, 1e-5);
  expect_right(layer, 14, 2e-5);
  expect_right(layer, 16, 4e-5);
}
TEST(winograd, column_of_seven) {
  expect_right({.channels = 96, .filters = 96, .spatial = {17, 17}, .kernel = {7, 1}, .begin = {3, 0}, .end = {3, 0}}, 61, 4e-5);
}
TEST(winograd, row_and_column_of_three) {
  expect_right({.channels = 96, .filters = 96, .spatial = {8, 8}, .kernel = {1, 3}, .begin = {0, 1}, .end = {0, 1}}, 14, 1e-5);
  expect_right({.channels = 96, .filters = 96, .spatial = {8, 8}, .kernel = {3, 1}, .begin = {1, 0}, .end = {1, 0}}, 61, 2e-5);
}
TEST(winograd, one_dimension) {
  expect_right({.channels = 32, .filters = 48, .spatial = {203}, .kernel = {3}, .begin = {2}, .end = {0}}, 4, 1e-5);
  expect_right({.channels = 32, .filters = 48, .spatial = {64}, .kernel = {6}, .begin = {0}, .end = {5}}, 4, 2e-5);
}
TEST(winograd, frames_summed) {
  expect_right({.channels = 32, .filters = 48, .spatial = {6, 14, 15}, .kernel = {3, 3, 3}, .begin = {1, 1, 1}, .end = {1, 1, 1}}, 144,
               1e-5);
  expect_right({.channels = 32, .filters = 48, .spatial = {2, 7, 7}, .kernel = {3, 3, 3}, .begin = {1, 1, 1}, .end = {1, 1, 1}}, 122, 2e-6);
}
TEST(winograd, frames_apart) {
  expect_right({.channels = 32, .filters = 48, .spatial = {5, 14, 15}, .kernel = {1, 3, 3}, .begin = {0, 1, 1}, .end = {0, 1, 1}}, 144,
               1e-5);
  expect_right({.channels = 32, .filters = 48, .spatial = {9, 5, 6}, .kernel = {3, 1, 1}, .begin = {1, 0, 0}, .end = {1, 0, 0}}, 411, 1e-5);
}

/// y[i] = sum of g[k] d[i + k], through the three matrices.
TEST(winograd_transform, is_the_sum_of_products) {
  for (int taps = 2; taps <= 7; ++taps) {
    for (const int results : {2, 3, 4, 6}) {
      if (results + taps - 1 > 12) continue;
      const schedules::cpu::WinogradTransform form = schedules::cpu::winograd_transform(results, taps);
      for (int i = 0; i < results; ++i) {
        for (int k = 0; k < taps; ++k) {
          for (int d = 0; d < form.points; ++d) {
            double sum = 0;
            for (std::size_t j = 0; j < static_cast<std::size_t>(form.points); ++j) {
              sum += form.output[static_cast<std::size_t>(i)][j] * form.filter[j][static_cast<std::size_t>(k)] *
                     form.input[j][static_cast<std::size_t>(d)];
            }
            EXPECT_NEAR(sum, i + k == d ? 1 : 0, 1e-9) << results << " results, " << taps << " taps";
          }
        }
      }
    }
  }
}

/// The schedules that kernels of the network get.
std::vector<std::string> schedules_of(const std::string& text, double size_limit, bool exact = false) {
  plan::Plan plan = passes::fuse(graph_of(text));
  schedules::choose_implementations(plan, plan::parse_target("x86-64-linux-avx512_skylake"), {.exact = exact, .size_limit = size_limit});
  std::vector<std::string> names;
  for (const plan::Kernel& kernel : plan.kernels) names.push_back(kernel.schedule);
  return names;
}

TEST(winograd_choice, accuracy_and_size_limit) {
  const std::string text = "network t(x: f32[1, 512, 28, 28]) -> y {\n  y = conv(x, filters=512, kernel=3x3, padding=1)\n}\n";
  EXPECT_EQ(schedules_of(text, 5), std::vector<std::string>{"winograd"});
  EXPECT_EQ(schedules_of(text, 1), std::vector<std::string>{"direct_conv"});
  EXPECT_EQ(schedules_of(text, 5, true), std::vector<std::string>{"direct_conv"});
}

/// What saves most time for each byte comes first, wherever it stands: here the large map with few channels after the small one with many.
TEST(winograd_choice, room_goes_where_it_saves_most) {
  const std::string text =
      "network t(x: f32[1, 512, 14, 14], z: f32[1, 64, 112, 112]) -> y, w {\n  y = conv(x, filters=512, kernel=3x3, padding=1)\n  w = "
      "conv(z, filters=64, kernel=3x3, padding=1)\n}\n";
  EXPECT_EQ(schedules_of(text, 1), (std::vector<std::string>{"direct_conv", "winograd"}));
  EXPECT_EQ(schedules_of(text, 2.5), (std::vector<std::string>{"winograd", "winograd"}));
}

TEST(weight_room, shares_by_time_saved_for_each_byte) {
  using schedules::share_weight_room;
  using schedules::Variant;
  const std::vector<Variant> large = {{22, 100, 1000}, {44, 150, 4000}};
  const std::vector<Variant> small = {{22, 40, 10}, {44, 60, 40}};
  EXPECT_EQ(share_weight_room({large, {}, small}, 0), (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(share_weight_room({large, {}, small}, 39), (std::vector<std::int64_t>{0, 0, 22}));
  EXPECT_EQ(share_weight_room({large, {}, small}, 1039), (std::vector<std::int64_t>{0, 0, 44}));
  EXPECT_EQ(share_weight_room({large, {}, small}, 1040), (std::vector<std::int64_t>{22, 0, 44}));
  EXPECT_EQ(share_weight_room({large, {}, small}, 4040), (std::vector<std::int64_t>{44, 0, 44}));
}

}  // namespace
}  // namespace calotype::testing
