/// \file
/// calotype compile: description in, linkable library out.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "codegen/link.h"
#include "commands/emit.h"
#include "commands/library_name.h"
#include "commands/model.h"
#include "commands/pipeline.h"
#include "commands/verbs.h"
#include "frontend/frontend.h"

namespace calotype::commands {
namespace {

/// Says, where wanted, how long each stage took.
class StageTimes {
 public:
  explicit StageTimes(bool wanted) : wanted_(wanted) {}

  /// The stage that has just ended.
  void ended(const char* stage) {
    const auto now = std::chrono::steady_clock::now();
    if (wanted_) note(fmt::format("{:<20}{:>8.3f} s", stage, std::chrono::duration<double>(now - begin_).count()));
    begin_ = now;
  }

 private:
  bool wanted_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct CompileOptions {
  BuildOptions build;
  std::string output = ".";
  std::string name;
  std::string weight_storage = "embedded";
  std::string emit;
  bool json = false;
  bool time = false;
};

/// What was written, for programs that call the tool.
std::string report_json(const plan::Plan& plan, const codegen::Library& library) {
  std::vector<std::string> files = {".a", ".h", ".json", ".pc", "Config.cmake"};
  if (library.weight_storage == codegen::WeightStorage::external) files.push_back(".weights");
  for (std::string& file : files) file.insert(0, library.name);
  const nlohmann::ordered_json report = {
      {"name", library.original_name},     {"c_name", library.name},          {"directory", library.directory.string()}, {"files", files},
      {"weight_bytes", plan.weight_bytes}, {"arena_bytes", plan.arena_bytes}, {"scratch_bytes", plan.scratch_bytes}};
  return report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

CompileOptions read_options(CLI::App& app, Arguments arguments, bool& wanted) {
  CompileOptions options;
  declare_build(app, options.build);
  app.add_option("-o,--output", options.output, "Folder for the library (made if missing)")->type_name("DIR");
  app.add_option("--name", options.name, "Name of the library (the network's)")->type_name("NAME");
  app.add_option("--weight-storage", options.weight_storage, "embedded in the archive, or external: NAME.weights beside it")
      ->check(CLI::IsMember({"embedded", "external"}))
      ->type_name("embedded|external");
  app.add_option("--emit", options.emit, "Prints a stage and stops: graph, shapes, fused, plan, stmt, llvm, asm or object")
      ->check(CLI::IsMember({"graph", "shapes", "fused", "plan", "stmt", "llvm", "asm", "object"}))
      ->type_name("STAGE");
  app.add_flag("--json", options.json, "Prints what was written as one JSON document");
  app.add_flag("--time", options.time, "Prints how long each stage took");
  wanted = parse(app, arguments);
  return options;
}

}  // namespace

/// Each line is one stage of docs/architecture.md, or the printing of one.
void compile(Arguments arguments) {
  CLI::App app(std::string(compile_purpose), "calotype compile");
  bool wanted = false;
  const CompileOptions options = read_options(app, arguments, wanted);
  if (!wanted) return;
  const std::vector<plan::Target> targets = targets_of(options.build);

  StageTimes times(options.time);
  Graph graph = read_model(options.build.model);
  if (options.emit == "graph" && !graph.unconverted) return print(frontend::print(graph));
  graph = typed_graph(std::move(graph), options.build.model);
  if (options.emit == "graph") return print(frontend::print(graph));
  if (options.emit == "shapes") return print(shapes_text(graph));
  times.ended("read");
  give_weights(graph, options.build);
  times.ended("find weights");
  simplify(graph);
  times.ended("simplify");

  const LibraryName name = library_name(options.name, graph, options.build.model.path);
  std::vector<plan::Plan> plans;
  for (const plan::Target& target : targets) plans.push_back(make_plan(graph, target, options.build));
  // What is printed of a stage is that of the first target.
  if (options.emit == "fused") return print(fused_text(plans.front()));
  if (options.emit == "plan") return print(plan_text(plans.front()));
  if (options.emit == "stmt" || options.emit == "llvm" || options.emit == "asm")
    return print(code_text(plans.front(), targets.front(), options.emit));
  times.ended("plan");
  for (const plan::Plan& plan : plans) check_size(plan, options.build.size_limit);

  std::vector<codegen::Objects> objects;
  for (std::size_t i = 0; i < plans.size(); ++i) objects.push_back(make_objects(plans[i], targets[i], options.build.jobs));
  times.ended("generate kernels");
  if (options.emit == "object") return print(objects_text(objects.front()));
  std::vector<codegen::Variant> variants;
  for (std::size_t i = 0; i < plans.size(); ++i) variants.push_back({&plans[i], &objects[i], targets[i]});
  codegen::Library library;
  library.name = name.c_name;
  library.original_name = name.original;
  library.directory = options.output;
  library.target = targets.front();
  library.weight_storage = options.weight_storage == "external" ? codegen::WeightStorage::external : codegen::WeightStorage::embedded;
  codegen::link(variants, library);
  times.ended("pack and link");
  if (options.json) print(report_json(plans.front(), library));
}

}  // namespace calotype::commands
