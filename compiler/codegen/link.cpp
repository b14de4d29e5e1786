/// \file
/// Puts a compiled model together: weights, driver, one merged object, the archive, the files beside it.
#include "codegen/link.h"

#include <fmt/format.h>

#include "cache/atomic_output.h"
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
  const std::filesystem::path work = output.work_directory();

  WeightBlob weights;
  DriverFacts facts;
  facts.name = library.original_name;
  std::vector<ArchiveMember> members = {{name + ".o", work / "model.o"}};
  if (embedded_weights) {
    facts.weights_symbol = name + "_weights";
    weights = write_weight_object(plan, facts.weights_symbol, work / "weights.o");
    members.push_back({name + "_weights.o", work / "weights.o"});
  } else if (library.weight_storage == WeightStorage::external) {
    weights = write_weight_file(plan, output.path(name + ".weights"));
  }
  facts.weights_bytes = weights.bytes;
  facts.weight_hash = weights.hash;

  const std::vector<std::byte> driver = make_driver(plan, library.target, facts);
  std::vector<ObjectBytes> parts = {{"driver", text_of(driver)}, {"runtime", embedded::runtime_object()}};
  std::vector<std::string> kernel_symbols;
  for (const KernelObject& kernel : objects.distinct) {
    parts.push_back({"kernel", text_of(kernel.object)});
    kernel_symbols.push_back(kernel.symbol);
  }
  merge_objects(parts, kernel_symbols, name, work, work / "model.o");

  cache::write_atomically(work / "pool.o", embedded::pool_object());
  members.push_back({"calotype_pool.o", work / "pool.o"});
  write_archive(members, output.path(name + ".a"));

  output.write(name + ".h", header_text(plan, library, buffers, weights));
  output.write(name + ".json", manifest_text(plan, library, buffers, weights));
  output.write(name + ".pc", pkg_config_text(library));
  output.write(name + "Config.cmake", cmake_config_text(library));
  output.commit();
}

}  // namespace calotype::codegen
