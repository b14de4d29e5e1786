/// \file
/// calotype summary: what the network looks like, before anything is compiled.
#include "commands/summary_table.h"
#include "commands/verbs.h"
#include "frontend/frontend.h"
#include "passes/passes.h"

namespace calotype::commands {

void summary(Arguments arguments) {
  CLI::App app(std::string(summary_purpose), "calotype summary");
  ModelOptions model;
  bool json = false;
  bool explain = false;
  declare_model(app, model);
  app.add_flag("--json", json, "Prints one JSON document");
  app.add_flag("--explain", explain, "Derives each count in words");
  if (!parse(app, arguments)) return;

  Graph graph = frontend::read(model.path);
  passes::bind_symbols(graph, symbols_of(model.settings));
  passes::infer_shapes(graph);
  const Summary table = summarize(graph);
  print(json ? to_json(table) : to_table(table, explain));
}

}  // namespace calotype::commands
