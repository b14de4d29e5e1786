/// \file
/// One network twice in one program, under two names and at two batch sizes, beside another network: nothing clashes and the answers agree.
/// Built with -DCALOTYPE_NO_MAIN it is a shared library whose only entry is `check_twice`.
#include <math.h>
#include <stdio.h>

#include "four.h"
#include "one.h"
#include "stacked.h"

static _Alignas(64) unsigned char one_memory[ONE_STATE_BYTES(1)];
static _Alignas(64) unsigned char four_memory[FOUR_STATE_BYTES(2)];
static _Alignas(64) unsigned char stacked_memory[STACKED_STATE_BYTES(1)];

/// 0 if the four images give the same scores one by one and together, and the other network its known sums.
__attribute__((visibility("default"))) int check_twice(void) {
  static float images[4][28 * 28];
  static float together[4][10];
  float alone[10];
  float small_image[18];
  float sums[2] = {0, 0};
  float largest_difference = 0;
  for (int n = 0; n < 4; ++n)
    for (int i = 0; i < 28 * 28; ++i) images[n][i] = (float)((i * (n + 3)) % 17) / 17.0f;
  for (int i = 0; i < 18; ++i) small_image[i] = (float)i;

  one *first = NULL;
  four *second = NULL;
  stacked *third = NULL;
  calotype_options options = {.size = sizeof(calotype_options), .threads = 2};
  if (one_open(&first, one_memory, NULL) != 0 || four_open(&second, four_memory, &options) != 0 ||
      stacked_open(&third, stacked_memory, NULL) != 0)
    return 1;
  if (four_run(second, &(four_io){.image = &images[0][0], .scores = &together[0][0]}) != 0) return 2;
  for (int n = 0; n < 4; ++n) {
    if (one_run(first, &(one_io){.image = images[n], .scores = alone}) != 0) return 3;
    for (int i = 0; i < 10; ++i) largest_difference = fmaxf(largest_difference, fabsf(alone[i] - together[n][i]));
  }
  if (stacked_run(third, &(stacked_io){.image = small_image, .sums = sums}) != 0) return 4;
  one_close(first);
  four_close(second);
  stacked_close(third);
  printf("largest difference between batch 1 and batch 4: %g\n", (double)largest_difference);
  return largest_difference < 1e-6f && together[0][0] > 0 && sums[0] == 270 && sums[1] == 1080 ? 0 : 5;
}

#ifndef CALOTYPE_NO_MAIN
int main(void) { return check_twice(); }
#endif
