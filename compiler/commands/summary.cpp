/// \file
/// calotype summary: what the network looks like, before anything is compiled.
#include "commands/model.h"
#include "commands/summary_table.h"
#include "commands/verbs.h"

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

  Graph graph = read_model(model);
  type_values(graph, symbols_of(model.settings));
  const Summary table = summarize(graph);
  print(json ? to_json(table) : to_table(table, explain));
}

}  // namespace calotype::commands
