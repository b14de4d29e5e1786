/// \file
/// The driver in LLVM IR. A kernel reads nothing of a halide_buffer_t but `host`, so a call costs a store for each argument: the descriptors are
/// a few slots in the frame, zeroed once and used again by every call.
#include "codegen/driver.h"

#include <fmt/format.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Module.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "cpu/model.h"
#include "ir/checked.h"
#include "ir/failure.h"

namespace calotype::codegen {
namespace {

/// The start of a halide_buffer_t on a 64-bit machine; `host` is its third member.
constexpr std::int64_t descriptor_bytes = 56;
constexpr std::int64_t host_offset = 16;

/// How LLVM calls the baseline of a target's architecture.
struct Baseline {
  const char* triple;
  const char* processor;
};

Baseline baseline_of(const plan::Target& target) {
  return target.architecture == "arm" ? Baseline{"aarch64-unknown-linux-gnu", "generic"} : Baseline{"x86_64-unknown-linux-gnu", "x86-64"};
}

/// Emits the body of the run function. All pointers are i8*.
class Emitter {
 public:
  Emitter(llvm::Module& module, const plan::Plan& plan) : module_(module), plan_(plan), builder_(module.getContext()) {}

  /// int run(void *context, unsigned char *const *io, unsigned char *arena, const unsigned char *weights)
  llvm::Function* emit(bool step_times) {
    llvm::Type* pointer = builder_.getPtrTy();
    llvm::Type* status = builder_.getInt32Ty();
    function_ = llvm::Function::Create(llvm::FunctionType::get(status, {pointer, pointer, pointer, pointer}, false),
                                       llvm::Function::InternalLinkage, "calotype_run_steps", module_);
    function_->setDoesNotThrow();
    builder_.SetInsertPoint(llvm::BasicBlock::Create(module_.getContext(), "entry", function_));
    allocate_descriptors();
    llvm::Value* times = step_times ? caller(static_cast<int>(plan_.inputs.size() + plan_.results.size())) : nullptr;
    std::int64_t step_number = 0;
    const auto note_time = [&] {
      if (times != nullptr) builder_.CreateStore(read_counter(), at(times, std::int64_t{8} * step_number++));
    };
    for (const plan::Step& step : plan_.steps) {
      note_time();
      const auto index = static_cast<std::size_t>(step.index);
      if (step.kind == plan::Step::Kind::kernel) {
        call(plan_.kernels[index]);
      } else {
        zero_halo(plan_.buffers[index]);
      }
    }
    note_time();
    builder_.CreateRet(builder_.getInt32(0));
    return function_;
  }

 private:
  llvm::Value* at(llvm::Value* base, std::int64_t offset) {
    return builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), base, static_cast<std::uint64_t>(offset));
  }

  void allocate_descriptors() {
    std::size_t most = 0;
    for (const plan::Kernel& kernel : plan_.kernels) most = std::max(most, kernel.inputs.size() + 1);
    if (most == 0) return;
    const auto bytes = static_cast<std::uint64_t>(descriptor_bytes) * most;
    llvm::AllocaInst* slots = builder_.CreateAlloca(llvm::ArrayType::get(builder_.getInt8Ty(), bytes));
    slots->setAlignment(llvm::Align(16));
    builder_.CreateMemSet(slots, builder_.getInt8(0), bytes, llvm::Align(16));
    for (std::size_t i = 0; i < most; ++i) descriptors_.push_back(at(slots, descriptor_bytes * static_cast<std::int64_t>(i)));
  }

  /// The start of the buffer's memory, halo included.
  llvm::Value* memory_of(const plan::Buffer& buffer) {
    const plan::Place& place = buffer.place;  // aliases have that of the memory they share
    switch (place.kind) {
      case plan::Place::Kind::arena: return at(function_->getArg(2), place.offset);
      case plan::Place::Kind::weights: return at(function_->getArg(3), place.offset);
      case plan::Place::Kind::input: return at(caller(place.index), place.offset);
      case plan::Place::Kind::result: return at(caller(static_cast<int>(plan_.inputs.size()) + place.index), place.offset);
      case plan::Place::Kind::none: break;
    }
    throw Failure(Fault::bug, fmt::format("buffer {} has no place", buffer.name));
  }

  llvm::Value* caller(int index) { return builder_.CreateLoad(builder_.getPtrTy(), at(function_->getArg(1), std::int64_t{8} * index)); }

  llvm::Value* read_counter() { return builder_.CreateCall(llvm::Intrinsic::getDeclaration(&module_, llvm::Intrinsic::readcyclecounter)); }

  void call(const plan::Kernel& kernel) {
    if (kernel.symbol.empty()) throw Failure(Fault::bug, fmt::format("kernel {} has no code", kernel.name));
    std::vector<llvm::Value*> hosts;
    for (const plan::BufferId id : kernel.inputs) hosts.push_back(memory_of(plan_.buffer(id)));
    const plan::Buffer& output = plan_.buffer(kernel.output);
    hosts.push_back(at(memory_of(output), interior_offset(output)));

    std::vector<llvm::Value*> arguments = {function_->getArg(0)};
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      builder_.CreateStore(hosts[i], at(descriptors_[i], host_offset));
      arguments.push_back(descriptors_[i]);
    }
    const std::vector<llvm::Type*> types(arguments.size(), builder_.getPtrTy());
    auto* type = llvm::FunctionType::get(builder_.getInt32Ty(), types, false);
    llvm::Function* function = module_.getFunction(kernel.symbol);
    if (function == nullptr) {
      function = llvm::Function::Create(type, llvm::Function::ExternalLinkage, kernel.symbol, module_);
      function->setDoesNotThrow();
    } else if (function->getFunctionType() != type) {
      throw Failure(Fault::bug, fmt::format("kernels that share {} differ in their operands", kernel.symbol));
    }
    builder_.CreateCall(function, arguments);
  }

  /// Bytes from the start of the memory to the first element that is no halo.
  static std::int64_t interior_offset(const plan::Buffer& buffer) {
    if (!buffer.packed_extents.empty()) return 0;
    std::int64_t elements = 0;
    for (const plan::StorageDimension& dimension : plan::storage_of(buffer.type, buffer.layout))
      elements -= dimension.min * dimension.stride;
    return checked_multiply(elements, bytes_of(buffer.type.element));
  }

  void zero_halo(const plan::Buffer& buffer) {
    const std::vector<plan::StorageDimension> dimensions = plan::storage_of(buffer.type, buffer.layout);
    zero_around(buffer, dimensions, static_cast<int>(dimensions.size()) - 1, memory_of(buffer));
  }

  bool has_halo_up_to(const plan::Buffer& buffer, const std::vector<plan::StorageDimension>& dimensions, int level) const {
    for (int inner = 0; inner <= level; ++inner) {
      const auto& dimension = dimensions[static_cast<std::size_t>(inner)];
      if (dimension.role == plan::StorageDimension::Role::whole &&
          dimension.extent > buffer.type.extents[static_cast<std::size_t>(dimension.logical)])
        return true;
    }
    return false;
  }

  /// Zeroes the halo of dimension `level` and, for each of its interior cells, that of the dimensions inside it.
  void zero_around(const plan::Buffer& buffer, const std::vector<plan::StorageDimension>& dimensions, int level, llvm::Value* base) {
    if (level < 0 || !has_halo_up_to(buffer, dimensions, level)) return;
    const plan::StorageDimension& dimension = dimensions[static_cast<std::size_t>(level)];
    const std::int64_t cell = checked_multiply(dimension.stride, bytes_of(buffer.type.element));
    const std::int64_t begin = -dimension.min;
    const std::int64_t interior = dimension.role == plan::StorageDimension::Role::whole
                                      ? buffer.type.extents[static_cast<std::size_t>(dimension.logical)]
                                      : dimension.extent;
    const std::int64_t end = dimension.extent - begin - interior;
    const auto zero = [&](std::int64_t first, std::int64_t cells) {
      if (cells > 0 && cell > 0)
        builder_.CreateMemSet(at(base, first * cell), builder_.getInt8(0), static_cast<std::uint64_t>(cells * cell), llvm::Align(1));
    };
    zero(0, begin);
    zero(begin + interior, end);
    if (interior <= 0 || !has_halo_up_to(buffer, dimensions, level - 1)) return;
    loop(interior, [&](llvm::Value* index) {
      llvm::Value* offset = builder_.CreateMul(index, builder_.getInt64(static_cast<std::uint64_t>(cell)));
      llvm::Value* inside = builder_.CreateInBoundsGEP(builder_.getInt8Ty(), at(base, begin * cell), offset);
      zero_around(buffer, dimensions, level - 1, inside);
    });
  }

  /// for (index = 0; index < count; ++index) body(index), with count at least 1.
  template <typename Body>
  void loop(std::int64_t count, Body body) {
    if (count == 1) return body(builder_.getInt64(0));
    llvm::BasicBlock* before = builder_.GetInsertBlock();
    llvm::BasicBlock* head = llvm::BasicBlock::Create(module_.getContext(), "loop", function_);
    llvm::BasicBlock* after = llvm::BasicBlock::Create(module_.getContext(), "after", function_);
    builder_.CreateBr(head);
    builder_.SetInsertPoint(head);
    llvm::PHINode* index = builder_.CreatePHI(builder_.getInt64Ty(), 2);
    index->addIncoming(builder_.getInt64(0), before);
    body(index);
    llvm::Value* next = builder_.CreateAdd(index, builder_.getInt64(1));
    index->addIncoming(next, builder_.GetInsertBlock());
    builder_.CreateCondBr(builder_.CreateICmpEQ(next, builder_.getInt64(static_cast<std::uint64_t>(count))), after, head);
    after->moveAfter(builder_.GetInsertBlock());
    builder_.SetInsertPoint(after);
  }

  llvm::Module& module_;
  const plan::Plan& plan_;
  llvm::IRBuilder<> builder_;
  llvm::Function* function_ = nullptr;
  std::vector<llvm::Value*> descriptors_;
};

/// The constant `calotype_this_model`. The structs' members are those of calotype_model and calotype_variant, in order and without padding.
void define_model(llvm::Module& module, const std::vector<Variant>& list, const DriverFacts& facts) {
  static_assert(sizeof(calotype_variant) == 32 && offsetof(calotype_variant, arena_bytes) == 16);
  static_assert(sizeof(calotype_model) == 64 && offsetof(calotype_model, weights_bytes) == 16 && offsetof(calotype_model, name) == 40);
  llvm::LLVMContext& context = module.getContext();
  llvm::IRBuilder<> builder(context);
  const auto constant = [&](llvm::Constant* initializer, const char* name, llvm::GlobalValue::LinkageTypes linkage) {
    return new llvm::GlobalVariable(module, initializer->getType(), true, linkage, initializer, name);
  };
  const auto word = [&](std::int64_t number) { return builder.getInt64(static_cast<std::uint64_t>(number)); };

  std::vector<llvm::Constant*> entries;
  for (const Variant& variant : list) {
    const plan::Plan& plan = *variant.plan;
    entries.push_back(llvm::ConstantStruct::getAnon(
        context, {builder.getInt64(required_features(variant.target)), Emitter(module, plan).emit(facts.step_times), word(plan.arena_bytes),
                  word(plan.scratch_bytes)}));
  }
  auto* table = llvm::ArrayType::get(entries.front()->getType(), entries.size());
  llvm::Constant* variants = constant(llvm::ConstantArray::get(table, entries), "calotype_variants", llvm::GlobalValue::InternalLinkage);
  llvm::Constant* name =
      constant(llvm::ConstantDataArray::getString(context, facts.name), "calotype_model_name", llvm::GlobalValue::InternalLinkage);
  llvm::Constant* weights = llvm::ConstantPointerNull::get(builder.getPtrTy());
  if (!facts.weights_symbol.empty()) {
    auto* symbol =
        new llvm::GlobalVariable(module, builder.getInt8Ty(), true, llvm::GlobalValue::ExternalLinkage, nullptr, facts.weights_symbol);
    symbol->setVisibility(llvm::GlobalValue::HiddenVisibility);
    weights = symbol;
  }
  const std::size_t pointers = list.front().plan->inputs.size() + list.front().plan->results.size() + (facts.step_times ? 1 : 0);
  llvm::Constant* model = llvm::ConstantStruct::getAnon(
      context, {builder.getInt32(CALOTYPE_ABI), builder.getInt32(static_cast<std::uint32_t>(pointers)),
                builder.getInt32(static_cast<std::uint32_t>(list.size())), builder.getInt32(0), word(facts.weights_bytes),
                llvm::ConstantDataArray::get(context, llvm::ArrayRef<std::uint8_t>(facts.weight_hash)), name, weights, variants});
  constant(model, "calotype_this_model", llvm::GlobalValue::ExternalLinkage)->setVisibility(llvm::GlobalValue::HiddenVisibility);
}

std::unique_ptr<llvm::TargetMachine> make_machine(const Baseline& baseline) {
  static std::once_flag initialized;
  std::call_once(initialized, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64Target();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmPrinter();
  });
  std::string error;
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(baseline.triple, error);
  if (target == nullptr) throw Failure(Fault::machine, fmt::format("the LLVM library lacks a code generator: {}", error));
  llvm::TargetOptions options;
  options.FunctionSections = true;
  options.DataSections = true;
  return std::unique_ptr<llvm::TargetMachine>(
      target->createTargetMachine(baseline.triple, baseline.processor, "", options, llvm::Reloc::PIC_));
}

}  // namespace

std::vector<std::byte> make_driver(const std::vector<Variant>& variants, const DriverFacts& facts) {
  const Baseline baseline = baseline_of(variants.front().target);
  const std::unique_ptr<llvm::TargetMachine> machine = make_machine(baseline);
  llvm::LLVMContext context;
  llvm::Module module("driver", context);
  module.setTargetTriple(baseline.triple);
  module.setDataLayout(machine->createDataLayout());
  module.setPICLevel(llvm::PICLevel::BigPIC);
  define_model(module, variants, facts);

  std::string problem;
  llvm::raw_string_ostream problems(problem);
  if (llvm::verifyModule(module, &problems)) throw Failure(Fault::bug, fmt::format("the driver is malformed: {}", problem));
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, llvm::CodeGenFileType::ObjectFile)) {
    throw Failure(Fault::bug, "LLVM cannot write object files for this target");
  }
  passes.run(module);
  const auto* first = reinterpret_cast<const std::byte*>(bytes.data());
  return {first, first + bytes.size()};
}

std::uint64_t required_features(const plan::Target& target) {
  // Halide compiles for a CPU by name (haswell, skylake-avx512, cannonlake, znver4, sapphirerapids), so LLVM may use whatever that one has.
  static const std::map<std::string_view, std::vector<calotype_cpu_feature>> needs = {
      {"sse41", {CALOTYPE_CPU_SSE41}},
      {"avx", {CALOTYPE_CPU_AVX, CALOTYPE_CPU_SSE42, CALOTYPE_CPU_POPCNT}},
      {"f16c", {CALOTYPE_CPU_F16C}},
      {"fma", {CALOTYPE_CPU_FMA}},
      {"avx2", {CALOTYPE_CPU_AVX2, CALOTYPE_CPU_BMI1, CALOTYPE_CPU_BMI2}},
      {"avxvnni", {CALOTYPE_CPU_AVXVNNI}},
      {"avx512", {CALOTYPE_CPU_AVX512F, CALOTYPE_CPU_AVX512CD}},
      {"avx512_skylake", {CALOTYPE_CPU_AVX512BW, CALOTYPE_CPU_AVX512DQ, CALOTYPE_CPU_AVX512VL}},
      {"avx512_cannonlake", {CALOTYPE_CPU_AVX512IFMA, CALOTYPE_CPU_AVX512VBMI}},
      {"avx512_zen4",
       {CALOTYPE_CPU_AVX512VBMI2, CALOTYPE_CPU_AVX512VNNI, CALOTYPE_CPU_AVX512BITALG, CALOTYPE_CPU_AVX512VPOPCNTDQ, CALOTYPE_CPU_AVX512BF16,
        CALOTYPE_CPU_GFNI}},
      {"avx512_sapphirerapids", {CALOTYPE_CPU_AVX512FP16}},
      {"arm_dot_prod", {CALOTYPE_CPU_ARM_DOTPROD}},
      {"arm_fp16", {CALOTYPE_CPU_ARM_FP16}},
  };
  std::uint64_t mask = 0;
  for (const std::string& feature : target.features) {
    const auto found = needs.find(feature);
    if (found == needs.end()) {
      if (feature == "avx512_zen5" || feature == "avx512_knl") {
        throw Failure(Fault::unsupported, fmt::format("no run-time check exists for CPUs with {}; name an older instruction set", feature));
      }
      throw Failure(Fault::bug, fmt::format("no feature bits are known for {}", feature));
    }
    for (const calotype_cpu_feature bit : found->second) mask |= CALOTYPE_CPU_BIT(bit);
  }
  // Code for znver4 may hold SSE4A, which no Intel CPU has; code for sapphirerapids does not.
  if (target.has("avx512_zen4") && !target.has("avx512_sapphirerapids")) mask |= CALOTYPE_CPU_BIT(CALOTYPE_CPU_SSE4A);
  return mask;
}

}  // namespace calotype::codegen
