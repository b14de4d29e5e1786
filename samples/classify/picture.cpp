/// \file
/// Pictures by libpng and libjpeg; resizing after Pillow's Resample.c, so that the classifier sees what its authors' pipeline would show
/// it.
#include "picture.h"

#include <csetjmp>
#include <cstdio>
// jpeglib.h needs <cstdio> before it.
#include <jpeglib.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <stdexcept>

namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// Beyond this a picture is more likely damaged or hostile than real: 30,000 x 30,000 pixels would be 2.7 GB.
constexpr std::int64_t kMostPixels = 1 << 28;

bool too_large(std::int64_t width, std::int64_t height) { return width <= 0 || height <= 0 || width > kMostPixels / height; }

/* PNG. Errors leave libpng by longjmp, so what it jumps over must be trivial: `rows` and `picture` live in the caller. */

bool decode_png(std::FILE* file, png_structp png, png_infop info, Picture& picture, std::vector<png_bytep>& rows) {
  if (setjmp(png_jmpbuf(png))) return false;
  png_init_io(png, file);
  png_read_info(png, info);
  if (too_large(png_get_image_width(png, info), png_get_image_height(png, info))) png_error(png, "too many pixels");
  png_set_expand(png);
  png_set_strip_16(png);
  png_set_strip_alpha(png);
  png_set_gray_to_rgb(png);
  png_set_interlace_handling(png);
  png_read_update_info(png, info);
  picture.width = static_cast<int>(png_get_image_width(png, info));
  picture.height = static_cast<int>(png_get_image_height(png, info));
  if (png_get_rowbytes(png, info) != static_cast<std::size_t>(picture.width) * 3) png_error(png, "unexpected pixel format");
  picture.pixels.resize(static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.height) * 3);
  rows.resize(static_cast<std::size_t>(picture.height));
  for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = picture.pixels.data() + y * static_cast<std::size_t>(picture.width) * 3;
  png_read_image(png, rows.data());
  return true;
}

Picture read_png(const std::string& path, std::FILE* file) {
  std::string message = "cannot be decoded";
  const auto fail = [](png_structp png, png_const_charp text) {
    *static_cast<std::string*>(png_get_error_ptr(png)) = text;
    png_longjmp(png, 1);
  };
  const auto warn = [](png_structp, png_const_charp) {};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &message, fail, warn);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  Picture picture;
  std::vector<png_bytep> rows;
  const bool done = info != nullptr && decode_png(file, png, info, picture, rows);
  png_destroy_read_struct(&png, &info, nullptr);
  if (!done) throw std::runtime_error(path + ": PNG: " + message);
  return picture;
}

/* JPEG: the same pattern. */

struct JpegErrors {
  jpeg_error_mgr manager;  // first: libjpeg hands back a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void jpeg_fail(j_common_ptr state) {
  auto* errors = reinterpret_cast<JpegErrors*>(state->err);
  state->err->format_message(state, errors->message);
  std::longjmp(errors->jump, 1);
}

bool decode_jpeg(std::FILE* file, jpeg_decompress_struct& state, JpegErrors& errors, Picture& picture) {
  if (setjmp(errors.jump)) return false;
  jpeg_create_decompress(&state);
  jpeg_stdio_src(&state, file);
  jpeg_read_header(&state, TRUE);
  if (too_large(state.image_width, state.image_height)) {
    std::snprintf(errors.message, sizeof errors.message, "too many pixels");
    return false;
  }
  state.out_color_space = JCS_RGB;
  jpeg_start_decompress(&state);
  picture.width = static_cast<int>(state.output_width);
  picture.height = static_cast<int>(state.output_height);
  const std::size_t row_bytes = static_cast<std::size_t>(picture.width) * 3;
  picture.pixels.resize(row_bytes * static_cast<std::size_t>(picture.height));
  while (state.output_scanline < state.output_height) {
    JSAMPROW row = picture.pixels.data() + state.output_scanline * row_bytes;
    jpeg_read_scanlines(&state, &row, 1);
  }
  jpeg_finish_decompress(&state);
  return true;
}

Picture read_jpeg(const std::string& path, std::FILE* file) {
  jpeg_decompress_struct state{};
  JpegErrors errors{};
  state.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = jpeg_fail;
  errors.manager.output_message = [](j_common_ptr) {};
  Picture picture;
  const bool done = decode_jpeg(file, state, errors, picture);
  jpeg_destroy_decompress(&state);
  if (!done) throw std::runtime_error(path + ": JPEG: " + errors.message);
  return picture;
}

/* Resizing. Each output cell is a weighted sum of `count` input cells from `first` on; the weights are integers of 22 fractional bits. */

constexpr int kFractionBits = 22;

struct Contribution {
  int first = 0;
  std::vector<std::int32_t> weights;
};

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

std::vector<Contribution> contributions(int from, int to) {
  const double scale = static_cast<double>(from) / to;
  const double widening = std::max(scale, 1.0);
  const double support = 2.0 * widening;
  std::vector<Contribution> result(static_cast<std::size_t>(to));
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(from, static_cast<int>(center + support + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int x = first; x < end; ++x) {
      weights.push_back(cubic((x - center + 0.5) * (1.0 / widening)));
      sum += weights.back();
    }
    Contribution& contribution = result[static_cast<std::size_t>(i)];
    contribution.first = first;
    for (double weight : weights) {
      const double scaled = weight / sum * (1 << kFractionBits);
      contribution.weights.push_back(static_cast<std::int32_t>(scaled < 0 ? scaled - 0.5 : scaled + 0.5));
    }
  }
  return result;
}

std::uint8_t rounded(std::int64_t sum) { return static_cast<std::uint8_t>(std::clamp<std::int64_t>(sum >> kFractionBits, 0, 255)); }

/// One pass over `lines` lines of `from` cells; a cell is three bytes, `step` apart, and lines are `line_step` apart.
void resize_lines(const std::uint8_t* in, std::uint8_t* out, int lines, const std::vector<Contribution>& cells, std::size_t in_step,
                  std::size_t in_line_step, std::size_t out_step, std::size_t out_line_step) {
  for (std::size_t line = 0; line < static_cast<std::size_t>(lines); ++line) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::uint8_t* source = in + line * in_line_step + static_cast<std::size_t>(cells[i].first) * in_step;
      std::int64_t sums[3] = {1 << (kFractionBits - 1), 1 << (kFractionBits - 1), 1 << (kFractionBits - 1)};
      for (std::int32_t weight : cells[i].weights) {
        for (std::size_t channel = 0; channel < 3; ++channel) sums[channel] += source[channel] * static_cast<std::int64_t>(weight);
        source += in_step;
      }
      for (std::size_t channel = 0; channel < 3; ++channel) out[line * out_line_step + i * out_step + channel] = rounded(sums[channel]);
    }
  }
}

Picture blank(int width, int height) {
  return {width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3)};
}

}  // namespace

Picture read_picture(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rb"), std::fclose);
  if (!file) throw std::runtime_error(path + ": cannot be opened");
  unsigned char magic[8] = {};
  const std::size_t count = std::fread(magic, 1, sizeof magic, file.get());
  std::rewind(file.get());
  if (count == sizeof magic && png_sig_cmp(magic, 0, sizeof magic) == 0) return read_png(path, file.get());
  if (count >= 2 && magic[0] == 0xff && magic[1] == 0xd8) return read_jpeg(path, file.get());
  throw std::runtime_error(path + ": neither a PNG nor a JPEG file");
}

Picture resize_bicubic(const Picture& picture, int width, int height) {
  Picture wide = picture;
  if (width != picture.width) {
    wide = blank(width, picture.height);
    resize_lines(picture.pixels.data(), wide.pixels.data(), picture.height, contributions(picture.width, width), 3,
                 static_cast<std::size_t>(picture.width) * 3, 3, static_cast<std::size_t>(width) * 3);
  }
  if (height == picture.height) return wide;
  Picture result = blank(width, height);
  const std::size_t row = static_cast<std::size_t>(width) * 3;
  resize_lines(wide.pixels.data(), result.pixels.data(), width, contributions(picture.height, height), row, 3, row, 3);
  return result;
}

Picture resize_and_crop(const Picture& picture, int shorter, int extent) {
  const std::int64_t least = std::min(picture.width, picture.height);
  const Picture resized = resize_bicubic(picture, static_cast<int>(picture.width * std::int64_t{shorter} / least),
                                         static_cast<int>(picture.height * std::int64_t{shorter} / least));
  // Halves round to even, as Python's round does.
  const int left = static_cast<int>(std::nearbyint((resized.width - extent) / 2.0));
  const int top = static_cast<int>(std::nearbyint((resized.height - extent) / 2.0));
  Picture result = blank(extent, extent);
  for (int y = 0; y < extent; ++y) {
    const auto* begin = resized.pixels.data() +
                        (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(resized.width) + static_cast<std::size_t>(left)) * 3;
    std::copy_n(begin, extent * 3, result.pixels.data() + static_cast<std::size_t>(y) * static_cast<std::size_t>(extent) * 3);
  }
  return result;
}
