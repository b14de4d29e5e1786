/// \file
/// Which form of Winograd's algorithm fits a convolution, how its tiles are walked, and what that costs.
///
/// The costs count vectors: multiply-adds of the matrix products, additions and moves of the transforms; and bytes that do not stay in the second
/// cache. Measured on one core of Zen 4 they were within 20% for 16 channels at 256x256, 32 at 128x128, 64 at 56x56, 256 at 14x14 and 512 at
/// 7x7, and put 4x4 before 2x2 results at 14x14 and 2x2 before 4x4 at 7x7, as measured.
#include "schedules/cpu/winograd_form.h"

#include <algorithm>
#include <cmath>

namespace calotype::schedules::cpu {
namespace {

/// Share of the peak that long products reach.
constexpr double product_efficiency = 0.93;

/// Tiles along an axis of that many taps, by results. The tests hold the errors: 2e-6 of the largest with 4 points, 2e-5 with 8 in two dimensions or
/// 12 in one.
std::vector<std::int64_t> results_for(const WinogradAxis& axis) {
  std::vector<std::int64_t> results = {1};
  if (axis.taps < 2 || axis.taps > 7 || axis.stride != 1 || axis.dilation != 1) return results;
  for (const std::int64_t candidate : {2, 4, 6}) {
    if (candidate <= axis.output && candidate + axis.taps - 1 <= 12) results.push_back(candidate);
  }
  return results;
}

/// At most two axes transformed, with 8 points at most if it is two; at most one summed, before them: the last axes are those that lie together.
bool is_form(const WinogradForm& form) {
  int transformed = 0, summed = 0;
  std::int64_t most_points = 0, most_results = 0;
  for (const WinogradAxis& axis : form.axes) {
    transformed += axis.is_transformed() ? 1 : 0;
    summed += axis.is_summed() ? 1 : 0;
    if (axis.is_summed() && transformed > 0) return false;
    most_points = std::max(most_points, axis.points());
    most_results = std::max(most_results, axis.results);
  }
  if (transformed == 2 && (most_points > 8 || most_results > 4)) return false;
  return transformed >= 1 && transformed <= 2 && summed <= 1;
}

/// Additions and moves to transform one tile of one block of input channels. A transform of p points takes about 0.42 p^2 operations, because rows
/// for the points a and -a share their halves; each stage loads and stores.
double input_transform(const WinogradForm& form) {
  const auto planes = static_cast<double>(form.planes());
  double operations = 3 * planes;
  for (const WinogradAxis& axis : form.axes) operations += axis.is_transformed() ? planes * 0.42 * static_cast<double>(axis.points()) : 0;
  return operations;
}

/// The same for one tile of one block of output channels.
double output_transform(const WinogradForm& form) {
  double operations = 0, cells = static_cast<double>(form.planes());
  for (const WinogradAxis& axis : form.axes) {
    if (!axis.is_transformed()) continue;
    operations += 0.4 * cells * static_cast<double>(axis.results);
    cells = cells / static_cast<double>(axis.points()) * static_cast<double>(axis.results);
  }
  return operations + 2 * static_cast<double>(form.planes()) + cells;
}

/// The time of a register tile that sums `depth` products: too few accumulators wait for each other, and short tiles load more than they add.
double product_tile(const RegisterTile& tile, std::int64_t depth) {
  const auto cells = static_cast<double>(tile.channels * tile.pixels);
  const double loads = 1.0 / static_cast<double>(tile.channels) + 1.0 / static_cast<double>(tile.pixels);
  const double slowness = std::max(1.0, 8.0 / cells) * (1.0 + 0.35 * std::max(0.0, loads - 0.65));
  return cells * static_cast<double>(depth) * slowness / product_efficiency + 10;
}

/// By how much that many tasks lengthen a run, in the geometric mean over one, two and four threads: those that wait for the busiest.
double imbalance(std::int64_t tasks) { return std::pow(busiest_share(tasks, 2), 0.45) * std::pow(busiest_share(tasks, 4), 0.1); }

/// Cost of a walk whose parameters are set, in `strips` strips of `strip_tiles` tiles.
double cost_of(const WinogradForm& form, const WinogradWalk& walk, std::int64_t strips, std::int64_t strip_tiles, std::int64_t all_weights,
               const MachineFacts& facts) {
  const int s = form.summed_axis();
  const WinogradAxis summed = s < 0 ? WinogradAxis{} : form.axes[static_cast<std::size_t>(s)];
  const std::int64_t slices = s < 0 ? 1 : (walk.depth - 1) * summed.stride + (summed.taps - 1) * summed.dilation + 1;
  const std::int64_t tasks = form.batch * strips * (summed.output / walk.depth);
  const std::int64_t vector_bytes = form.lanes * 4;

  const auto cells = static_cast<double>(strip_tiles);
  const auto depth = static_cast<double>(walk.depth);
  const double products =
      static_cast<double>(form.planes() * divided_up(strip_tiles, walk.tile.pixels) * form.output_blocks() / walk.tile.channels) * depth *
      product_tile(walk.tile, form.input_blocks() * form.lanes * form.summed_taps());
  const double transforms = cells * static_cast<double>(slices * form.input_blocks()) * input_transform(form) +
                            cells * depth * static_cast<double>(form.output_blocks()) * output_transform(form);

  const std::int64_t input_bytes = strip_tiles * slices * form.planes() * form.input_blocks() * vector_bytes;
  const std::int64_t product_bytes = strip_tiles * walk.depth * form.planes() * walk.chunk * vector_bytes;
  const std::int64_t weights = form.weight_bytes();
  double again = 0;  // bytes per task that do not stay in the second cache
  const auto chunks = static_cast<double>(form.output_blocks() / walk.chunk);
  if (input_bytes + product_bytes > facts.l2_bytes * 3 / 4) again += chunks * static_cast<double>(input_bytes + product_bytes);
  const bool weights_stay = input_bytes + product_bytes + weights <= facts.l2_bytes;
  const double reread = static_cast<double>((tasks - 1) * weights) / (weights_stay ? facts.l2_rate : facts.l3_rate);
  const double memory = weight_stream(weights, all_weights, facts) + reread + static_cast<double>(tasks) * again / facts.l3_rate;

  const double cost = overlapped(static_cast<double>(tasks) * (products + transforms + 500), memory);
  const std::int64_t parallel = walk.is_whole_map ? form.output_blocks() / walk.chunk : tasks;
  return cost * imbalance(parallel);
}

/// Keeps the better of `best` and the walks in that many strips, over depths, chunks and register tiles.
void try_strips(const WinogradForm& form, WinogradWalk walk, std::int64_t strips, std::int64_t strip_tiles, std::int64_t all_weights,
                const plan::Target& target, WinogradWalk& best) {
  const MachineFacts facts = facts_of(target);
  const int s = form.summed_axis();
  const std::int64_t cells = s < 0 ? 1 : form.axes[static_cast<std::size_t>(s)].output;
  const RegisterTile favourite = choose_register_tile(form.output_blocks(), strip_tiles, target);
  // One channel vector loads as much as it multiplies: not where there is a choice.
  for (std::int64_t channels = std::min<std::int64_t>(2, favourite.channels); channels <= favourite.channels; ++channels) {
    if (form.output_blocks() % channels != 0) continue;
    walk.tile = {channels, choose_pixels(channels, strip_tiles, target)};
    for (walk.depth = 1; walk.depth <= cells; ++walk.depth) {
      if (cells % walk.depth != 0 || (walk.is_whole_map && walk.depth != cells)) continue;
      for (walk.chunk = channels; walk.chunk <= std::max<std::int64_t>(4, channels); walk.chunk += channels) {
        if (form.output_blocks() % walk.chunk != 0) continue;
        walk.cost = cost_of(form, walk, strips, strip_tiles, all_weights, facts);
        if (best.cost == 0 || walk.cost < best.cost) best = walk;
      }
    }
  }
}

}  // namespace

std::int64_t WinogradForm::planes() const {
  std::int64_t planes = 1;
  for (const WinogradAxis& axis : axes) planes *= axis.points();
  return planes;
}

std::int64_t WinogradForm::tiles() const {
  std::int64_t tiles = 1;
  for (const WinogradAxis& axis : axes) tiles *= axis.is_summed() ? 1 : axis.tiles();
  return tiles;
}

int WinogradForm::summed_axis() const {
  for (std::size_t d = 0; d < axes.size(); ++d) {
    if (axes[d].is_summed()) return static_cast<int>(d);
  }
  return -1;
}

std::int64_t WinogradForm::summed_taps() const { return summed_axis() < 0 ? 1 : axes[static_cast<std::size_t>(summed_axis())].taps; }

std::int64_t WinogradForm::weight_bytes() const {
  std::int64_t bytes = output_blocks() * input_blocks() * lanes * lanes * 4;
  for (const WinogradAxis& axis : axes) bytes *= axis.is_transformed() ? axis.points() : axis.taps;
  return bytes;
}

std::int64_t WinogradForm::digits() const {
  std::int64_t digits = 0;
  for (const WinogradAxis& axis : axes) digits = digits * 10 + axis.results;
  return digits;
}

WinogradForm form_of(const layers::Call& call, const layers::Window& window, std::int64_t lanes) {
  const TensorType& x = call.type(0);
  WinogradForm form;
  form.batch = x.extents[0];
  form.filters = call.operand("weight").type.extents[0];
  form.channels = x.extents[1];
  form.lanes = lanes;
  if (call.integer("groups") != 1 || form.channels < lanes || form.filters < lanes || window.rank() > 3) return form;
  if (crops_operand(window)) return {};
  for (std::size_t d = 0; d < window.rank(); ++d) {
    form.axes.push_back(
        {window.kernel[d], window.stride[d], window.dilation[d], window.begin[d], x.extents[d + 2], window.output[d], /*results=*/1});
  }
  return form;
}

std::vector<WinogradForm> forms_of(const WinogradForm& plain) {
  std::vector<WinogradForm> forms = {plain};
  for (std::size_t d = 0; d < plain.axes.size(); ++d) {
    std::vector<WinogradForm> next;
    for (const WinogradForm& form : forms) {
      for (const std::int64_t results : results_for(plain.axes[d])) {
        next.push_back(form);
        next.back().axes[d].results = results;
      }
    }
    forms = std::move(next);
  }
  std::erase_if(forms, [](const WinogradForm& form) { return !is_form(form); });
  return forms;
}

WinogradForm with_digits(WinogradForm plain, std::int64_t digits) {
  for (std::size_t d = plain.axes.size(); d-- > 0; digits /= 10) plain.axes[d].results = digits % 10;
  return plain;
}

WinogradWalk choose_walk(const WinogradForm& form, std::int64_t all_weights, const plan::Target& target) {
  WinogradWalk best;
  std::int64_t inner = 1;  // tiles of all axes after this one
  for (std::size_t d = form.axes.size(); d-- > 0;) {
    if (form.axes[d].is_summed()) continue;
    const std::int64_t tiles = form.axes[d].tiles();
    const std::int64_t outer = form.tiles() / (tiles * inner);
    for (std::int64_t strip = 1; strip <= tiles; ++strip) {
      const std::int64_t strips = divided_up(tiles, strip);
      if (divided_up(tiles, strips) != strip) continue;  // shorter ones would do in as many
      try_strips(form, {.axis = d, .strip = strip}, outer * strips, strip * inner, all_weights, target, best);
    }
    inner *= tiles;
    if (inner == form.tiles()) {
      try_strips(form, {.axis = d, .strip = tiles, .is_whole_map = true}, 1, inner, all_weights, target, best);
      break;
    }
  }
  return best;
}

double direct_cost(const WinogradForm& plain, std::int64_t all_weights, const plan::Target& target) {
  double cells = static_cast<double>(plain.batch);
  for (const WinogradAxis& axis : plain.axes) cells *= static_cast<double>(axis.output);
  const std::int64_t bytes = plain.weight_bytes();
  double taps = 1;
  for (const WinogradAxis& axis : plain.axes) taps *= static_cast<double>(axis.taps);
  // Summed directly, input channels fill no blocks; nor do a few filters, on planar data (narrow_conv.cpp).
  const bool narrow = plain.filters <= 2 * plain.lanes && plain.channels <= 2 * plain.lanes;
  const double vectors =
      narrow ? static_cast<double>(plain.filters) / static_cast<double>(plain.lanes) : static_cast<double>(plain.output_blocks());
  return overlapped(cells * vectors * static_cast<double>(plain.channels) * taps / product_efficiency,
                    weight_stream(bytes, all_weights, facts_of(target)));
}

}  // namespace calotype::schedules::cpu
