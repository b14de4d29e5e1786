/// \file
/// calotype bench: how long one run takes.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "commands/execution.h"
#include "commands/peak.h"
#include "commands/summary_table.h"
#include "commands/verbs.h"
#include "frontend/frontend.h"

namespace calotype::commands {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  BuildOptions build;
  std::vector<std::string> inputs;
  int threads = 1;
  int runs = 0;  ///< 0: as many as fit in `seconds`, but at least 10
  int warm_up = 3;
  double seconds = 2;
  bool json = false;
};

BenchOptions read_options(CLI::App& app, Arguments arguments, bool& wanted) {
  BenchOptions options;
  declare_build(app, options.build);
  app.add_option("--input", options.inputs, "An input's array: NAME=FILE.npy, or FILE.npy in order; random numbers for the others")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  app.add_option("--threads", options.threads, "Threads that a run may use (1)")->check(CLI::Range(1, CALOTYPE_THREADS_MAX))->type_name("N");
  app.add_option("--runs", options.runs, "Runs to time (as many as fit in --seconds, at least 10)")->check(CLI::Range(1, 100'000'000))->type_name("N");
  app.add_option("--warm-up", options.warm_up, "Runs before those (3)")->check(CLI::NonNegativeNumber)->type_name("N");
  app.add_option("--seconds", options.seconds, "How long to measure where --runs is not given (2)")->check(CLI::PositiveNumber)->type_name("S");
  app.add_flag("--json", options.json, "Prints one JSON document");
  wanted = parse(app, arguments);
  return options;
}

std::vector<double> latencies_us(Session& session, const BenchOptions& options) {
  for (int i = 0; i < options.warm_up; ++i) session.run();
  std::vector<double> latencies;
  const auto is_done = [&, end = Clock::now() + std::chrono::duration<double>(options.seconds)] {
    if (options.runs > 0) return latencies.size() >= static_cast<std::size_t>(options.runs);
    return latencies.size() >= 10 && Clock::now() >= end;
  };
  while (!is_done()) {
    const Clock::time_point start = Clock::now();
    session.run();
    latencies.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  return latencies;
}

/// The smallest latency that at least `share` of all runs do not exceed.
double quantile(const std::vector<double>& sorted, double share) {
  const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(sorted.size()))));
  return sorted[std::min(rank, sorted.size()) - 1];
}

/// In the unit that reads best.
std::string duration_text(double microseconds) {
  if (microseconds < 1e3) return fmt::format("{:.2f} us", microseconds);
  if (microseconds < 1e6) return fmt::format("{:.3f} ms", microseconds / 1e3);
  return fmt::format("{:.3f} s", microseconds / 1e6);
}

}  // namespace

void bench(Arguments arguments) {
  CLI::App app(std::string(bench_purpose), "calotype bench");
  bool wanted = false;
  const BenchOptions options = read_options(app, arguments, wanted);
  if (!wanted) return;

  Graph graph = frontend::read(options.build.model.path);
  InputArrays inputs = read_inputs(graph, options.inputs);
  const Symbols symbols = symbols_from(graph, inputs);
  graph = typed_graph(std::move(graph), options.build.model, symbols);
  check_inputs(graph, inputs);
  fill_randomly(graph, inputs);
  const Summary summary = summarize(graph);
  give_weights(graph, options.build);
  const Executable executable = build(std::move(graph), options.build);
  Session session(executable.model, inputs, options.threads);

  const double peak_before = measured_peak_gflops(options.threads);
  const std::vector<double> latencies = latencies_us(session, options);
  const double peak = std::max(peak_before, measured_peak_gflops(options.threads));
  std::vector<double> sorted = latencies;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted.size() % 2 == 1 ? sorted[sorted.size() / 2] : (sorted[sorted.size() / 2 - 1] + sorted[sorted.size() / 2]) / 2;
  const double mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
  const double p99 = quantile(sorted, 0.99);
  const double gflops = 2.0 * static_cast<double>(summary.multiply_adds) / (median * 1e3);

  if (options.json) {
    const nlohmann::ordered_json document = {{"model", summary.model},
                                             {"threads", options.threads},
                                             {"runs", latencies.size()},
                                             {"min_us", sorted.front()},
                                             {"median_us", median},
                                             {"mean_us", mean},
                                             {"p99_us", p99},
                                             {"macs", summary.multiply_adds},
                                             {"gflops", gflops},
                                             {"peak_gflops", peak},
                                             {"peak_share", gflops / peak},
                                             {"latencies_us", latencies}};
    return print(document.dump(2) + "\n");
  }
  print(fmt::format("{}: {} runs, {} thread{}\n", summary.model, latencies.size(), options.threads, options.threads == 1 ? "" : "s"));
  print(fmt::format("  min {}  median {}  mean {}  p99 {}\n", duration_text(sorted.front()), duration_text(median), duration_text(mean),
                    duration_text(p99)));
  print(fmt::format("  {:.1f} GFLOP/s at the median, {:.0f}% of the {:.1f} GFLOP/s that this machine reaches on registers\n", gflops,
                    100 * gflops / peak, peak));
}

}  // namespace calotype::commands
