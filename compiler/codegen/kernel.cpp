/// \file
/// One kernel of the plan as a Halide function, and that function as an object file.
#include "codegen/kernel.h"

#include <Halide.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "schedules/template.h"

namespace calotype::codegen {
namespace {

namespace fs = std::filesystem;

/// A file that lives as long as this object.
struct TemporaryFile {
  std::string path;

  TemporaryFile() {
    path = (fs::temp_directory_path() / "calotype-kernel-XXXXXX").string();
    const int descriptor = ::mkstemp(path.data());
    if (descriptor < 0) throw Failure(Fault::machine, fmt::format("cannot write into {}", fs::temp_directory_path().string()));
    ::close(descriptor);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    fs::remove(path, ignored);
  }

  std::vector<std::byte> contents() const {
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) throw Failure(Fault::machine, fmt::format("cannot read {}", path));
    std::vector<std::byte> bytes(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
  }
};

/// Does any op of the kernel contract over channels? Such kernels may re-associate their sums and use fused multiply-adds; all others compute
/// every operation as it is written, NaN and infinity included.
bool is_contraction(const plan::Plan& plan, const plan::Kernel& kernel) {
  return std::any_of(kernel.ops.begin(), kernel.ops.end(),
                     [&](OpId op) { return layers::find_layer(plan.graph.op(op).kind)->traits.reduces_channels; });
}

Halide::Target halide_target(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target) {
  using Feature = Halide::Target::Feature;
  Halide::Target halide(target.text);
  for (const Feature feature : {Feature::NoRuntime, Feature::NoAsserts, Feature::NoBoundsQuery, Feature::UserContext})
    halide.set_feature(feature);
  const auto relaxed = kernel.parameters.find(schedules::relaxed_parameter);
  const bool is_relaxed = relaxed != kernel.parameters.end() && relaxed->second != 0;
  if (!is_contraction(plan, kernel) && !is_relaxed) halide.set_feature(Feature::StrictFloat);
  return halide;
}

/// The largest sum of heap allocations that live at once in one function. Halide keeps small constant ones on the stack.
class ScratchCounter : public Halide::Internal::IRVisitor {
 public:
  std::int64_t largest = 0;

 private:
  using Halide::Internal::IRVisitor::visit;
  std::int64_t live_ = 0;

  void visit(const Halide::Internal::Allocate* node) override {
    constexpr std::int64_t stack_limit = 16 * 1024;
    constexpr std::int64_t block_overhead = 256;
    std::int64_t bytes = node->type.bytes();
    for (const Halide::Expr& extent : node->extents) {
      const Halide::Expr bound = Halide::Internal::find_constant_bound(extent, Halide::Internal::Direction::Upper);
      const auto constant = bound.defined() ? Halide::Internal::as_const_int(bound) : std::optional<std::int64_t>();
      if (!constant) throw Failure(Fault::bug, fmt::format("the size of {} has no bound", node->name));
      bytes *= std::max<std::int64_t>(*constant, 0);
    }
    const bool on_stack = bytes <= stack_limit && node->memory_type != Halide::MemoryType::Heap && node->constant_allocation_size() > 0;
    const std::int64_t counted = on_stack ? 0 : bytes + block_overhead;
    live_ += counted;
    largest = std::max(largest, live_);
    Halide::Internal::IRVisitor::visit(node);
    live_ -= counted;
  }
};

/// An upper bound for what one worker needs: a task runs inside the function that started it.
std::int64_t scratch_of(const Halide::Module& module) {
  std::int64_t bytes = 0;
  for (const Halide::Internal::LoweredFunc& function : module.functions()) {
    ScratchCounter counter;
    function.body.accept(&counter);
    bytes += counter.largest;
  }
  return bytes;
}

Halide::Module lower(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, const std::string& symbol) {
  const auto flat = kernel.parameters.find(schedules::flat_parameter);
  const bool is_flat = flat != kernel.parameters.end() && flat->second != 0 && schedules::can_flatten(plan, kernel);
  try {
    schedules::KernelBuilder builder(plan, kernel, target, symbol, is_flat);
    Halide::Func output = schedules::find_template(kernel.schedule).build(builder);
    const std::vector<Halide::Argument> arguments(builder.inputs().begin(), builder.inputs().end());
    Halide::Pipeline pipeline(output);
    for (const Halide::CustomLoweringPass& pass : output.custom_lowering_passes()) pipeline.add_custom_lowering_pass(pass.pass, nullptr);
    return pipeline.compile_to_module(arguments, symbol, halide_target(plan, kernel, target), Halide::LinkageType::External);
  } catch (const Halide::Error& error) {
    throw Failure(Fault::bug, fmt::format("Halide refused the kernel of {} (schedule {}): {}", kernel.name, kernel.schedule, error.what()));
  }
}

}  // namespace

KernelObject compile_kernel(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, const std::string& symbol) {
  Halide::Module module = lower(plan, kernel, target, symbol);
  const TemporaryFile file;
  module.compile({{Halide::OutputFileType::object, file.path}});
  return {symbol, file.contents(), scratch_of(module)};
}

std::string describe_kernel(const plan::Plan& plan, const plan::Kernel& kernel, const plan::Target& target, const std::string& symbol,
                            const std::string& form) {
  Halide::Module module = lower(plan, kernel, target, symbol);
  const TemporaryFile file;
  const auto type = form == "stmt"  ? Halide::OutputFileType::stmt
                    : form == "asm" ? Halide::OutputFileType::assembly
                                    : Halide::OutputFileType::llvm_assembly;
  module.compile({{type, file.path}});
  const std::vector<std::byte> bytes = file.contents();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace calotype::codegen
