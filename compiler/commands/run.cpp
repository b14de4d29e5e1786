/// \file
/// calotype run: arrays in, arrays out.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "cache/atomic_output.h"
#include "commands/execution.h"
#include "commands/model.h"
#include "commands/tensor_text.h"
#include "commands/unmet.h"
#include "commands/verbs.h"
#include "formats/npy.h"
#include "layers/layer.h"

namespace calotype::commands {
namespace {

using Json = nlohmann::ordered_json;

struct RunOptions {
  BuildOptions build;
  std::vector<std::string> inputs;
  std::string output_directory;
  std::vector<std::string> dump;    ///< layers, or "all"
  std::vector<std::string> shown;  ///< --print
  int threads = 1;
  bool json = false;
};

/// The values that --dump and --print ask for, and how to come by them.
struct Watch {
  std::vector<ValueId> dumped;
  std::vector<ValueId> computed;  ///< those that the network must be compiled to show
};

[[noreturn]] void unknown_value(const Graph& graph, const std::string& name, const char* option) {
  std::vector<std::string_view> names;
  for (const Value& value : graph.values) names.push_back(value.name);
  std::vector<std::string> notes;
  if (const std::string nearest = layers::nearest_name(name, names); !nearest.empty())
    notes.push_back(fmt::format("did you mean '{}'?", nearest));
  throw Failure(Fault::usage, fmt::format("{} {}: the network has no value of that name", option, name), {}, std::move(notes));
}

ValueId find_value(const Graph& graph, const std::string& name, const char* option) {
  for (std::size_t i = 0; i < graph.values.size(); ++i) {
    if (graph.values[i].name == name) return static_cast<ValueId>(i);
  }
  unknown_value(graph, name, option);
}

Watch watch_of(const Graph& graph, const RunOptions& options) {
  Watch watch;
  if (std::find(options.dump.begin(), options.dump.end(), "all") != options.dump.end()) {
    for (const Op& op : graph.ops) watch.dumped.insert(watch.dumped.end(), op.results.begin(), op.results.end());
  } else {
    for (const std::string& name : options.dump) watch.dumped.push_back(find_value(graph, name, "--dump"));
  }
  std::vector<ValueId> all = watch.dumped;
  for (const std::string& name : options.shown) all.push_back(find_value(graph, name, "--print"));
  for (const ValueId id : all) {
    if (graph.value(id).origin == Value::Origin::op) watch.computed.push_back(id);
  }
  return watch;
}

/// The value's numbers, from wherever they are.
TensorData numbers_of(const Graph& graph, ValueId id, const Executable& executable, const Session& session, const InputArrays& inputs) {
  const Value& value = graph.value(id);
  if (value.data) return value.data->read();
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    if (graph.inputs[i].value == id) return *inputs[i];
  }
  return session.result(executable.result_of.at(id));
}

/// Writes the arrays and outputs.json into a folder, all or none.
class OutputFolder {
 public:
  explicit OutputFolder(const std::string& path) : files_(path) {}

  /// Returns the file's name, which is nobody else's.
  std::string add(const std::string& name, const TensorData& data) {
    std::string file = file_stem(name) + ".npy";
    for (int i = 2; !taken_.insert(file).second; ++i) file = fmt::format("{}_{}.npy", file_stem(name), i);
    formats::write_npy(files_.path(file).string(), data);
    return file;
  }
  void finish(const Json& outputs) {
    files_.write("outputs.json", outputs.dump(2) + "\n");
    files_.commit();
  }

 private:
  cache::OutputSet files_;
  std::set<std::string> taken_;
};

RunOptions read_options(CLI::App& app, Arguments arguments, bool& wanted) {
  RunOptions options;
  declare_build(app, options.build);
  app.add_option("--input", options.inputs, "An input's array: NAME=FILE.npy, or FILE.npy in order")
      ->allow_extra_args(false)
      ->type_name("NAME=FILE");
  app.add_option("--output-dir", options.output_directory, "Writes each output as NAME.npy, and outputs.json")->type_name("DIR");
  app.add_option("--dump", options.dump, "Writes the value of every layer (all) or of these, too")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->type_name("all|LAYER,...");
  app.add_option("--print", options.shown, "Prints a layer's weights and value, or a value")
      ->allow_extra_args(false)
      ->delimiter(',')
      ->type_name("LAYER");
  app.add_option("--threads", options.threads, "Threads that the run may use (1)")
      ->check(CLI::Range(1, CALOTYPE_THREADS_MAX))
      ->type_name("N");
  app.add_flag("--json", options.json, "Prints one JSON document: what outputs.json holds");
  wanted = parse(app, arguments);
  return options;
}

/// The weights of the layer that makes the value, then the value.
std::string printed(const Graph& graph, ValueId id, const TensorData& data) {
  std::string text;
  const OpId producer = graph.value(id).producer;
  if (producer != no_op) {
    for (const ValueId operand : graph.op(producer).operands) {
      if (operand != no_value && graph.value(operand).implicit)
        text += tensor_text(graph.value(operand).name, graph.value(operand).data->read());
    }
  }
  return text + tensor_text(graph.value(id).name, data);
}

}  // namespace

void run(Arguments arguments) {
  CLI::App app(std::string(run_purpose), "calotype run");
  bool wanted = false;
  const RunOptions options = read_options(app, arguments, wanted);
  if (!wanted) return;
  if (!options.dump.empty() && options.output_directory.empty())
    throw Failure(Fault::usage, "--dump writes files: say where with --output-dir DIR");

  Graph graph = read_model(options.build.model);
  const InputArrays inputs = read_inputs(graph, options.inputs);
  require_all(graph, inputs);
  const Symbols symbols = symbols_from(graph, inputs);
  graph = typed_graph(std::move(graph), options.build.model, symbols);
  check_inputs(graph, inputs);
  give_weights(graph, options.build);

  const Watch watch = watch_of(graph, options);
  if (!watch.computed.empty()) note("values inside the network come from a variant that was compiled with them as extra outputs");
  const Executable executable = build(graph, options.build, {.values = watch.computed});
  Session session(executable, inputs, options.threads);
  try {
    session.run();
  } catch (const Failure& failure) {
    if (failure.fault() != Fault::input) throw;
    throw unmet_requirement(graph, inputs).value_or(failure);
  }

  Json outputs = Json::array();
  std::optional<OutputFolder> folder;
  if (!options.output_directory.empty()) folder.emplace(options.output_directory);
  for (std::size_t i = 0; i < graph.results.size(); ++i) {
    const TensorData data = session.result(i);
    Json entry = {{"name", graph.results[i].name}};
    if (folder) entry["file"] = folder->add(graph.results[i].name, data);
    entry["type"] = name_of(data.type.element);
    entry["shape"] = data.type.extents;
    outputs.push_back(std::move(entry));
  }
  if (folder) {
    for (const ValueId id : watch.dumped) {
      const std::string& name = graph.value(id).name;
      const auto is_written = [&](const GraphResult& result) {
        return result.name == name && result.value == id && !result.declaration.channels_last;
      };
      if (std::any_of(graph.results.begin(), graph.results.end(), is_written)) continue;
      folder->add(name, numbers_of(graph, id, executable, session, inputs));
    }
    folder->finish(outputs);
  }
  if (options.json) return print(outputs.dump(2) + "\n");
  for (const std::string& name : options.shown) {
    const ValueId id = find_value(graph, name, "--print");
    print(printed(graph, id, numbers_of(graph, id, executable, session, inputs)));
  }
  if (!folder && options.shown.empty()) {
    for (std::size_t i = 0; i < graph.results.size(); ++i) print(tensor_text(graph.results[i].name, session.result(i)));
  }
}

}  // namespace calotype::commands
