#pragma once
/// \file
/// Which form of Winograd's algorithm fits a convolution: the axes that are transformed, the results of a tile along each, the axis whose taps are
/// summed, the strips in which a map is walked, and what all that costs.
#include <cstdint>
#include <vector>

#include "layers/window.h"
#include "schedules/cost.h"
#include "schedules/cpu/convolution.h"

namespace calotype::schedules::cpu {

/// One spatial axis of the convolution. Transformed with tiles of `results` cells, or (results = 1) walked cell by cell: its taps, if it has
/// several, are then summed as input channels are.
struct WinogradAxis {
  std::int64_t taps = 1, stride = 1, dilation = 1, begin = 0;
  std::int64_t input = 1, output = 1;  ///< cells
  std::int64_t results = 1;

  bool is_transformed() const { return results > 1; }
  bool is_summed() const { return results == 1 && taps > 1; }
  std::int64_t points() const { return is_transformed() ? results + taps - 1 : 1; }
  std::int64_t tiles() const { return (output + results - 1) / results; }
  /// Cells that are read from the first tile's first on.
  std::int64_t cells_read() const {
    return is_transformed() ? tiles() * results + taps - 1 : (output - 1) * stride + (taps - 1) * dilation + 1;
  }
};

/// A convolution with the results of each axis chosen: at most two axes are transformed and at most one is summed. The tiles of all axes but
/// the summed one are numbered through, the last axis fastest: the matrix product's columns.
struct WinogradForm {
  std::vector<WinogradAxis> axes;  ///< outermost first
  std::int64_t batch = 1, filters = 1, channels = 1, lanes = 16;

  std::int64_t input_blocks() const { return (channels + lanes - 1) / lanes; }
  std::int64_t output_blocks() const { return (filters + lanes - 1) / lanes; }
  std::int64_t planes() const;  ///< products of points
  std::int64_t tiles() const;  ///< in one batch item and one cell of the summed axis
  int summed_axis() const;  ///< -1: none
  std::int64_t summed_taps() const;  ///< 1 if no axis is summed
  std::int64_t weight_bytes() const;  ///< of the filters, transformed along the axes that are
  /// Two digits and more: the results of each axis, 44 for 4x4 and 16 for 1x6. Names the form among all of one convolution.
  std::int64_t digits() const;
};

/// How a form's tiles are walked. A strip is a task: `strip` tiles of axis `axis`, one of each axis before it, all of those after it, and
/// `depth` cells of the summed axis; the last strip may reach beyond the map. It transforms its part of the input and then makes `chunk` blocks of output channels at a time.
struct WinogradWalk {
  std::size_t axis = 0;
  std::int64_t strip = 1, depth = 1, chunk = 1;
  bool is_whole_map = false;  ///< one strip: the input is transformed first, and the chunks are the tasks
  RegisterTile tile = {};
  double cost = 0;  ///< of the whole kernel; see schedules/cost.h
};

/// The call as a form without any axis transformed. Empty axes: Winograd does not apply (grouped, few channels, strides or dilation on all axes).
WinogradForm form_of(const layers::Call& call, const layers::Window& window, std::int64_t lanes);

/// The forms worth considering: every choice of axes and tiles whose error keeps within the bounds that the tests hold.
std::vector<WinogradForm> forms_of(const WinogradForm& plain);

/// The form with those digits.
WinogradForm with_digits(WinogradForm plain, std::int64_t digits);

/// The cheapest walk. `all_weights`: bytes of the network's weights.
WinogradWalk choose_walk(const WinogradForm& form, std::int64_t all_weights, const plan::Target& target);

/// What direct convolution would cost.
double direct_cost(const WinogradForm& plain, std::int64_t all_weights, const plan::Target& target);

}  // namespace calotype::schedules::cpu
