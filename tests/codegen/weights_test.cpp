/// \file
/// Weights as they are packed, and the object that carries them, read back with LLVM.
#include "codegen/weights.h"

#include <gtest/gtest.h>
#include <llvm/Object/ELFObjectFile.h>

#include <cstring>

#include "cache/cache.h"
#include "command.h"
#include "cpu/model.h"
#include "ir/failure.h"
#include "toy_model.h"

namespace calotype::codegen {
namespace {

WeightBlob write_object(const plan::Plan& plan, const std::string& symbol, const std::filesystem::path& path) {
  FileWriter file(path);
  const WeightBlob blob = write_weight_object({&plan}, symbol, plan::parse_target("x86-64-linux"), file);
  file.close();
  return blob;
}

std::string blob_of(const std::string& object, const std::string& symbol, std::uint64_t& alignment) {
  auto file = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "weights.o"));
  if (!file) ADD_FAILURE() << llvm::toString(file.takeError());
  for (const llvm::object::SymbolRef& entry : (*file)->symbols()) {
    if (llvm::cantFail(entry.getName()) != symbol) continue;
    const llvm::object::SectionRef section = *llvm::cantFail(entry.getSection());
    alignment = section.getAlignment().value();
    const llvm::StringRef bytes = llvm::cantFail(section.getContents());
    return bytes.substr(llvm::cantFail(entry.getValue()), llvm::object::ELFSymbolRef(entry).getSize()).str();
  }
  ADD_FAILURE() << "no symbol " << symbol;
  return {};
}

TEST(Weights, ObjectHoldsTheBlob) {
  const TestFolder folder;
  const plan::Plan plan = toy_plan();
  const WeightBlob blob = write_object(plan, "toy_weights", folder / "weights.o");
  EXPECT_EQ(blob.bytes, 192);
  std::uint64_t alignment = 0;
  const std::string bytes = blob_of(read_text(folder / "weights.o"), "toy_weights", alignment);
  EXPECT_EQ(alignment, 64u);
  std::string expected(192, '\0');
  const float numbers[] = {2, -1, 0.5f};
  std::memcpy(expected.data() + 128, numbers, sizeof numbers);
  EXPECT_EQ(bytes, expected);
  std::string digits;
  for (const std::uint8_t byte : blob.hash) {
    char two[3];
    std::snprintf(two, sizeof two, "%02x", byte);
    digits += two;
  }
  EXPECT_EQ(digits, cache::hash_text(expected).substr(0, 32));
}

TEST(Weights, LargeBlobsAreAlignedToHugePages) {
  const TestFolder folder;
  for (const std::int64_t bytes : {(4 << 20) - 64, 4 << 20}) {
    plan::Plan plan = toy_plan();
    plan.weight_bytes = bytes;
    write_object(plan, "w", folder / "weights.o");
    std::uint64_t alignment = 0;
    EXPECT_EQ(blob_of(read_text(folder / "weights.o"), "w", alignment).size(), static_cast<std::size_t>(bytes));
    EXPECT_EQ(alignment, bytes < 4 << 20 ? 64U : 2U << 20);
  }
}

TEST(Weights, ObjectIsWhatOtherToolsCallWellFormed) {
  const TestFolder folder;
  write_object(toy_plan(), "toy_weights", folder / "weights.o");
  const CommandResult result = run_command("readelf --wide --all --lint " + (folder / "weights.o").string());
  EXPECT_EQ(result.status, 0) << result.output;
  std::string output = result.output;
  const std::string empty_note = "Section '.note.GNU-stack': has a size of zero";  // as it has in every object
  if (const std::size_t at = output.find("Warning: " + empty_note); at != std::string::npos) output.erase(at, 8);
  EXPECT_EQ(output.find("arning"), std::string::npos) << output;
  EXPECT_NE(result.output.find("HIDDEN"), std::string::npos) << result.output;
}

TEST(Weights, FileBeginsWithItsHeader) {
  const TestFolder folder;
  const plan::Plan plan = toy_plan();
  const WeightBlob in_object = write_object(plan, "w", folder / "weights.o");
  const WeightBlob in_file = write_weight_file({&plan}, folder / "toy.weights");
  EXPECT_EQ(in_object.hash, in_file.hash);
  const std::string file = read_text(folder / "toy.weights");
  ASSERT_EQ(file.size(), 64u + 192u);
  calotype_weights_header header;
  std::memcpy(&header, file.data(), sizeof header);
  EXPECT_EQ(std::memcmp(header.magic, "CALOWGT1", 8), 0);
  EXPECT_EQ(header.bytes[0], 192);
  EXPECT_EQ(std::memcmp(header.hash, in_file.hash.data(), 16), 0);
  float number;
  std::memcpy(&number, file.data() + 64 + 128, sizeof number);
  EXPECT_EQ(number, 2);
}

/// Packs numbers 1, 2, 3... of the given type.
std::vector<float> packed(const TensorType& type, const plan::Layout& layout) {
  plan::Plan plan;
  std::vector<float> numbers(static_cast<std::size_t>(type.elements()));
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i + 1);
  Value value;
  value.type = type;
  value.data = own(type, numbers);
  plan::Buffer buffer;
  buffer.name = "weight";
  buffer.type = type;
  buffer.layout = layout;
  buffer.value = add_value(plan.graph, value);
  std::vector<float> result(static_cast<std::size_t>(buffer.bytes()) / sizeof(float), -1);
  pack_weight(plan, buffer, std::as_writable_bytes(std::span(result)));
  return result;
}

TEST(Weights, LayoutsAreApplied) {
  using Family = plan::Layout::Family;
  EXPECT_EQ(packed({ElementType::f32, {1, 3, 2}}, {}), std::vector<float>({1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(packed({ElementType::f32, {1, 3, 2}}, {Family::channels_last}), std::vector<float>({1, 3, 5, 2, 4, 6}));
  EXPECT_EQ(packed({ElementType::f32, {1, 3, 2}}, {Family::blocked, 2}), std::vector<float>({1, 3, 2, 4, 5, 0, 6, 0}));
  EXPECT_EQ(packed({ElementType::f32, {1, 1, 2}}, {Family::planar, 1, {1}, {2}}), std::vector<float>({0, 1, 2, 0, 0}));
}

TEST(Weights, PackingOfAKernelIsUsed) {
  plan::Plan plan = toy_plan();
  plan::Buffer& buffer = plan.buffers[2];
  buffer.packed_extents = {8};
  buffer.pack = [](const TensorData& source, std::span<std::byte> destination) {
    for (std::int64_t i = 0; i < 3; ++i) {
      const float number = load<float>(source, 2 - i);
      std::memcpy(destination.data() + 4 * i, &number, 4);
    }
  };
  std::vector<float> result(8, -1);
  pack_weight(plan, buffer, std::as_writable_bytes(std::span(result)));
  EXPECT_EQ(result, std::vector<float>({0.5f, -1, 2, 0, 0, 0, 0, 0}));
}

TEST(Weights, EqualOffsetsAreWrittenOnceAndOverlapsAreFound) {
  const TestFolder folder;
  plan::Plan plan = toy_plan();
  plan.buffers.push_back(plan.buffers[2]);
  EXPECT_EQ(write_weight_file({&plan}, folder / "w").bytes, 192);
  plan.buffers.back().place.offset = 132;
  EXPECT_THROW(write_weight_file({&plan}, folder / "w"), Failure);
}

TEST(Weights, PlansShareWhatTheyPackAlike) {
  // Three plans of one graph: equal, equal, and one that packs otherwise.
  std::vector<plan::Plan> plans(3, toy_plan());
  plans[1].graph = plans[0].graph;
  plans[2].graph = plans[0].graph;
  plans[2].buffers[2].packed_extents = {8};
  plans[2].buffers[2].packing = "eight";
  share_weights(plans);
  EXPECT_EQ(plans[0].buffers[2].place.offset, 0);
  EXPECT_EQ(plans[1].buffers[2].place.offset, 0);
  EXPECT_EQ(plans[2].buffers[2].place.offset, 64);
  for (const plan::Plan& plan : plans) EXPECT_EQ(plan.weight_bytes, 128);
}

}  // namespace
}  // namespace calotype::codegen
