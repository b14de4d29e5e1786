/// \file
/// The generated header in C++: the RAII class that it declares.
#include <cstdio>

#include "stacked.h"

int main() {
  float image[18];
  float sums[2] = {};
  for (int i = 0; i < 18; ++i) image[i] = static_cast<float>(i);
  stacked_model model;
  stacked_io io{};
  io.image = image;
  io.sums = sums;
  const calotype_status status = model.run(io);
  std::printf("%g and %g\n", static_cast<double>(sums[0]), static_cast<double>(sums[1]));
  return status == 0 && sums[0] == 270 && sums[1] == 1080 ? 0 : 1;
}
