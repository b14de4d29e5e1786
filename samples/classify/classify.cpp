/// \file
/// classify: names what photographs show, with EfficientNet-Lite0 compiled into this program by Calotype. No engine, no Python, no model
/// file.
///
///   classify [--threads N] [--labels FILE] [--runs N] [--scores FILE] PICTURE...
///
/// Prints the five likeliest of the 1,000 ImageNet classes and the time of a run. --labels names a file of 1,000 lines; --scores writes the
/// network's 1,000 outputs for each picture, one after the other, as 32-bit floats.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <numeric>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "efficientnet_lite0.h"
#include "picture.h"

namespace {

constexpr int kExtent = 224;
constexpr int kClasses = 1000;

struct Options {
  int threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  int runs = 20;
  std::string labels;
  std::string scores;
  std::vector<std::string> pictures;
};

Options parse(int count, char** words) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word.rfind("--", 0) != 0) {
      options.pictures.push_back(word);
      continue;
    }
    if (i + 1 == count) throw std::runtime_error(word + " needs a value");
    const std::string value = words[++i];
    if (word == "--labels") {
      options.labels = value;
    } else if (word == "--scores") {
      options.scores = value;
    } else if (word == "--threads" || word == "--runs") {
      const int number = std::atoi(value.c_str());
      if (number < 1 || number > 10000) throw std::runtime_error(word + " wants a number from 1 to 10000, not '" + value + "'");
      (word == "--threads" ? options.threads : options.runs) = number;
    } else {
      throw std::runtime_error("unknown option '" + word + "'");
    }
  }
  if (options.pictures.empty()) {
    throw std::runtime_error("usage: classify [--threads N] [--labels FILE] [--runs N] [--scores FILE] PICTURE...");
  }
  return options;
}

std::vector<std::string> read_labels(const std::string& path) {
  std::vector<std::string> labels;
  if (path.empty()) return labels;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) labels.push_back(line);
  if (labels.size() != kClasses)
    throw std::runtime_error(path + ": expected " + std::to_string(kClasses) + " lines, found " + std::to_string(labels.size()));
  return labels;
}

/// [3, 224, 224], each byte x as (x - 127) / 128, the scale this network was trained on.
std::vector<float> network_input(const Picture& crop) {
  const std::size_t cells = crop.pixels.size() / 3;
  std::vector<float> image(crop.pixels.size());
  for (std::size_t i = 0; i < cells; ++i) {
    for (std::size_t channel = 0; channel < 3; ++channel) {
      image[channel * cells + i] = (static_cast<float>(crop.pixels[i * 3 + channel]) - 127.0f) / 128.0f;
    }
  }
  return image;
}

std::vector<double> softmax(const std::vector<float>& scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  std::vector<double> result;
  for (float score : scores) result.push_back(std::exp(score - largest));
  const double sum = std::accumulate(result.begin(), result.end(), 0.0);
  for (double& value : result) value /= sum;
  return result;
}

void check(calotype_status status) {
  if (status != 0) throw std::runtime_error(efficientnet_lite0_status_text(status));
}

/// The opened network; closes itself.
struct Network {
  explicit Network(int threads) {
    calotype_options options{};
    options.size = sizeof options;
    options.threads = threads;
    check(efficientnet_lite0_open(&state, nullptr, &options));
  }
  ~Network() { efficientnet_lite0_close(state); }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  efficientnet_lite0* state = nullptr;
};

void print_best(const std::vector<double>& probabilities, const std::vector<std::string>& labels) {
  std::vector<std::size_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::partial_sort(order.begin(), order.begin() + 5, order.end(),
                    [&](std::size_t a, std::size_t b) { return probabilities[a] > probabilities[b]; });
  for (std::size_t i = 0; i < 5; ++i) {
    const std::size_t best = order[i];
    std::printf("  %6.2f %%  %3zu %s\n", 100 * probabilities[best], best, labels.empty() ? "" : labels[best].c_str());
  }
}

/// Microseconds of each of `runs` runs.
std::vector<double> time_runs(const Network& network, const efficientnet_lite0_io& io, int runs) {
  std::vector<double> times;
  for (int i = 0; i < runs; ++i) {
    const auto start = std::chrono::steady_clock::now();
    check(efficientnet_lite0_run(network.state, &io));
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times;
}

void classify(const Options& options) {
  const std::vector<std::string> labels = read_labels(options.labels);
  const Network network(options.threads);
  std::vector<float> all_scores;
  for (const std::string& path : options.pictures) {
    const Picture picture = read_picture(path);
    const std::vector<float> image = network_input(resize_and_crop(picture, 256, kExtent));
    std::vector<float> scores(kClasses);
    efficientnet_lite0_io io{};
    io.image = image.data();
    io.scores = scores.data();
    check(efficientnet_lite0_run(network.state, &io));
    all_scores.insert(all_scores.end(), scores.begin(), scores.end());

    std::printf("%s (%d x %d)\n", path.c_str(), picture.width, picture.height);
    print_best(softmax(scores), labels);
    const std::vector<double> times = time_runs(network, io, options.runs);
    std::printf("  one run: best %.2f ms, median %.2f ms of %d, %d thread%s\n", times.front() / 1000, times[times.size() / 2] / 1000,
                options.runs, options.threads, options.threads == 1 ? "" : "s");
  }
  if (options.scores.empty()) return;
  std::ofstream file(options.scores, std::ios::binary);
  file.write(reinterpret_cast<const char*>(all_scores.data()), static_cast<std::streamsize>(all_scores.size() * sizeof(float)));
  if (!file.flush()) throw std::runtime_error(options.scores + ": cannot be written");
}

}  // namespace

int main(int count, char** words) {
  try {
    classify(parse(count, words));
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "classify: %s\n", problem.what());
    return 1;
  }
}
