/// \file
/// A user's program: two generated models in one binary, states in static memory, one answer known by hand and one by its sum.
#include <math.h>
#include <stdio.h>

#include "lenet5.h"
#include "stacked.h"

static _Alignas(STACKED_STATE_ALIGN) unsigned char stacked_memory[STACKED_STATE_BYTES(1)];
static _Alignas(LENET5_STATE_ALIGN) unsigned char lenet5_memory[LENET5_STATE_BYTES(2)];

static int check_stacked(void) {
  float image[18];
  float sums[2] = {0, 0};
  for (int i = 0; i < 18; ++i) image[i] = (float)i;
  stacked *model = NULL;
  calotype_status status = stacked_open(&model, stacked_memory, NULL);
  if (status == 0) status = stacked_run(model, &(stacked_io){.image = image, .sums = sums});
  stacked_close(model);
  printf("stacked: %s, %g and %g\n", stacked_status_text(status), (double)sums[0], (double)sums[1]);
  return status == 0 && sums[0] == 270 && sums[1] == 1080;
}

static int check_lenet5(void) {
  static float image[28 * 28];
  float scores[10] = {0};
  float sum = 0;
  for (int i = 0; i < 28 * 28; ++i) image[i] = (float)(i % 17) / 17.0f;
  calotype_options options = {.size = sizeof(calotype_options), .threads = 2};
  lenet5 *model = NULL;
  calotype_status status = lenet5_open(&model, lenet5_memory, &options);
  if (status == 0) status = lenet5_run(model, &(lenet5_io){.image = image, .scores = scores});
  lenet5_close(model);
  for (int i = 0; i < 10; ++i) sum += scores[i];
  printf("lenet5: %s, probabilities sum to %g\n", lenet5_status_text(status), (double)sum);
  return status == 0 && fabsf(sum - 1.0f) < 1e-5f && scores[0] > 0;
}

int main(void) {
  const int stacked_is_right = check_stacked();
  const int lenet5_is_right = check_lenet5();
  return stacked_is_right && lenet5_is_right ? 0 : 1;
}
