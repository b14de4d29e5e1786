/* Times one compiled network in a process of its own: runner INPUT.npy THREADS REPETITIONS FOLDER
 *
 * Opens a state, runs once, writes each result to FOLDER/output_0.npy, output_1.npy, ... and then times REPETITIONS runs after a warm-up. The
 * last line of standard output is a JSON object: first_s (open and first run), latencies_s, peak_rss_mb. The network is the library of model.h;
 * tables.h, which the peer script writes from its manifest, says how its buffers lie. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model.h"
#include "tables.h"

typedef struct {
  size_t bytes;
  const char* shape; /* as .npy spells it: "(1, 1000, )" */
} buffer_table;

static const buffer_table inputs[] = RUNNER_INPUTS;
static const buffer_table outputs[] = RUNNER_OUTPUTS;
enum { input_count = sizeof inputs / sizeof *inputs, output_count = sizeof outputs / sizeof *outputs };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void stop(const char* reason) {
  fprintf(stderr, "%s\n", reason);
  exit(1);
}

static void* allocate(size_t bytes) {
  void* memory = aligned_alloc(64, CALOTYPE_ROUND_UP(bytes + 1, 64));
  if (memory == NULL) stop("out of memory");
  return memory;
}

/* The numbers of a .npy file that holds `bytes` of them, float32 in C order. */
static void* read_array(const char* path, size_t bytes) {
  void* numbers = allocate(bytes);
  FILE* file = fopen(path, "rb");
  if (file == NULL || fseek(file, -(long)bytes, SEEK_END) != 0 || fread(numbers, 1, bytes, file) != bytes) stop("cannot read the input");
  fclose(file);
  return numbers;
}

static void write_array(const char* folder, int index, const void* numbers, const buffer_table* table) {
  char path[4096];
  char header[128];
  memset(header, ' ', sizeof header);
  memcpy(header, "\x93NUMPY\x01\x00\x76\x00", 10);
  const int length = snprintf(header + 10, sizeof header - 10, "{'descr': '<f4', 'fortran_order': False, 'shape': %s}", table->shape);
  header[10 + length] = ' ';
  header[sizeof header - 1] = '\n';
  snprintf(path, sizeof path, "%s/output_%d.npy", folder, index);
  FILE* file = fopen(path, "wb");
  if (file == NULL || fwrite(header, sizeof header, 1, file) != 1 || fwrite(numbers, table->bytes, 1, file) != 1 || fclose(file) != 0) {
    stop("cannot write an output");
  }
}

/* VmHWM of this process in MB. */
static double peak_rss_mb(void) {
  char line[256];
  long kilobytes = 0;
  FILE* file = fopen("/proc/self/status", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1) break;
  }
  if (file != NULL) fclose(file);
  return (double)kilobytes / 1024;
}

static void run(model* state, const model_io* io) {
  if (model_run(state, io) != CALOTYPE_OK) stop("run failed");
}

int main(int argument_count, char** arguments) {
  if (argument_count != 5) stop("usage: runner INPUT.npy THREADS REPETITIONS FOLDER");
  const int repetitions = atoi(arguments[3]);
  void* buffers[input_count + output_count];
  for (int i = 0; i < input_count; ++i) buffers[i] = read_array(arguments[1], inputs[i].bytes);
  for (int i = 0; i < output_count; ++i) buffers[input_count + i] = allocate(outputs[i].bytes);
  model_io io; /* pointers only: the inputs, then the outputs */
  if (sizeof io != sizeof buffers) stop("tables.h is not of this model.h");
  memcpy(&io, buffers, sizeof io);

  const double start = now();
  calotype_options options = CALOTYPE_OPTIONS_DEFAULT;
  options.threads = atoi(arguments[2]);
  model* state = NULL;
  if (model_open(&state, NULL, &options) != CALOTYPE_OK) stop("open failed");
  run(state, &io);
  const double first = now() - start;
  for (int i = 0; i < output_count; ++i) write_array(arguments[4], i, buffers[input_count + i], &outputs[i]);

  double* latencies = allocate((size_t)repetitions * sizeof *latencies);
  for (int i = 0; i < 1 + repetitions / 10; ++i) run(state, &io);
  for (int i = 0; i < repetitions; ++i) {
    const double begin = now();
    run(state, &io);
    latencies[i] = now() - begin;
  }
  printf("{\"version\": \"%s\", \"prepare_s\": %s, \"first_s\": %.9f, \"latencies_s\": [", RUNNER_VERSION, RUNNER_PREPARE_S, first);
  for (int i = 0; i < repetitions; ++i) printf("%s%.9f", i == 0 ? "" : ", ", latencies[i]);
  printf("], \"peak_rss_mb\": %.1f}\n", peak_rss_mb());
  free(latencies);
  model_close(state);
  for (int i = 0; i < input_count + output_count; ++i) free(buffers[i]);
  return 0;
}
