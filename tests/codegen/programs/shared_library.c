/* A user's shared library with two models inside. */
#include "first.h"
#include "second.h"

int run_both(float* first_value, float* second_value);

int run_both(float* first_value, float* second_value) {
  static float x[FIRST_X_COUNT], y[FIRST_Y_COUNT], z[SECOND_Y_COUNT];
  x[0] = 1;
  first* a;
  second* b;
  const first_io a_io = {x, y};
  const second_io b_io = {x, z};
  if (first_open(&a, NULL, NULL) != CALOTYPE_OK || second_open(&b, NULL, NULL) != CALOTYPE_OK) return 1;
  if (first_run(a, &a_io) != CALOTYPE_OK || second_run(b, &b_io) != CALOTYPE_OK) return 2;
  *first_value = y[0];
  *second_value = z[0];
  first_close(a);
  second_close(b);
  return 0;
}
