/// \file
/// Runs cases of the ONNX backend suite through the compiler and compares the results with the suite's. Each case is a child of its own, so that
/// one that crashes or hangs is a result like any other.
///
///   conformance_runner --cases FILE --data FOLDER --expectations FILE --mode raw|shape|weights [--scope a,b] [--filter text] [--list]
///
/// What does not pass must stand in the expectations with its reason; what passes must not. The last line says how many passed, failed and
/// were skipped as expected.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <set>
#include <thread>

#include "cases.h"
#include "codegen/interpret.h"
#include "commands/execution.h"
#include "frontend/onnx/convert.h"
#include "passes/passes.h"

namespace calotype::conformance {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
constexpr auto patience = std::chrono::seconds(120);

struct Options {
  fs::path cases, data, expectations;
  std::string mode = "shape", scopes = "core,core_types,half,legacy6", filter;
  bool list = false;
};

/// How a case ended: "pass", or "refused" (status 3), "status" (run did not take these inputs), "wrong", "failed" (another error), "crash", "timeout".
struct Outcome {
  std::string kind;
  std::string detail;
};

Mode mode_of(const std::string& name) { return name == "raw" ? Mode::raw : name == "weights" ? Mode::weights : Mode::shape; }

/// |got - want| <= absolute + relative |want|, NaN equal to NaN, types and shapes equal. Empty if so.
std::string difference(const TensorData& got, const TensorData& want, const Case& one) {
  if (got.type != want.type) return fmt::format("is {}, expected {}", to_text(got.type), to_text(want.type));
  for (std::int64_t i = 0; i < want.type.elements(); ++i) {
    const double a = load_as_double(got, i);
    const double b = load_as_double(want, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    if (!(std::abs(a - b) <= one.absolute + one.relative * std::abs(b))) return fmt::format("element {} is {}, expected {}", i, a, b);
  }
  return {};
}

Outcome run_case(const Case& one, const Options& options) {
  namespace onnx = frontend::onnx;
  const fs::path folder = options.data / one.name;
  onnx::Model model = onnx::read_model((folder / "model.onnx").string());
  const fs::path set = folder / "test_data_set_0";
  onnx::Bindings given;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) given[model.inputs[i].name] = read_tensor_file(set / fmt::format("input_{}.pb", i));
  onnx::Bindings frozen;
  for (const std::string& name : frozen_inputs(model, mode_of(options.mode))) frozen[name] = given[name];
  onnx::bind_inputs(model, frozen);

  Graph graph = onnx::interface_of(std::move(model));
  commands::InputArrays inputs;
  for (const GraphInput& input : graph.inputs) inputs.emplace_back(given.at(graph.value(input.value).name));
  passes::bind_symbols(graph, commands::symbols_from(graph, inputs));
  onnx::convert(graph, codegen::evaluate);
  commands::BuildOptions build;
  build.jobs = 1;
  const commands::Executable executable = commands::build(std::move(graph), build);
  commands::Session session(executable, inputs, 1);
  try {
    session.run();
  } catch (const Failure& failure) {
    if (failure.fault() != Fault::input) throw;
    return {"status", failure.what()};
  }
  for (std::size_t i = 0; i < executable.model.results.size(); ++i) {
    const std::string text = difference(session.result(i), read_tensor_file(set / fmt::format("output_{}.pb", i)), one);
    if (!text.empty()) return {"wrong", fmt::format("{}: {}", executable.model.results[i].name, text)};
  }
  return {"pass", ""};
}

Outcome run_guarded(const Case& one, const Options& options) {
  try {
    return run_case(one, options);
  } catch (const Failure& failure) {
    return {failure.fault() == Fault::unsupported ? "refused" : "failed", failure.what()};
  } catch (const std::exception& error) {
    return {"failed", error.what()};
  }
}

/// A child that runs one case and writes its outcome into a pipe.
struct Child {
  const Case* one = nullptr;
  int pipe = -1;
  Clock::time_point start;
};

pid_t start(const Case& one, const Options& options, Child& child) {
  int ends[2];
  if (::pipe(ends) != 0) throw Failure(Fault::machine, "no pipe");
  std::fflush(nullptr);
  const pid_t id = ::fork();
  if (id < 0) throw Failure(Fault::machine, "cannot fork");
  if (id == 0) {
    ::close(ends[0]);
    const int quiet = ::open("/dev/null", O_WRONLY);
    ::dup2(quiet, 2);  // notes on emulated types and the like
    const Outcome outcome = run_guarded(one, options);
    std::string text = outcome.kind + "\n" + outcome.detail.substr(0, outcome.detail.find('\n')).substr(0, 2000);
    if (::write(ends[1], text.data(), text.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(ends[1]);
  child = {&one, ends[0], Clock::now()};
  return id;
}

Outcome outcome_of(const Child& child, int status, bool timed_out) {
  std::string text(4096, '\0');
  const ssize_t length = ::read(child.pipe, text.data(), text.size());
  ::close(child.pipe);
  if (timed_out) return {"timeout", ""};
  if (length <= 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return {"crash", fmt::format("status {}", status)};
  text.resize(static_cast<std::size_t>(length));
  const std::size_t end = text.find('\n');
  return {text.substr(0, end), text.substr(end + 1)};
}

/// Runs all cases, as many at a time as there are cores.
std::map<std::string, Outcome> run_all(const std::vector<Case>& cases, const Options& options) {
  std::map<std::string, Outcome> outcomes;
  std::map<pid_t, Child> children;
  std::set<pid_t> late;
  const std::size_t jobs = std::max(1U, std::thread::hardware_concurrency());
  std::size_t next = 0;
  while (next < cases.size() || !children.empty()) {
    while (next < cases.size() && children.size() < jobs) {
      Child child;
      const pid_t id = start(cases[next++], options, child);
      children[id] = child;
    }
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, WNOHANG);
    if (ended > 0) {
      outcomes[children[ended].one->name] = outcome_of(children[ended], status, late.contains(ended));
      children.erase(ended);
      continue;
    }
    for (const auto& [id, child] : children) {
      if (Clock::now() - child.start > patience && late.insert(id).second) ::kill(id, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return outcomes;
}

int report(const std::vector<Case>& cases, const std::map<std::string, Outcome>& outcomes, const Options& options) {
  const Expectations expectations = read_expectations(options.expectations);
  int passed = 0, failed = 0, skipped = 0;
  for (const Case& one : cases) {
    const Outcome& outcome = outcomes.at(one.name);
    const auto expected = expectations.find(options.mode + " " + one.name);
    if (options.list && outcome.kind != "pass") fmt::print("{},{},{},{}\n", options.mode, one.name, outcome.kind, outcome.detail);
    if (outcome.kind == "pass") {
      ++passed;
      if (expected != expectations.end()) fmt::print("{} passes now: take it out of the expectations\n", one.name);
    } else if (expected != expectations.end() && expected->second.outcome == outcome.kind) {
      ++skipped;
    } else {
      ++failed;
      if (!options.list) fmt::print("FAILED {} ({}, {}): {}\n", one.name, options.mode, outcome.kind, outcome.detail);
    }
  }
  fmt::print("{} passed, {} failed, {} skipped\n", passed, failed, skipped);
  return failed == 0 ? 0 : 1;
}

int main(int count, char** arguments) {
  Options options;
  CLI::App app("Runs cases of the ONNX backend suite");
  app.add_option("--cases", options.cases)->required();
  app.add_option("--data", options.data)->required();
  app.add_option("--expectations", options.expectations)->required();
  app.add_option("--mode", options.mode)->check(CLI::IsMember({"raw", "shape", "weights"}));
  app.add_option("--scope", options.scopes);
  app.add_option("--filter", options.filter);
  app.add_flag("--list", options.list, "print what does not pass, as lines of the expectations");
  CLI11_PARSE(app, count, arguments);
  try {
    std::vector<Case> cases = read_cases(options.cases);
    std::erase_if(cases, [&](const Case& one) {
      const bool in_scope = ("," + options.scopes + ",").find("," + one.scope + ",") != std::string::npos;
      return !in_scope || one.name.find(options.filter) == std::string::npos;
    });
    return report(cases, run_all(cases, options), options);
  } catch (const Failure& failure) {
    fmt::print(stderr, "{}", render(failure));
    return static_cast<int>(failure.fault());
  }
}

}  // namespace
}  // namespace calotype::conformance

int main(int count, char** arguments) { return calotype::conformance::main(count, arguments); }
