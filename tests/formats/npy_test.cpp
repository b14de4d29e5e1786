/// \file
/// .npy files as NumPy wrote them, files of ours byte for byte as NumPy's, and files that are damaged in every way a byte can be.
#include "formats/npy.h"

#include "ir/failure.h"
#include "reference.h"

namespace calotype::formats {
namespace {

constexpr const char* all_types[] = {"f64", "f32", "f16", "bf16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"};

class EveryType : public testing::TestWithParam<const char*> {};

TEST_P(EveryType, IsReadAsNumPyWroteIt) {
  expect_reference(read_npy(data_path(std::string(GetParam()) + ".npy")), *element_type_of(GetParam()), {2, 3});
}

TEST_P(EveryType, IsWrittenAsNumPyWritesIt) {
  const std::string theirs = data_path(std::string(GetParam()) + ".npy");
  const std::string ours = (fresh_folder() / "ours.npy").string();
  write_npy(ours, read_npy(theirs));
  EXPECT_EQ(bytes_of_file(ours), bytes_of_file(theirs));
}

INSTANTIATE_TEST_SUITE_P(Npy, EveryType, testing::ValuesIn(all_types), [](const auto& info) { return std::string(info.param); });

TEST(Npy, ReadsScalarsVectorsAndEmptyArrays) {
  expect_reference(read_npy(data_path("scalar.npy")), ElementType::f32, {});
  expect_reference(read_npy(data_path("vector.npy")), ElementType::f32, {5});
  expect_reference(read_npy(data_path("empty.npy")), ElementType::f32, {0, 3});
}

TEST(Npy, WritesScalarsVectorsAndEmptyArraysAsNumPy) {
  for (const char* name : {"scalar.npy", "vector.npy", "empty.npy"}) {
    const std::string ours = (fresh_folder() / name).string();
    write_npy(ours, read_npy(data_path(name)));
    EXPECT_EQ(bytes_of_file(ours), bytes_of_file(data_path(name))) << name;
  }
}

TEST(Npy, TurnsColumnMajorAndBigEndianRound) {
  expect_reference(read_npy(data_path("column_major.npy")), ElementType::f32, {2, 3, 4});
  expect_reference(read_npy(data_path("big_endian.npy")), ElementType::f64, {2, 3});
  expect_reference(read_npy(data_path("big_endian_column_major.npy")), ElementType::i16, {2, 3});
}

TEST(Npy, ReadsLaterVersions) {
  expect_reference(read_npy(data_path("version2.npy")), ElementType::f32, {2, 3});
  expect_reference(read_npy(data_path("version3.npy")), ElementType::f32, {2, 3});
}

Fault fault_of(const std::vector<std::byte>& bytes) {
  try {
    parse_npy(bytes, nullptr, "damaged.npy");
  } catch (const Failure& failure) {
    return failure.fault();
  }
  return Fault::bug;
}

TEST(Npy, RefusesWhatItCannotHold) {
  EXPECT_EQ(fault_of(bytes_of_file(data_path("complex.npy"))), Fault::unsupported);
  EXPECT_EQ(fault_of(bytes_of_file(data_path("records.npy"))), Fault::unsupported);
}

TEST(Npy, NamesAMissingFile) {
  try {
    read_npy("no/such/file.npy");
    FAIL() << "read a file that is not there";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::usage);
    EXPECT_NE(std::string(failure.what()).find("no/such/file.npy"), std::string::npos);
  }
}

std::vector<std::byte> with_header(std::string header, std::size_t data_bytes) {
  header.insert(0, {static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)});
  header.insert(0, std::string("\x93NUMPY\x01\x00", 8));
  std::vector<std::byte> bytes(header.size() + data_bytes);
  std::memcpy(bytes.data(), header.data(), header.size());
  return bytes;
}

TEST(Npy, RefusesDamagedHeaders) {
  const char* headers[] = {"",
                           "{",
                           "{}",
                           "{'descr': '<f4'}",
                           "{'descr': '<f4', 'fortran_order': False}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x",
                           "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'shape': (2, 3)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905,)}",
                           "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'other': 1}",
                           "{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}"};
  for (const char* header : headers) EXPECT_EQ(fault_of(with_header(header, 24)), Fault::input) << header;
  EXPECT_EQ(fault_of(with_header(std::string(10001, ' '), 24)), Fault::input);
}

/// Bytes in an array of exactly their size, so that a sanitizer sees a read beyond their end.
void read_whatever(const std::vector<std::byte>& bytes) {
  const std::unique_ptr<std::byte[]> copy(new std::byte[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), copy.get());
  try {
    const TensorData data = parse_npy({copy.get(), bytes.size()}, nullptr, "mutated.npy");
    ASSERT_EQ(static_cast<std::int64_t>(data.bytes.size()), data.type.bytes());
  } catch (const Failure& failure) {
    ASSERT_TRUE(failure.fault() == Fault::input || failure.fault() == Fault::unsupported) << failure.what();
  }
}

TEST(Npy, SurvivesEveryCutAndEveryByte) {
  for (const char* name : {"f32.npy", "version2.npy", "column_major.npy"}) {
    const std::vector<std::byte> whole = bytes_of_file(data_path(name));
    for (std::size_t length = 0; length < whole.size(); ++length) {
      const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
      EXPECT_EQ(fault_of(cut), Fault::input) << name << " cut to " << length;
    }
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (int value = 0; value < 256; ++value) {
        std::vector<std::byte> mutated = whole;
        mutated[at] = static_cast<std::byte>(value);
        read_whatever(mutated);
      }
    }
  }
}

}  // namespace
}  // namespace calotype::formats
