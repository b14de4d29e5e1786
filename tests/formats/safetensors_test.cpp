/// \file
/// safetensors files of the reference package, ours read back, and every rule of the format broken once.
#include "formats/safetensors.h"

#include <random>

#include "ir/failure.h"
#include "reference.h"

namespace calotype::formats {
namespace {

TEST(Safetensors, ReadsWhatTheReferencePackageWrote) {
  WeightStore store;
  read_safetensors(data_path("all_types.safetensors"), store);
  EXPECT_EQ(store.tensors.size(), 14U);
  for (const char* name : {"f64", "f32", "f16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"}) {
    ASSERT_TRUE(store.tensors.contains(name)) << name;
    expect_reference(store.tensors.at(name).data.read(), *element_type_of(name), {2, 3});
  }
  expect_reference(store.tensors.at("layer.weight").data.read(), ElementType::f32, {4, 2});
  expect_reference(store.tensors.at("empty").data.read(), ElementType::f32, {0, 3});
  read_safetensors(data_path("bf16.safetensors"), store);
  expect_reference(store.tensors.at("bf16").data.read(), ElementType::bf16, {2, 3});
}

TEST(Safetensors, ReadsBackWhatItWrote) {
  WeightStore theirs;
  read_safetensors(data_path("all_types.safetensors"), theirs);
  std::map<std::string, TensorData> tensors;
  for (const auto& [name, tensor] : theirs.tensors) tensors.emplace(name, tensor.data.read());
  const std::string path = (fresh_folder() / "ours.safetensors").string();
  write_safetensors(path, tensors);
  WeightStore ours;
  read_safetensors(path, ours);
  ASSERT_EQ(ours.tensors.size(), tensors.size());
  expect_reference(ours.tensors.at("f16").data.read(), ElementType::f16, {2, 3});
  expect_reference(ours.tensors.at("layer.weight").data.read(), ElementType::f32, {4, 2});
}

TEST(Safetensors, RefusesATensorThatTwoFilesHold) {
  WeightStore store;
  read_safetensors(data_path("bf16.safetensors"), store);
  try {
    read_safetensors(data_path("bf16.safetensors"), store);
    FAIL() << "took a tensor twice";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::input);
    EXPECT_NE(std::string(failure.what()).find("bf16"), std::string::npos);
  }
}

std::vector<std::byte> file_of(const std::string& header, std::size_t data_bytes, std::uint64_t claimed = UINT64_MAX) {
  std::vector<std::byte> bytes(8 + header.size() + data_bytes);
  const std::uint64_t length = claimed == UINT64_MAX ? header.size() : claimed;
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>((length >> (8 * i)) & 255);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

/// The fault, or `bug` where the file was taken.
Fault fault_of(const std::vector<std::byte>& bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);  // exactly their size: a sanitizer sees reads beyond
  std::copy(bytes.begin(), bytes.end(), copy.get());
  WeightStore store;
  try {
    parse_safetensors({copy.get(), bytes.size()}, nullptr, "damaged.safetensors", store);
  } catch (const Failure& failure) {
    return failure.fault();
  }
  for (const auto& [name, tensor] : store.tensors) {
    EXPECT_EQ(static_cast<std::int64_t>(tensor.data.read().bytes.size()), tensor.data.type().bytes());
  }
  return Fault::bug;
}

TEST(Safetensors, TakesTheSmallestFiles) {
  EXPECT_EQ(fault_of(file_of("{}", 0)), Fault::bug);
  EXPECT_EQ(fault_of(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}   )", 8)), Fault::bug);
  EXPECT_EQ(fault_of(file_of(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4)), Fault::bug);
}

TEST(Safetensors, RefusesEveryBrokenRule) {
  struct Case {
    const char* what;
    std::string header;
    std::size_t bytes;
  };
  const Case cases[] = {
      {"no JSON", "{", 0},
      {"a list", "[]", 0},
      {"leading space", " {}", 0},
      {"bytes that no tensor has", "{}", 4},
      {"a hole at the start", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8},
      {"a hole between", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}})",
       12},
      {"an overlap", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8},
      {"the same bytes twice",
       R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4},
      {"an end beyond the file", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4},
      {"a shape that is not its bytes", R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8},
      {"offsets in reverse", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8},
      {"a product beyond 64 bits", R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0},
      {"a product that wraps to 8", R"({"a":{"dtype":"F32","shape":[4611686018427387906],"data_offsets":[0,8]}})", 8},
      {"a negative extent", R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8},
      {"a fraction", R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", 8},
      {"an offset above 63 bits", R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}})", 8},
      {"a duplicate", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4},
      {"an unknown key", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4},
      {"no dtype", R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4},
      {"a dtype that is no string", R"({"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}})", 4},
      {"one offset", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}})", 4},
      {"a shape that is no list", R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4},
      {"an entry that is no object", R"({"a":1})", 0},
      {"deep nesting", R"({"a":{"shape":[[[[[[[[1]]]]]]]]}})", 0},
  };
  for (const Case& broken : cases) EXPECT_EQ(fault_of(file_of(broken.header, broken.bytes)), Fault::input) << broken.what;
  EXPECT_EQ(fault_of({}), Fault::input);
  EXPECT_EQ(fault_of(file_of("{}", 0, 3)), Fault::input) << "a header beyond the file";
  EXPECT_EQ(fault_of(file_of("{}", 0, 100'000'001)), Fault::input) << "a header above 100 MB";
  EXPECT_EQ(fault_of(file_of("{}", 0, UINT64_MAX - 4)), Fault::input) << "a length that wraps";
  EXPECT_EQ(fault_of(file_of(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1)), Fault::unsupported);
}

TEST(Safetensors, SurvivesEveryCutAndRandomBytes) {
  const std::vector<std::byte> whole = bytes_of_file(data_path("all_types.safetensors"));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(fault_of(cut), Fault::input) << length;
  }
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> mutated = whole;
    for (auto changes = 1 + random() % 3; changes > 0; --changes) mutated[random() % mutated.size()] = static_cast<std::byte>(random());
    const Fault fault = fault_of(mutated);
    ASSERT_TRUE(fault == Fault::bug || fault == Fault::input || fault == Fault::unsupported);
  }
}

}  // namespace
}  // namespace calotype::formats
