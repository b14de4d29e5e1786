#pragma once
/// \file
/// Pictures for a classifier: reading PNG and JPEG, and the resizing that its training used.
#include <cstdint>
#include <string>
#include <vector>

/// Rows from the top, each pixel three bytes: red, green, blue.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;
};

/// The picture in a PNG or JPEG file. Gray becomes three equal bytes, transparency is dropped. Throws std::runtime_error with the reason.
Picture read_picture(const std::string& path);

/// The picture at another size, with the bytes of Pillow's `Image.resize(size, Image.BICUBIC)`: a cubic (a = -0.5) that widens when it
/// shrinks, horizontally first, in fixed point. Extents must be positive.
Picture resize_bicubic(const Picture& picture, int width, int height);

/// The shorter side resized to `shorter`, then the middle `extent` x `extent`, as torchvision's Resize and CenterCrop do. extent <=
/// shorter.
Picture resize_and_crop(const Picture& picture, int shorter, int extent);
