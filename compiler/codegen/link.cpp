/// \file
/// Puts a compiled model together: weights, driver, one merged object, the archive, the files beside it.
#include "codegen/link.h"

#include <fmt/format.h>

#include "cache/atomic_output.h"
#include "codegen/archive.h"
#include "codegen/c_names.h"
#include "codegen/driver.h"
#include "codegen/header.h"
#include "codegen/merge.h"
#include "codegen/package.h"
#include "codegen/weights.h"
#include "embedded/pool_object.h"
#include "embedded/runtime_object.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

/// x86-64 code reaches data within 2 GB; this leaves room for the program around it.
constexpr std::int64_t most_embedded_bytes = 1'500'000'000;

std::string_view text_of(const std::vector<std::byte>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

}  // namespace

void link(const plan::Plan& plan, const Objects& objects, const Library& library) {
  const std::string& name = library.name;
  const std::vector<CallerBuffer> buffers = caller_buffers(plan, name);
  const bool embedded_weights = library.weight_storage == WeightStorage::embedded && plan.weight_bytes > 0;
  if (embedded_weights && plan.weight_bytes > most_embedded_bytes) {
    throw Failure(Fault::input,
                  fmt::format("{} bytes of packed weights are too many for one archive (at most {}): use --weight-storage external",
                              plan.weight_bytes, most_embedded_bytes));
  }
  cache::OutputSet output(library.directory);

  WeightBlob weights;
  std::vector<ArchiveMember> members;
  const std::string weights_symbol = name + "_weights";
  if (embedded_weights) {
    // First, because the driver names the blob's hash.
    members.push_back(
        {name + "_weights.o", {weights_symbol}, [&](FileWriter& file) { weights = write_weight_object(plan, weights_symbol, file); }});
  } else if (library.weight_storage == WeightStorage::external) {
    weights = write_weight_file(plan, output.path(name + ".weights"));
  }
  const auto write_model = [&](FileWriter& file) {
    const DriverFacts facts = {library.original_name, embedded_weights ? weights_symbol : "", weights.bytes, weights.hash, library.step_times};
    const std::vector<std::byte> driver = make_driver(plan, library.target, facts);
    std::vector<ObjectBytes> parts = {{"driver", text_of(driver)}, {"runtime", embedded::runtime_object()}};
    std::vector<std::string> kernel_symbols;
    for (const KernelObject& kernel : objects.distinct) {
      parts.push_back({"kernel", text_of(kernel.object)});
      kernel_symbols.push_back(kernel.symbol);
    }
    const std::string object = merge_objects(parts, kernel_symbols, name, output.work_directory());
    file.write(object.data(), object.size());
  };
  const ObjectBytes pool = {"pool", embedded::pool_object()};
  members.push_back({name + ".o", {name + "_open", name + "_run", name + "_close", name + "_status_text"}, write_model});
  members.push_back({"calotype_pool.o", global_symbols(pool), [&](FileWriter& file) { file.write(pool.bytes.data(), pool.bytes.size()); }});
  write_archive(members, output.path(name + ".a"));

  output.write(name + ".h", header_text(plan, library, buffers, weights));
  output.write(name + ".json", manifest_text(plan, library, buffers, weights));
  output.write(name + ".pc", pkg_config_text(library));
  output.write(name + "Config.cmake", cmake_config_text(library));
  output.commit();
}

}  // namespace calotype::codegen
