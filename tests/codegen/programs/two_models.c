/* Two models in one C99 program: one in static memory, one in its own; and the same numbers from both. */
#include <stdio.h>

#include "first.h"
#include "second.h"

static union {
  unsigned char bytes[FIRST_STATE_BYTES(2)]; /* the size is a constant expression */
  double align;
} memory[2];

int main(void) {
  float x[FIRST_X_COUNT], first_y[FIRST_Y_COUNT], second_y[SECOND_Y_COUNT];
  const long shape[FIRST_X_RANK] = FIRST_X_SHAPE;
  if (shape[0] * shape[1] * shape[2] * shape[3] != FIRST_X_COUNT || sizeof x != FIRST_X_BYTES) return 2;
  for (int i = 0; i < FIRST_X_COUNT; ++i) x[i] = (float)(i % 7) - 3;

  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = 2;
  first* a;
  second* b;
  unsigned char* aligned = memory[0].bytes;
  while ((size_t)aligned % FIRST_STATE_ALIGN != 0) ++aligned; /* the second half of the array is the room for this */
  calotype_status status = first_open(&a, aligned, &options);
  if (status == CALOTYPE_OK) status = second_open(&b, NULL, NULL);
  const first_io a_io = {x, first_y};
  const second_io b_io = {x, second_y};
  if (status == CALOTYPE_OK) status = first_run(a, &a_io);
  if (status == CALOTYPE_OK) status = second_run(b, &b_io);
  if (status != CALOTYPE_OK) {
    printf("%s\n", first_status_text(status));
    return 1;
  }
  int same = 1;
  for (int i = 0; i < FIRST_Y_COUNT; ++i) same = same && first_y[i] == second_y[i];
  printf("%s %s %d %g %g\n", FIRST_MODEL_NAME, SECOND_MODEL_NAME, same, (double)first_y[1], (double)first_y[33]);
  first_close(a);
  second_close(b);
  return 0;
}
