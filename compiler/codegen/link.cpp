/// \file
/// Puts a compiled model together: weights, driver, one merged object, the archive, the files beside it.
#include "codegen/link.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "cache/atomic_output.h"
#include "codegen/archive.h"
#include "codegen/c_names.h"
#include "codegen/driver.h"
#include "codegen/header.h"
#include "codegen/merge.h"
#include "codegen/package.h"
#include "codegen/weights.h"
#include "embedded/arm_pool_object.h"
#include "embedded/arm_runtime_object.h"
#include "embedded/pool_object.h"
#include "embedded/runtime_object.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

/// x86-64 code reaches data within 2 GB, the nearer of the architectures' limits; this leaves room for the program around it.
constexpr std::int64_t most_embedded_bytes = 1'500'000'000;

std::string_view text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Those that ask most of the CPU first.
void order(std::vector<Variant>& variants) {
  if (variants.empty()) throw Failure(Fault::bug, "there is nothing to link");
  const auto demand = [](const Variant& variant) { return std::popcount(required_features(variant.target)); };
  std::stable_sort(variants.begin(), variants.end(), [&](const Variant& a, const Variant& b) { return demand(a) > demand(b); });
  for (std::size_t i = 1; i < variants.size(); ++i) {
    if (variants[i].target.text == variants[i - 1].target.text) {
      throw Failure(Fault::usage, fmt::format("the target {} is given twice", variants[i].target.text));
    }
    if (variants[i].target.architecture != variants[0].target.architecture) {
      throw Failure(Fault::usage, fmt::format("one library is for one architecture, and {} and {} are two", variants[0].target.text,
                                              variants[i].target.text));
    }
  }
}

/// The run time that was compiled for the target's architecture.
struct RunTime {
  std::string_view object;
  std::string_view pool;
};

RunTime run_time_of(const plan::Target& target) {
  if (target.architecture == "arm") return {embedded::arm_runtime_object(), embedded::arm_pool_object()};
  return {embedded::runtime_object(), embedded::pool_object()};
}

/// The merged object of driver, run time and every variant's kernels.
std::string model_object(const ModelFacts& facts, const std::string& weights_symbol, const std::filesystem::path& work) {
  const Library& library = *facts.library;
  const std::vector<std::byte> driver =
      make_driver(facts.variants, {library.original_name, weights_symbol, facts.weights.bytes, facts.weights.hash, library.step_times});
  std::vector<ObjectBytes> parts = {{"driver", text_of(driver)}, {"runtime", run_time_of(facts.variants.front().target).object}};
  std::vector<std::string> kernel_symbols;
  for (const Variant& variant : facts.variants) {
    for (const KernelObject& kernel : variant.objects->distinct) {
      parts.push_back({"kernel", text_of(kernel.object)});
      kernel_symbols.push_back(kernel.symbol);
    }
  }
  return merge_objects(parts, kernel_symbols, library.name, work);
}

void link_shared(std::vector<Variant> variants, const Library& library) {
  const std::string& name = library.name;
  ModelFacts facts = {&library, std::move(variants), {}, {}};
  std::vector<const plan::Plan*> plans;
  for (const Variant& variant : facts.variants) plans.push_back(variant.plan);
  facts.buffers = caller_buffers(*plans.front(), name);
  const std::int64_t weight_bytes = plans.front()->weight_bytes;
  const bool embedded_weights = library.weight_storage == WeightStorage::embedded && weight_bytes > 0;
  if (embedded_weights && weight_bytes > most_embedded_bytes) {
    throw Failure(Fault::input,
                  fmt::format("{} bytes of packed weights are too many for one archive (at most {}): use --weight-storage external",
                              weight_bytes, most_embedded_bytes));
  }
  cache::OutputSet output(library.directory);

  std::vector<ArchiveMember> members;
  const std::string weights_symbol = embedded_weights ? name + "_weights" : "";
  if (embedded_weights) {
    // First, because the driver names the blob's hash.
    members.push_back({weights_symbol + ".o", {weights_symbol}, [&](FileWriter& file) {
                         facts.weights = write_weight_object(plans, weights_symbol, facts.variants.front().target, file);
                       }});
  } else if (library.weight_storage == WeightStorage::external) {
    facts.weights = write_weight_file(plans, output.path(name + ".weights"));
  }
  members.push_back({name + ".o", {name + "_open", name + "_run", name + "_close", name + "_status_text"}, [&](FileWriter& file) {
                       const std::string object = model_object(facts, weights_symbol, output.work_directory());
                       file.write(object.data(), object.size());
                     }});
  const ObjectBytes pool = {"pool", run_time_of(facts.variants.front().target).pool};
  members.push_back({"calotype_pool.o", global_symbols(pool), [&](FileWriter& file) { file.write(pool.bytes.data(), pool.bytes.size()); }});
  write_archive(members, output.path(name + ".a"));

  output.write(name + ".h", header_text(facts));
  output.write(name + ".json", manifest_text(facts));
  output.write(name + ".pc", pkg_config_text(library));
  output.write(name + "Config.cmake", cmake_config_text(library));
  output.commit();
}

}  // namespace

void link(const plan::Plan& plan, const Objects& objects, const Library& library) {
  link_shared({{&plan, &objects, library.target}}, library);
}

void link(const std::vector<Variant>& variants, const Library& library) {
  std::vector<Variant> ordered = variants;
  order(ordered);
  std::vector<plan::Plan> plans;  // copies, because their weights move; the numbers themselves are shared
  for (const Variant& variant : ordered) plans.push_back(*variant.plan);
  share_weights(plans);
  for (std::size_t i = 0; i < ordered.size(); ++i) ordered[i].plan = &plans[i];
  link_shared(std::move(ordered), library);
}

}  // namespace calotype::codegen
