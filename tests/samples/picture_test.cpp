/// \file
/// Reading and resizing pictures, byte for byte against Pillow 13.0.0 (data/picture*.png; picture.png is 61 x 47, colour ramps with noise).
#include "samples/classify/picture.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string data(const std::string& name) { return std::string(CALOTYPE_TEST_DATA) + "/data/" + name; }

TEST(Picture, ReadsEveryKindOfPixelAsRgb) {
  const Picture gray = read_picture(data("gray.png"));
  EXPECT_EQ(gray.width, 3);
  EXPECT_EQ(gray.height, 2);
  EXPECT_THAT(gray.pixels, ElementsAre(0, 0, 0, 128, 128, 128, 255, 255, 255, 10, 10, 10, 20, 20, 20, 30, 30, 30));
  EXPECT_THAT(read_picture(data("palette.png")).pixels, ElementsAre(255, 0, 0, 0, 255, 0, 1, 2, 3, 1, 2, 3, 0, 255, 0, 255, 0, 0));
  EXPECT_THAT(read_picture(data("alpha.png")).pixels, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
}

TEST(Picture, ReadsJpeg) {
  const Picture expected = read_picture(data("picture_jpg.png"));
  const Picture picture = read_picture(data("picture.jpg"));
  EXPECT_EQ(picture.width, 61);
  EXPECT_EQ(picture.height, 47);
  EXPECT_EQ(picture.pixels, expected.pixels);
}

TEST(Picture, ResizesAsPillowDoes) {
  const Picture picture = read_picture(data("picture.png"));
  for (const auto& [width, height] : {std::pair{130, 99}, {23, 17}, {61, 20}, {9, 47}}) {
    const std::string name = "picture_" + std::to_string(width) + "x" + std::to_string(height) + ".png";
    SCOPED_TRACE(name);
    const Picture expected = read_picture(data(name));
    const Picture resized = resize_bicubic(picture, width, height);
    EXPECT_EQ(resized.width, expected.width);
    EXPECT_EQ(resized.height, expected.height);
    EXPECT_EQ(resized.pixels, expected.pixels);
  }
}

TEST(Picture, CropsTheMiddle) {
  const Picture crop = resize_and_crop(read_picture(data("picture.png")), 32, 28);
  EXPECT_EQ(crop.width, 28);
  EXPECT_EQ(crop.height, 28);
  EXPECT_EQ(crop.pixels, read_picture(data("picture_crop.png")).pixels);
}

std::string failure_of(const std::string& path) {
  try {
    read_picture(path);
  } catch (const std::runtime_error& problem) {
    return problem.what();
  }
  return "";
}

TEST(Picture, SaysWhatIsWrongWithAFile) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "calotype-damaged-picture";
  EXPECT_THAT(failure_of(data("nothing.png")), HasSubstr("cannot be opened"));
  EXPECT_THAT(failure_of(data("efficientnet_lite0_logits.npy")), HasSubstr("neither a PNG nor a JPEG"));
  std::filesystem::copy_file(data("picture.png"), path, std::filesystem::copy_options::overwrite_existing);
  std::filesystem::resize_file(path, 3000);
  EXPECT_THAT(failure_of(path), HasSubstr("PNG"));
  std::ofstream(path, std::ios::binary) << "\xff\xd8\xff\xe0 no more";
  EXPECT_THAT(failure_of(path), HasSubstr("JPEG"));
  std::filesystem::remove(path);
}

}  // namespace
