#pragma once
/// \file
/// The stages of docs/architecture.md, as the verbs that compile share them.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "codegen/objects.h"
#include "commands/command_line.h"
#include "ir/graph.h"
#include "plan/plan.h"
#include "plan/target.h"

namespace calotype::commands {

/// What every verb that compiles understands.
struct BuildOptions {
  ModelOptions model;
  std::string weights_from;  ///< a safetensors file or "random:SEED"; empty: the files that the description names
  std::string target = "host";
  std::string accuracy = "fast";
  std::string device = "cpu";
  double size_limit = 2.5;  ///< packed weights, as a multiple of the weights
  int jobs = 0;             ///< 0: one for each core
};

void declare_build(CLI::App& app, BuildOptions& options);

/// The description with its symbols bound and every value typed. `symbols` come on top of --set.
Graph typed_graph(Graph graph, const ModelOptions& model, const Symbols& symbols = {});

/// Gives every weight its numbers; notes on surplus tensors go to stderr. Throws Failure(usage) if nobody said where they come from.
void give_weights(Graph& graph, const BuildOptions& options);

/// What a graph goes through between weights and kernels. With `keep_all` no value disappears: batch norm stays as it is.
void simplify(Graph& graph, bool keep_all = false);

/// Kernels with their implementations, layouts and places, as --accuracy and --size-limit allow.
plan::Plan make_plan(Graph graph, const plan::Target& target, const BuildOptions& options);

/// Throws Failure(unsupported) where packed weights exceed the limit of --size-limit.
void check_size(const plan::Plan& plan, double size_limit);

/// The kernels' objects, with a progress bar.
codegen::Objects make_objects(plan::Plan& plan, const plan::Target& target, int jobs);

/// The targets that the options name, in their order. Throws Failure for what is not supported.
std::vector<plan::Target> targets_of(const BuildOptions& options);

/// The one target that the options name. Throws Failure for what is not supported.
plan::Target target_of(const BuildOptions& options);

}  // namespace calotype::commands
