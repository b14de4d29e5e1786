/// \file
/// calotype check: holds every value that a reference gives against ours, in the order in which layers run, and names the first that differs.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "commands/execution.h"
#include "commands/model.h"
#include "commands/verbs.h"
#include "formats/npy.h"

namespace calotype::commands {
namespace {

namespace fs = std::filesystem;

struct CheckOptions {
  BuildOptions build;
  std::vector<std::string> inputs;
  std::string expected;
  double tolerance = 1e-4;
  int threads = 1;
  bool json = false;
};

CheckOptions read_options(CLI::App& app, Arguments arguments, bool& wanted) {
  CheckOptions options;
  declare_build(app, options.build);
  app.add_option("--expect", options.expected, "Folder of NAME.npy for outputs and any layer; inputs too where --input gives none")
      ->required()
      ->type_name("DIR");
  app.add_option("--input", options.inputs, "An input's array: NAME=FILE.npy, or FILE.npy in order")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  app.add_option("--tolerance", options.tolerance, "Largest difference, as a share of the reference's largest number (1e-4)")
      ->check(CLI::NonNegativeNumber)
      ->type_name("SHARE");
  app.add_option("--threads", options.threads, "Threads that the run may use (1)")
      ->check(CLI::Range(1, CALOTYPE_THREADS_MAX))
      ->type_name("N");
  app.add_flag("--json", options.json, "Prints one JSON document");
  wanted = parse(app, arguments);
  return options;
}

/// One value that the reference gives.
struct Expectation {
  std::string name;
  ValueId value = no_value;
  bool channels_last = false;
  TensorData data;
};

/// Every value of the network, in running order, for which the folder has a file; outputs under their own names too.
std::vector<Expectation> expectations(const Graph& graph, const fs::path& folder) {
  if (!fs::is_directory(folder)) throw Failure(Fault::usage, fmt::format("--expect {}: there is no such folder", folder.string()));
  std::vector<Expectation> list;
  const auto add = [&](const std::string& name, ValueId value, bool channels_last) {
    const fs::path path = folder / (file_stem(name) + ".npy");
    if (fs::exists(path)) list.push_back({name, value, channels_last, formats::read_npy(path.string())});
  };
  const auto is_result = [&](const std::string& name) {
    return std::any_of(graph.results.begin(), graph.results.end(), [&](const GraphResult& result) { return result.name == name; });
  };
  for (const Op& op : graph.ops) {
    for (const ValueId id : op.results) {
      if (graph.value(id).origin == Value::Origin::op && !is_result(graph.value(id).name)) add(graph.value(id).name, id, false);
    }
  }
  for (const GraphResult& result : graph.results) add(result.name, result.value, result.declaration.channels_last);
  const auto order = [&](const Expectation& expectation) { return graph.value(expectation.value).producer; };
  std::stable_sort(list.begin(), list.end(), [&](const Expectation& a, const Expectation& b) { return order(a) < order(b); });
  if (list.empty())
    throw Failure(Fault::usage, fmt::format("--expect {}: no file there is named after an output or a layer", folder.string()));
  return list;
}

/// The largest difference and the largest number of the reference.
struct Difference {
  double most = 0;
  double largest = 0;
  std::int64_t at = 0;  ///< index of the largest difference
};

Difference difference_of(const TensorData& got, const TensorData& expected) {
  Difference difference;
  for (std::int64_t i = 0; i < expected.type.elements(); ++i) {
    const double want = load_as_double(expected, i);
    const double have = load_as_double(got, i);
    if (std::isfinite(want)) difference.largest = std::max(difference.largest, std::abs(want));
    double delta = std::abs(want - have);
    if (want == have || (std::isnan(want) && std::isnan(have))) delta = 0;
    if (std::isnan(delta)) delta = INFINITY;
    if (delta > difference.most) {
      difference.most = delta;
      difference.at = i;
    }
  }
  return difference;
}

/// "[0, 3, 1, 2]" of a flat index.
std::string index_text(std::int64_t flat, const std::vector<std::int64_t>& extents) {
  std::vector<std::int64_t> index(extents.size());
  for (std::size_t i = extents.size(); i-- > 0;) {
    index[i] = flat % extents[i];
    flat /= extents[i];
  }
  return to_text(index);
}

}  // namespace

void check(Arguments arguments) {
  CLI::App app(std::string(check_purpose), "calotype check");
  bool wanted = false;
  const CheckOptions options = read_options(app, arguments, wanted);
  if (!wanted) return;

  Graph graph = read_model(options.build.model);
  InputArrays inputs = read_inputs(graph, options.inputs);
  read_inputs_from(graph, options.expected, inputs);
  require_all(graph, inputs);
  const Symbols symbols = symbols_from(graph, inputs);
  graph = typed_graph(std::move(graph), options.build.model, symbols);
  check_inputs(graph, inputs);
  give_weights(graph, options.build);

  const std::vector<Expectation> expected = expectations(graph, options.expected);
  std::vector<ValueId> watched;
  for (const Expectation& expectation : expected) {
    const auto is_it = [&](const GraphResult& result) { return result.value == expectation.value; };
    if (std::none_of(graph.results.begin(), graph.results.end(), is_it)) watched.push_back(expectation.value);
  }
  if (!watched.empty()) note("values inside the network come from a variant that was compiled with them as extra outputs");
  const Executable executable = build(graph, options.build, {.values = watched});
  Session session(executable, inputs, options.threads);
  session.run();

  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::string report;
  std::optional<Failure> first;
  for (const Expectation& expectation : expected) {
    const TensorData got = session.result(executable.result_of.at(expectation.value));
    if (got.type.extents != expectation.data.type.extents) {
      throw Failure(Fault::difference,
                    fmt::format("{} is {}, but the reference is {}", expectation.name, to_text(got.type), to_text(expectation.data.type)));
    }
    const Difference difference = difference_of(got, expectation.data);
    const bool agrees = difference.most <= options.tolerance * difference.largest;
    rows.push_back(
        {{"name", expectation.name}, {"agrees", agrees}, {"largest_difference", difference.most}, {"largest_value", difference.largest}});
    report += fmt::format("{} {}: largest difference {:.3g}, largest number {:.6g}\n", agrees ? "same   " : "differs", expectation.name,
                          difference.most, difference.largest);
    if (agrees || first) continue;
    first = Failure(Fault::difference, fmt::format("{} is the first that differs: {:.6g} at {} where {:.6g} was expected", expectation.name,
                                                   load_as_double(got, difference.at), index_text(difference.at, got.type.extents),
                                                   load_as_double(expectation.data, difference.at)));
  }
  print(options.json ? rows.dump(2) + "\n" : report);
  if (first) throw Failure(*first);
}

}  // namespace calotype::commands
