/// \file
/// Compiles a graph as `calotype compile` does, loads the archive and runs it.
#include "compiled_model.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "cache/temporary_folder.h"
#include "codegen/generate.h"
#include "codegen/link.h"
#include "codegen/load.h"
#include "frontend/frontend.h"
#include "passes/passes.h"
#include "schedules/choose.h"

namespace calotype::testing {
namespace {

namespace fs = std::filesystem;

/// Position in channels-last memory of the element at `index` in row-major logical order.
std::int64_t channels_last_position(const std::vector<std::int64_t>& extents, std::int64_t index) {
  const std::int64_t channels = extents[1];
  std::int64_t cells = 1;
  for (std::size_t d = 2; d < extents.size(); ++d) cells *= extents[d];
  const std::int64_t cell = index % cells;
  const std::int64_t channel = index / cells % channels;
  return (index / (cells * channels) * cells + cell) * channels + channel;
}

std::vector<std::byte> reordered(const TensorData& data, bool to_caller) {
  std::vector<std::byte> bytes(data.bytes.size());
  const auto size = static_cast<std::size_t>(bytes_of(data.type.element));
  for (std::int64_t i = 0; i < data.type.elements(); ++i) {
    const auto from = static_cast<std::size_t>(i) * size;
    const auto at = static_cast<std::size_t>(channels_last_position(data.type.extents, i)) * size;
    std::memcpy(bytes.data() + (to_caller ? at : from), data.bytes.data() + (to_caller ? from : at), size);
  }
  return bytes;
}

std::vector<TensorData> run(const codegen::LoadedModel& model, const std::vector<TensorData>& inputs, int threads) {
  calotype_options options{};
  options.size = sizeof options;
  options.threads = threads;
  void* state = nullptr;
  const calotype_status opened = model.open(&state, nullptr, &options);
  if (opened != CALOTYPE_OK) throw Failure(Fault::machine, model.status_text(opened));
  std::vector<std::vector<std::byte>> buffers;
  for (std::size_t i = 0; i < model.inputs.size(); ++i) {
    buffers.push_back(model.inputs[i].channels_last ? reordered(inputs[i], true)
                                                    : std::vector<std::byte>(inputs[i].bytes.begin(), inputs[i].bytes.end()));
  }
  for (const codegen::Port& port : model.results) buffers.emplace_back(static_cast<std::size_t>(port.bytes), std::byte{0xff});
  std::vector<const void*> io;
  for (auto& buffer : buffers) {
    buffer.reserve(1);  // a tensor without elements has an address too
    io.push_back(buffer.data());
  }
  const calotype_status status = model.run(state, io.data());
  if (status != CALOTYPE_OK) throw Failure(Fault::machine, model.status_text(status));
  // A second run on the used arena must not change anything.
  const std::vector<std::vector<std::byte>> first(buffers.begin() + static_cast<std::ptrdiff_t>(model.inputs.size()), buffers.end());
  EXPECT_EQ(model.run(state, io.data()), CALOTYPE_OK);
  std::vector<TensorData> results;
  for (std::size_t i = 0; i < model.results.size(); ++i) {
    std::vector<std::byte>& bytes = buffers[model.inputs.size() + i];
    EXPECT_EQ(bytes, first[i]) << "the second run differs";
    TensorData data = own(model.results[i].type, std::move(bytes));
    results.push_back(model.results[i].channels_last ? own(data.type, reordered(data, false)) : data);
  }
  model.close(state);
  return results;
}

}  // namespace

CompiledRun compile_and_run(Graph graph, const std::vector<TensorData>& inputs, int threads, const std::string& target_text,
                            const schedules::ChooseOptions& options) {
  passes::expand_activations(graph);
  passes::fold_batch_norm(graph);
  passes::remove_dead(graph);
  verify(graph, "simplify");
  const plan::Target target = plan::parse_target(target_text);
  plan::Plan plan = passes::fuse(std::move(graph));
  schedules::choose_implementations(plan, target, options);
  passes::insert_reorders(plan);
  passes::plan_memory(plan);
  const codegen::Objects objects = codegen::generate(plan, target, cache::default_cache());
  const cache::TemporaryFolder folder;
  codegen::Library library;
  library.name = "model";
  library.original_name = "model";
  library.directory = folder.path;
  library.target = target;
  codegen::link(plan, objects, library);
  CompiledRun result;
  result.results = run(codegen::load(folder.path / "model.a", folder.path / "model.json"), inputs, threads);
  for (const plan::Kernel& kernel : plan.kernels) {
    result.schedules.push_back(kernel.schedule);
    result.parameters.push_back(kernel.parameters);
  }
  return result;
}

Graph graph_of(const std::string& text, std::uint64_t seed) {
  auto source = std::make_shared<SourceFile>();
  source->path = "test.layers";
  source->text = text;
  Graph graph = frontend::parse(source);
  passes::bind_symbols(graph, {});
  passes::infer_shapes(graph);
  passes::randomize_weights(graph, seed);
  return graph;
}

TensorData random_tensor(std::vector<std::int64_t> extents, std::uint32_t seed) {
  const TensorType type{ElementType::f32, std::move(extents)};
  std::vector<float> numbers(static_cast<std::size_t>(type.elements()));
  std::uint32_t state = seed * 2654435761U + 12345U;
  for (float& number : numbers) {
    state = state * 1664525U + 1013904223U;
    number = static_cast<float>(static_cast<int>(state >> 8U) % 2001 - 1000) / 1000.0F;
  }
  return own(type, std::move(numbers));
}

double relative_error(const TensorData& actual, const std::vector<double>& expected) {
  double largest = 1e-6;
  double difference = 0;
  for (const double number : expected) largest = std::max(largest, std::abs(number));
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(load_as_double(actual, static_cast<std::int64_t>(i)) - expected[i]);
    difference = std::isnan(error) ? INFINITY : std::max(difference, error);
  }
  return difference / largest;
}

}  // namespace calotype::testing
