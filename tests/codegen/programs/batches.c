/* LeNet-5 at two batch sizes in one program: each image of the batch must give what it gives alone. Prints the scores of the first image. */
#include <math.h>
#include <stdio.h>

#include "lenet5.h"
#include "lenet5_many.h"

enum { images = LENET5_MANY_IMAGE_COUNT / LENET5_IMAGE_COUNT };

static float image[images][LENET5_IMAGE_COUNT], alone[LENET5_SCORES_COUNT], together[images][LENET5_SCORES_COUNT];

int main(void) {
  lenet5* one;
  lenet5_many* many;
  int i, n;
  for (n = 0; n < images; ++n) {
    for (i = 0; i < LENET5_IMAGE_COUNT; ++i) image[n][i] = (float)((i * 31 + n * 7) % 17) / 17.0f;
  }
  if (lenet5_open(&one, NULL, NULL) != CALOTYPE_OK || lenet5_many_open(&many, NULL, NULL) != CALOTYPE_OK) return 1;
  {
    const lenet5_many_io io = {image[0], together[0]};
    if (lenet5_many_run(many, &io) != CALOTYPE_OK) return 2;
  }
  for (n = 0; n < images; ++n) {
    const lenet5_io io = {image[n], alone};
    if (lenet5_run(one, &io) != CALOTYPE_OK) return 3;
    for (i = 0; i < LENET5_SCORES_COUNT; ++i) {
      if (!(fabs(alone[i] - together[n][i]) <= 1e-6)) return 4;
      if (n == 0) printf("%.9g\n", (double)alone[i]);
    }
  }
  lenet5_close(one);
  lenet5_many_close(many);
  return 0;
}
