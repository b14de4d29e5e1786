/// \file
/// Links an archive into a shared object and loads it.
#include "codegen/load.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cache/temporary_folder.h"
#include "codegen/merge.h"
#include "codegen/package.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::vector<Port> ports_of(const Json& list) {
  std::vector<Port> ports;
  for (const Json& entry : list) {
    Port port;
    port.name = entry.at("name").get<std::string>();
    port.c_name = entry.at("c_name").get<std::string>();
    const auto type = entry.at("type").get<std::string>();
    const std::optional<ElementType> element = element_type_of(type);
    if (!element) throw Failure(Fault::input, fmt::format("unknown element type '{}'", type));
    port.type = {*element, entry.at("shape").get<std::vector<std::int64_t>>()};
    port.channels_last = entry.at("channels_last").get<bool>();
    port.bytes = entry.at("bytes").get<std::int64_t>();
    ports.push_back(std::move(port));
  }
  return ports;
}

LoadedModel read_manifest(const fs::path& path) {
  std::ifstream file(path);
  if (!file) throw Failure(Fault::machine, fmt::format("cannot read {}", path.string()));
  try {
    const Json manifest = Json::parse(file);
    if (manifest.at("format").get<int>() != manifest_format || manifest.at("abi").get<int>() != CALOTYPE_ABI) {
      throw Failure(Fault::input, fmt::format("{} was written by another version of Calotype: compile the model again", path.string()));
    }
    LoadedModel model;
    model.name = manifest.at("c_name").get<std::string>();
    model.inputs = ports_of(manifest.at("inputs"));
    model.results = ports_of(manifest.at("outputs"));
    const Json& state = manifest.at("state");
    model.state_bytes_per_thread = state.at("bytes_for_each_further_thread").get<std::int64_t>();
    model.fixed_state_bytes = state.at("bytes_with_one_thread").get<std::int64_t>() - model.state_bytes_per_thread;
    return model;
  } catch (const Json::exception& error) {
    throw Failure(Fault::input, fmt::format("{} is no manifest of a compiled model: {}", path.string(), error.what()));
  }
}

template <typename Function>
void find(Function& function, void* library, const std::string& symbol) {
  void* address = ::dlsym(library, symbol.c_str());
  if (address == nullptr) throw Failure(Fault::machine, fmt::format("the compiled model has no function {}", symbol));
  static_assert(sizeof function == sizeof address);
  std::memcpy(&function, &address, sizeof address);
}

}  // namespace

LoadedModel load(const fs::path& archive, const fs::path& manifest) {
  LoadedModel model = read_manifest(manifest);
  if (!fs::is_regular_file(archive)) throw Failure(Fault::machine, fmt::format("cannot read {}", archive.string()));
  const cache::TemporaryFolder folder;
  const fs::path shared = folder.path / "model.so";
  // The C library's symbols are left open: the process that loads this has them. -Bsymbolic keeps several models' pools apart from the process's.
  run_lld({"-shared", "-Bsymbolic", "-z", "now", "--whole-archive", archive.string(), "-o", shared.string()});
  void* library = ::dlopen(shared.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw Failure(Fault::machine, fmt::format("the compiled model cannot be loaded: {}", ::dlerror()));
  model.library = std::shared_ptr<void>(library, [](void* handle) { ::dlclose(handle); });
  find(model.open, library, model.name + "_open");
  find(model.run, library, model.name + "_run");
  find(model.close, library, model.name + "_close");
  find(model.status_text, library, model.name + "_status_text");
  return model;
}

}  // namespace calotype::codegen
