/// \file
/// Stage after stage; each call is one stage.
#include "commands/pipeline.h"

#include <fmt/format.h>

#include <charconv>

#include "cache/cache.h"
#include "codegen/generate.h"
#include "codegen/interpret.h"
#include "commands/memory.h"
#include "commands/model.h"
#include "commands/progress.h"
#include "formats/safetensors.h"
#include "layers/layer.h"
#include "passes/passes.h"
#include "schedules/choose.h"

namespace calotype::commands {
namespace {

void verified([[maybe_unused]] const Graph& graph, [[maybe_unused]] const char* after) {
#if CALOTYPE_VERIFY
  verify(graph, after);
#endif
}

/// The number of "random:7"; throws Failure(usage) for what is no number.
std::uint64_t seed_of(std::string_view text) {
  std::uint64_t seed = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    throw Failure(Fault::usage, fmt::format("--weights-from random:SEED wants a whole number, such as random:1, not '{}'", text));
  }
  return seed;
}

std::size_t weights_without_data(const Graph& graph) {
  std::size_t count = 0;
  for (const Value& value : graph.values) count += value.origin == Value::Origin::weight && !value.data ? 1 : 0;
  return count;
}

/// Kernels index their buffers with 32-bit numbers.
void check_buffers(const plan::Plan& plan) {
  for (const plan::Buffer& buffer : plan.buffers) {
    if (buffer.bytes() <= INT32_MAX) continue;
    throw Failure(Fault::unsupported, fmt::format("{}: {} takes {} bytes as {}, and one tensor may take 2 GB", buffer.name,
                                                  to_text(buffer.type), layers::with_commas(buffer.bytes()), plan::to_text(buffer.layout)));
  }
}

}  // namespace

void declare_build(CLI::App& app, BuildOptions& options) {
  declare_model(app, options.model);
  app.add_option("--weights-from", options.weights_from, "Weights from a safetensors file, or random:SEED")->type_name("FILE|random:SEED");
  app.add_option("--target", options.target, "host, or a target as Halide spells it: x86-64-linux-avx2-fma")->type_name("TARGET");
  app.add_option("--accuracy", options.accuracy, "fast: reformulations within 1e-4 of the largest output; exact: none")
      ->check(CLI::IsMember({"fast", "exact"}))
      ->type_name("fast|exact");
  app.add_option("--device", options.device, "Where the network runs: cpu")->type_name("DEVICE");
  app.add_option("--size-limit", options.size_limit, "Most bytes of packed weights, as a multiple of the weights' own (2.5)")
      ->check(CLI::PositiveNumber)
      ->type_name("FACTOR");
  app.add_option("-j,--jobs", options.jobs, "Kernels compiled at a time (one for each core)")->check(CLI::Range(1, 1024))->type_name("N");
}

Graph typed_graph(Graph graph, const ModelOptions& model, const Symbols& symbols) {
  Symbols all = symbols_of(model.settings);
  for (const auto& [symbol, number] : symbols) {
    const auto [at, is_new] = all.emplace(symbol, number);
    if (!is_new && at->second != number) {
      throw Failure(Fault::input, fmt::format("--set gives {}={}, but the arrays make it {}", symbol, at->second, number));
    }
  }
  type_values(graph, std::move(all));
  verified(graph, "infer_shapes");
  return graph;
}

void give_weights(Graph& graph, const BuildOptions& options) {
  constexpr std::string_view random = "random:";
  if (options.weights_from.starts_with(random)) {
    passes::randomize_weights(graph, seed_of(std::string_view(options.weights_from).substr(random.size())));
    return;
  }
  const std::size_t missing = weights_without_data(graph);
  if (options.weights_from.empty() && graph.weight_files.empty() && missing > 0) {
    throw Failure(Fault::usage, fmt::format("the network names no weight file, and {} of its tensors have no numbers", missing), {},
                  {"give --weights-from FILE.safetensors, or --weights-from random:1 for a trial"});
  }
  WeightStore store;
  if (!options.weights_from.empty()) {
    formats::read_safetensors(options.weights_from, store);
  } else {
    const std::filesystem::path folder = std::filesystem::path(options.model.path).parent_path();
    for (const std::string& file : graph.weight_files) formats::read_safetensors((folder / file).string(), store, Fault::input);
  }
  for (const std::string& text : passes::attach_weights(graph, store)) note(text);
}

void simplify(Graph& graph, bool keep_all) {
  passes::expand_activations(graph);
  verified(graph, "expand_activations");
  if (!keep_all) {
    passes::fold_constants(graph, codegen::evaluate);
    verified(graph, "fold_constants");
    passes::fold_batch_norm(graph);
    verified(graph, "fold_batch_norm");
  }
  passes::check_indices(graph);
  verified(graph, "check_indices");
  passes::remove_dead(graph);
  verified(graph, "remove_dead");
}

plan::Plan make_plan(Graph graph, const plan::Target& target, const BuildOptions& options) {
  plan::Plan plan = passes::fuse(std::move(graph));
  schedules::choose_implementations(plan, target, {options.accuracy == "exact", options.size_limit});
  passes::insert_reorders(plan);
  check_buffers(plan);
  passes::plan_memory(plan);
  return plan;
}

void check_size(const plan::Plan& plan, double size_limit) {
  constexpr double slack = 1 << 20;  // blocks of channels round tiny weights up many times over, which matters to nobody
  double stored = 0;
  for (const Value& value : plan.graph.values) {
    if (value.data) stored += static_cast<double>(value.data->type().bytes());
  }
  if (static_cast<double>(plan.weight_bytes) <= stored * size_limit + slack) return;
  throw Failure(Fault::unsupported, fmt::format("packed weights take {} bytes, more than {} times the weights (--size-limit)",
                                                layers::with_commas(plan.weight_bytes), size_limit));
}

codegen::Objects make_objects(plan::Plan& plan, const plan::Target& target, int jobs) {
  return_memory_early();
  ProgressBar bar("compiling kernels");
  codegen::GenerateOptions options;
  options.jobs = jobs;
  options.progress = [&](int done, int total) { bar.show(done, total); };
  codegen::Objects objects = codegen::generate(plan, target, cache::default_cache(), options);
  return_free_memory();
  return objects;
}

std::vector<plan::Target> targets_of(const BuildOptions& options) {
  if (options.device != "cpu") throw Failure(Fault::unsupported, fmt::format("--device {}: only cpu is there yet", options.device));
  std::vector<plan::Target> targets;
  for (std::string_view rest = options.target;;) {
    const std::size_t comma = rest.find(',');
    targets.push_back(plan::parse_target(rest.substr(0, comma)));
    if (comma == std::string_view::npos) return targets;
    rest.remove_prefix(comma + 1);
  }
}

plan::Target target_of(const BuildOptions& options) {
  std::vector<plan::Target> targets = targets_of(options);
  if (targets.size() > 1) throw Failure(Fault::usage, "several targets make sense for compile alone: give one --target");
  return std::move(targets.front());
}

}  // namespace calotype::commands
