// The C++ class of the header: opens, moves, runs, closes itself.
#include <cstdio>
#include <utility>

#include "first.h"
#include "second.h"

int main() {
  first_model model(2);
  if (!model) {
    std::puts(first_status_text(model.status()));
    return 1;
  }
  first_model moved(std::move(model));
  model = first_model();
  float x[FIRST_X_COUNT], y[FIRST_Y_COUNT] = {}, z[FIRST_Y_COUNT] = {};
  for (int i = 0; i < FIRST_X_COUNT; ++i) x[i] = static_cast<float>(i % 7) - 3;
  first_io io = {};
  io.x = x;
  io.y = y;
  if (moved.run(io) != CALOTYPE_OK) return 2;
  io.y = z;
  if (model.run(io) != CALOTYPE_OK) return 3;
  for (int i = 0; i < FIRST_Y_COUNT; ++i)
    if (y[i] != z[i]) return 4;

  calotype_options bad = CALOTYPE_OPTIONS_DEFAULT;
  bad.threads = -1;
  second_model refused(bad);
  if (refused || refused.status() != CALOTYPE_BAD_ARGUMENT || refused.run(second_io()) != CALOTYPE_BAD_ARGUMENT) return 5;
  std::printf("%g\n", static_cast<double>(y[1]));
  return 0;
}
