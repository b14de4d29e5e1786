/// \file
/// calotype bench: how long one run takes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "commands/execution.h"
#include "commands/model.h"
#include "commands/peak.h"
#include "commands/summary_table.h"
#include "commands/verbs.h"

namespace calotype::commands {
namespace {

using Clock = std::chrono::steady_clock;
using Json = nlohmann::ordered_json;

struct BenchOptions {
  BuildOptions build;
  std::vector<std::string> inputs;
  int threads = 1;
  int runs = 0;  ///< 0: as many as fit in `seconds`, but at least 10
  int warm_up = 3;
  double seconds = 2;
  bool per_layer = false;
  bool json = false;
};

BenchOptions read_options(CLI::App& app, Arguments arguments, bool& wanted) {
  BenchOptions options;
  declare_build(app, options.build);
  app.add_option("--input", options.inputs, "An input's array: NAME=FILE.npy, or FILE.npy in order; random numbers for the others")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  app.add_option("--threads", options.threads, "Threads that a run may use (1)")
      ->check(CLI::Range(1, CALOTYPE_THREADS_MAX))
      ->type_name("N");
  app.add_option("--runs", options.runs, "Runs to time (as many as fit in --seconds, at least 10)")
      ->check(CLI::Range(1, 100'000'000))
      ->type_name("N");
  app.add_option("--warm-up", options.warm_up, "Runs before those (3)")->check(CLI::NonNegativeNumber)->type_name("N");
  app.add_option("--seconds", options.seconds, "How long to measure where --runs is not given (2)")
      ->check(CLI::PositiveNumber)
      ->type_name("S");
  app.add_flag("--per-layer", options.per_layer, "Times every step of the run, too");
  app.add_flag("--json", options.json, "Prints one JSON document");
  wanted = parse(app, arguments);
  return options;
}

/// What was measured: each run's latency and, where steps are timed, each step's share of it.
struct Measurement {
  std::vector<double> latencies_us;
  std::vector<std::vector<double>> step_us;  ///< by step, then by run
};

/// Splits a run's latency by the cycle counter's readings.
void split(Measurement& measurement, std::span<const std::uint64_t> times, double latency) {
  if (times.size() < 2) return;
  measurement.step_us.resize(times.size() - 1);
  const auto whole = static_cast<double>(times.back() - times.front());
  for (std::size_t i = 0; i + 1 < times.size(); ++i) {
    measurement.step_us[i].push_back(whole > 0 ? latency * static_cast<double>(times[i + 1] - times[i]) / whole : 0);
  }
}

Measurement measure(Session& session, const BenchOptions& options) {
  for (int i = 0; i < options.warm_up; ++i) session.run();
  Measurement measurement;
  std::vector<double>& latencies = measurement.latencies_us;
  const auto is_done = [&, end = Clock::now() + std::chrono::duration<double>(options.seconds)] {
    if (options.runs > 0) return latencies.size() >= static_cast<std::size_t>(options.runs);
    return latencies.size() >= 10 && Clock::now() >= end;
  };
  while (!is_done()) {
    const Clock::time_point start = Clock::now();
    session.run();
    latencies.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    split(measurement, session.step_times(), latencies.back());
  }
  return measurement;
}

/// The smallest latency that at least `share` of all runs do not exceed.
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(sorted.size()))));
  return sorted[std::min(rank, sorted.size()) - 1];
}

double median_of(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t half = numbers.size() / 2;
  return numbers.size() % 2 == 1 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

double gflops_of(std::int64_t multiply_adds, double microseconds) {
  return microseconds > 0 ? 2.0 * static_cast<double>(multiply_adds) / (microseconds * 1e3) : 0;
}

/// In the unit that reads best.
std::string duration_text(double microseconds) {
  if (microseconds < 1e3) return fmt::format("{:.2f} us", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.3f} ms", microseconds / 1e3);
  return fmt::format("{:.3f} s", microseconds / 1e6);
}

Json steps_json(const std::vector<StepRow>& steps, const Measurement& measurement) {
  Json rows = Json::array();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double time = median_of(measurement.step_us[i]);
    rows.push_back({{"name", steps[i].name},
                    {"layers", steps[i].layers},
                    {"schedule", steps[i].schedule},
                    {"min_us", *std::min_element(measurement.step_us[i].begin(), measurement.step_us[i].end())},
                    {"median_us", time},
                    {"macs", steps[i].multiply_adds},
                    {"gflops", gflops_of(steps[i].multiply_adds, time)}});
    if (steps[i].multiply_adds > 0) rows.back().update({{"arguments", steps[i].arguments}, {"output_shape", steps[i].output_shape}});
  }
  return rows;
}

std::string steps_text(const std::vector<StepRow>& steps, const Measurement& measurement, double peak) {
  double total = 0;  // of medians: what disturbs a run now and then disturbs another step each time
  for (const std::vector<double>& times : measurement.step_us) total += median_of(times);
  std::size_t name_width = 4;
  std::size_t layers_width = 6;
  for (const StepRow& step : steps) {
    name_width = std::max(name_width, step.name.size());
    layers_width = std::max(layers_width, step.layers.size());
  }
  std::string text = fmt::format("\n{:{}}  {:{}}  {:14}  {:>10}  {:>5}  {:>7}  {:>4}\n", "step", name_width, "layers", layers_width,
                                 "schedule", "median", "share", "GFLOP/s", "peak");
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepRow& step = steps[i];
    const double time = median_of(measurement.step_us[i]);
    text += fmt::format("{:{}}  {:{}}  {:14}  {:>10}  {:>4.1f}%", step.name, name_width, step.layers, layers_width, step.schedule,
                        duration_text(time), 100 * time / total);
    const double rate = gflops_of(step.multiply_adds, time);
    if (rate > 0) text += fmt::format("  {:>7.1f}  {:>3.0f}%", rate, 100 * rate / peak);
    text += "\n";
  }
  return text;
}

}  // namespace

void bench(Arguments arguments) {
  CLI::App app(std::string(bench_purpose), "calotype bench");
  bool wanted = false;
  const BenchOptions options = read_options(app, arguments, wanted);
  if (!wanted) return;

  Graph graph = read_model(options.build.model);
  InputArrays inputs = read_inputs(graph, options.inputs);
  const Symbols symbols = symbols_from(graph, inputs);
  graph = typed_graph(std::move(graph), options.build.model, symbols);
  check_inputs(graph, inputs);
  fill_randomly(graph, inputs);
  const Summary summary = summarize(graph);
  give_weights(graph, options.build);
  const Executable executable = build(std::move(graph), options.build, {.values = {}, .step_times = options.per_layer});
  Session session(executable, inputs, options.threads);

  const double peak_before = measured_peak_gflops(options.threads);
  const Measurement measurement = measure(session, options);
  const double peak = std::max(peak_before, measured_peak_gflops(options.threads));
  std::vector<double> sorted = measurement.latencies_us;
  std::sort(sorted.begin(), sorted.end());
  const double median = median_of(sorted);
  const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
  const double p99 = quantile(sorted, 0.99);
  const double gflops = gflops_of(summary.multiply_adds, median);

  if (options.json) {
    Json document = {{"model", summary.model},
                     {"threads", options.threads},
                     {"runs", sorted.size()},
                     {"min_us", sorted.front()},
                     {"median_us", median},
                     {"mean_us", mean},
                     {"p99_us", p99},
                     {"macs", summary.multiply_adds},
                     {"gflops", gflops},
                     {"peak_gflops", peak},
                     {"peak_share", gflops / peak},
                     {"latencies_us", measurement.latencies_us}};
    if (options.per_layer) document["steps"] = steps_json(executable.steps, measurement);
    return print(document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  }
  print(fmt::format("{}: {} runs, {} thread{}\n", summary.model, sorted.size(), options.threads, options.threads == 1 ? "" : "s"));
  print(fmt::format("  min {}  median {}  mean {}  p99 {}\n", duration_text(sorted.front()), duration_text(median), duration_text(mean),
                    duration_text(p99)));
  print(fmt::format("  {:.1f} GFLOP/s at the median, {:.0f}% of the {:.1f} GFLOP/s that this machine reaches on registers\n", gflops,
                    100 * gflops / peak, peak));
  if (options.per_layer) print(steps_text(executable.steps, measurement, peak));
}

}  // namespace calotype::commands
