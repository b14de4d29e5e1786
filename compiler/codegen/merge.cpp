/// \file
/// lld and objcopy as functions.
#include "codegen/merge.h"

#include <fmt/format.h>
#include <lld/Common/Driver.h>
#include <llvm/ObjCopy/CommonConfig.h>
#include <llvm/ObjCopy/ConfigManager.h>
#include <llvm/ObjCopy/ObjCopy.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/raw_ostream.h>

#include <deque>
#include <mutex>
#include <set>

#include "cache/atomic_output.h"
#include "ir/failure.h"

LLD_HAS_DRIVER(elf)

namespace calotype::codegen {
namespace {

constexpr std::string_view entry_points[] = {"open", "run", "close", "status_text"};

llvm::StringRef as_reference(std::string_view text) { return {text.data(), text.size()}; }

/// The value, or its error as a Failure.
template <typename T>
T take(llvm::Expected<T> expected, std::string_view doing) {
  if (expected) return std::move(*expected);
  throw Failure(Fault::bug, fmt::format("{}: {}", doing, llvm::toString(expected.takeError())));
}

void require(llvm::Error error, Fault fault, std::string_view doing) {
  if (error) throw Failure(fault, fmt::format("{}: {}", doing, llvm::toString(std::move(error))));
}

void add(llvm::objcopy::NameMatcher& matcher, llvm::StringRef name) {
  require(matcher.addMatcher(
              llvm::objcopy::NameOrPattern::create(name, llvm::objcopy::MatchStyle::Literal, [](llvm::Error error) { return error; })),
          Fault::bug, "objcopy");
}

/// Nothing of the merged object may be left to the user's program but the C library and the members beside it.
void check_undefined(const llvm::object::ObjectFile& object) {
  std::set<std::string> unknown;
  for (const llvm::object::SymbolRef& symbol : object.symbols()) {
    const std::uint32_t flags = take(symbol.getFlags(), "reading symbols");
    if ((flags & llvm::object::SymbolRef::SF_Undefined) == 0) continue;
    const llvm::StringRef name = take(symbol.getName(), "reading symbols");
    if (name.starts_with("halide_") || name.starts_with("calotype_kernel") || name.starts_with("calotype_model"))
      unknown.insert(name.str());
  }
  std::string list;
  for (const std::string& name : unknown) list += (list.empty() ? "" : ", ") + name;
  if (!unknown.empty()) throw Failure(Fault::bug, fmt::format("the generated code calls what the run time does not have: {}", list));
}

/// New names for the functions of kernels and for their sections.
struct KernelNames {
  std::deque<std::string> texts;  ///< what the maps of objcopy refer to
  int loops = 0;

  /// `name` with the kernel's symbol at its start replaced, or nothing if it belongs to no kernel.
  const std::string* of(llvm::StringRef name, const std::vector<std::string>& kernel_symbols) {
    for (std::size_t i = 0; i < kernel_symbols.size(); ++i) {
      if (!name.starts_with(kernel_symbols[i])) continue;
      const bool whole = name.size() == kernel_symbols[i].size();
      return &texts.emplace_back(whole ? fmt::format("kernel_{}", i) : fmt::format("kernel_{}_loop_{}", i, loops++));
    }
    return nullptr;
  }
};

void rename_kernels(const llvm::object::ObjectFile& object, const std::vector<std::string>& kernel_symbols, KernelNames& names,
                    llvm::objcopy::CommonConfig& common) {
  for (const llvm::object::SymbolRef& symbol : object.symbols()) {
    const llvm::StringRef name = take(symbol.getName(), "reading symbols");
    if (const std::string* renamed = names.of(name, kernel_symbols)) common.SymbolsToRename[name] = *renamed;
  }
  for (const llvm::object::SectionRef& section : object.sections()) {
    llvm::StringRef name = take(section.getName(), "reading sections");
    const llvm::StringRef whole = name;
    if (!name.consume_front(".text.") || common.SectionsToRename.contains(whole)) continue;
    if (const std::string* renamed = names.of(name, kernel_symbols)) {
      llvm::objcopy::SectionRename rename;
      rename.OriginalName = whole;
      rename.NewName = names.texts.emplace_back(".text." + *renamed);
      common.SectionsToRename[whole] = rename;
    }
  }
}

std::string rename_and_hide(const std::filesystem::path& merged, const std::vector<std::string>& kernel_symbols, std::string_view name) {
  auto binary = take(llvm::object::createBinary(merged.string()), "reading the merged object");
  const auto& object = llvm::cast<llvm::object::ObjectFile>(*binary.getBinary());
  check_undefined(object);

  llvm::objcopy::ConfigManager configuration;
  llvm::objcopy::CommonConfig& common = configuration.Common;
  const std::string input = merged.string();
  common.InputFilename = input;
  common.OutputFilename = input;
  common.StripUnneeded = true;
  std::vector<std::string> texts;
  texts.reserve(2 * std::size(entry_points));  // StringRefs point into it
  for (const std::string_view entry : entry_points) {
    const std::string& from = texts.emplace_back(fmt::format("calotype_model_{}", entry));
    const std::string& to = texts.emplace_back(fmt::format("{}_{}", name, entry));
    common.SymbolsToRename[from] = to;
    add(common.SymbolsToKeepGlobal, from);
    llvm::objcopy::NameMatcher visible;
    add(visible, from);
    configuration.ELF.SymbolsToSetVisibility.emplace_back(std::move(visible), static_cast<std::uint8_t>(llvm::ELF::STV_DEFAULT));
  }
  KernelNames kernel_names;
  rename_kernels(object, kernel_symbols, kernel_names, common);
  for (const char* section : {".comment", ".llvm_addrsig"}) add(common.ToRemove, section);

  std::string output;
  llvm::raw_string_ostream stream(output);
  require(llvm::objcopy::executeObjcopyOnBinary(configuration, *binary.getBinary(), stream), Fault::bug, "renaming symbols");
  return output;
}

}  // namespace

void run_lld(const std::vector<std::string>& arguments) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  // One thread: a link takes milliseconds, and a process that may fork later had better have no thread pool.
  std::vector<const char*> texts = {"ld.lld", "--threads=1"};
  for (const std::string& argument : arguments) texts.push_back(argument.c_str());
  std::string output, problems;
  llvm::raw_string_ostream output_stream(output), problem_stream(problems);
  const lld::Result result = lld::lldMain(texts, output_stream, problem_stream, {{lld::Gnu, &lld::elf::link}});
  if (result.retCode != 0) throw Failure(Fault::bug, fmt::format("linking failed: {}", problems));
}

std::string merge_objects(const std::vector<ObjectBytes>& objects, const std::vector<std::string>& kernel_symbols, std::string_view name,
                          const std::filesystem::path& work) {
  const std::filesystem::path merged = work / "merged.o";
  std::vector<std::string> arguments = {"-r", "-o", merged.string()};
  int number = 0;
  for (const ObjectBytes& object : objects) {
    const std::filesystem::path path = work / fmt::format("{}-{}.o", number++, object.name);
    cache::write_atomically(path, object.bytes);
    arguments.push_back(path.string());
  }
  run_lld(arguments);
  return rename_and_hide(merged, kernel_symbols, name);
}

std::vector<std::string> global_symbols(const ObjectBytes& object) {
  const auto parsed =
      take(llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(as_reference(object.bytes), object.name)), "reading an object");
  std::vector<std::string> names;
  for (const llvm::object::SymbolRef& symbol : parsed->symbols()) {
    const std::uint32_t flags = take(symbol.getFlags(), "reading symbols");
    if ((flags & llvm::object::SymbolRef::SF_Global) == 0 || (flags & llvm::object::SymbolRef::SF_Undefined) != 0) continue;
    names.push_back(take(symbol.getName(), "reading symbols").str());
  }
  return names;
}

}  // namespace calotype::codegen
