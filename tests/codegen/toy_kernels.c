/* Kernels of the toy model, as Halide would emit them: int f(void *user_context, struct halide_buffer_t *input..., *output), reading `host` alone.
 * The model is y = sum of x over 3x3 windows with zeros around, times a weight for each channel. x is f32[1, 3, 4, 5]. */
#include <stddef.h>
#include <stdint.h>

struct buffer {
  uint64_t device;
  const void* interface;
  unsigned char* host;
  uint64_t rest[4];
};

int halide_do_par_for(void* user_context, int (*f)(void* user_context, int index, uint8_t* closure), int min, int size, uint8_t* closure);
void* halide_malloc(void* user_context, size_t bytes);
void halide_free(void* user_context, void* block);

enum { channels = 3, rows = 4, columns = 5, lanes = 4, padded_rows = rows + 2, padded_columns = columns + 3 };

/* Planar into channel blocks of four with a halo of one row above and below, one column left and two right; host is the interior's first cell. */
int toy_pad(void* user_context, struct buffer* x, struct buffer* out) {
  (void)user_context;
  const float* from = (const float*)x->host;
  float* to = (float*)out->host;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      for (int lane = 0; lane < lanes; ++lane)
        to[(row * padded_columns + column) * lanes + lane] = lane < channels ? from[(lane * rows + row) * columns + column] : 0.f;
  return 0;
}

struct closure {
  const float *x, *weights;
  float* y;
};

static int one_channel(void* user_context, int channel, uint8_t* data) {
  const struct closure* c = (const struct closure*)data;
  float* sums = halide_malloc(user_context, rows * columns * sizeof(float));
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column) {
      float sum = 0;
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) sum += c->x[((row + i) * padded_columns + column + j) * lanes + channel];
      sums[row * columns + column] = sum;
    }
  for (int cell = 0; cell < rows * columns; ++cell) c->y[channel * rows * columns + cell] = sums[cell] * c->weights[channel] * FACTOR;
  halide_free(user_context, sums);
  return 0;
}

/* host of the input is the first cell of its halo. */
int toy_window(void* user_context, struct buffer* x, struct buffer* weights, struct buffer* y) {
  struct closure c = {(const float*)x->host, (const float*)weights->host, (float*)y->host};
  return halide_do_par_for(user_context, one_channel, 0, channels, (uint8_t*)&c);
}
