/// \file
/// Bytes as they lie in the file, or numbers in one of protobuf's repeated fields; never more than the file holds.
#include "frontend/onnx/tensor.h"

#include <fmt/format.h>

#include <charconv>

#include "layers/onnx.h"
#include "onnx-ml.pb.h"

namespace calotype::frontend::onnx {
namespace {

using Proto = ::onnx::TensorProto;

std::int64_t number_of(const std::string& text, const std::string& tensor) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) {
    throw Failure(Fault::input, fmt::format("tensor {}: external data has \"{}\" where a number must stand", tensor, text));
  }
  return number;
}

formats::MappedFile external_bytes(const Proto& proto, ExternalData& files) {
  std::string location;
  std::int64_t offset = 0, length = -1;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") offset = number_of(entry.value(), proto.name());
    if (entry.key() == "length") length = number_of(entry.value(), proto.name());
  }
  return files.read(location, offset, length);
}

[[noreturn]] void wrong_size(const Proto& proto, const TensorType& type, std::size_t has, const char* unit) {
  throw Failure(Fault::input, fmt::format("tensor {} is {}, but the file holds {} {}", proto.name(), to_text(type), has, unit));
}

/// The numbers of a repeated field, each cut down to the type of an element.
template <typename Element, typename Field>
TensorData from_field(const Proto& proto, const TensorType& type, const Field& field) {
  if (static_cast<std::int64_t>(field.size()) != type.elements())
    wrong_size(proto, type, static_cast<std::size_t>(field.size()), "numbers");
  std::vector<Element> numbers;
  numbers.reserve(static_cast<std::size_t>(field.size()));
  for (const auto number : field) numbers.push_back(static_cast<Element>(number));
  return own(type, std::move(numbers));
}

TensorData from_fields(const Proto& proto, const TensorType& type) {
  switch (type.element) {
    case ElementType::f32: return from_field<float>(proto, type, proto.float_data());
    case ElementType::f64: return from_field<double>(proto, type, proto.double_data());
    case ElementType::i64: return from_field<std::int64_t>(proto, type, proto.int64_data());
    case ElementType::u64: return from_field<std::uint64_t>(proto, type, proto.uint64_data());
    case ElementType::u32: return from_field<std::uint32_t>(proto, type, proto.uint64_data());
    case ElementType::i32: return from_field<std::int32_t>(proto, type, proto.int32_data());
    case ElementType::i16: return from_field<std::int16_t>(proto, type, proto.int32_data());
    case ElementType::i8: return from_field<std::int8_t>(proto, type, proto.int32_data());
    case ElementType::u16:
    case ElementType::f16:
    case ElementType::bf16: return from_field<std::uint16_t>(proto, type, proto.int32_data());
    case ElementType::u8: return from_field<std::uint8_t>(proto, type, proto.int32_data());
    case ElementType::boolean: return from_field<std::uint8_t>(proto, type, proto.int32_data());
  }
  throw Failure(Fault::bug, "an element type is not handled");
}

/// A bool is 0 or 1, whatever byte stands in the file.
Numbers normalized(Numbers numbers) {
  if (numbers.type().element != ElementType::boolean) return numbers;
  const TensorData data = numbers.read();
  std::vector<std::uint8_t> flags;
  for (const std::byte byte : data.bytes) flags.push_back(byte == std::byte{0} ? 0 : 1);
  return own(data.type, std::move(flags));
}

}  // namespace

ElementType element_type(int number, const std::string& what) {
  if (const std::optional<ElementType> element = layers::element_type_of_onnx(number)) return *element;
  const std::string name = ::onnx::TensorProto_DataType_IsValid(number)
                               ? ::onnx::TensorProto_DataType_Name(static_cast<::onnx::TensorProto_DataType>(number))
                               : fmt::format("data type {}", number);
  throw Failure(Fault::unsupported, fmt::format("{} is {}, a type that Calotype has not", what, name));
}

Numbers read_tensor(const Proto& proto, const std::shared_ptr<const void>& owner, ExternalData& files,
                    const std::optional<formats::MappedFile>& raw) {
  TensorType type{element_type(proto.data_type(), "tensor " + proto.name()), {}};
  if (proto.has_segment()) throw Failure(Fault::unsupported, fmt::format("tensor {} is stored in segments", proto.name()));
  for (const std::int64_t extent : proto.dims()) {
    if (extent < 0) throw Failure(Fault::input, fmt::format("tensor {} has the extent {}", proto.name(), extent));
    type.extents.push_back(extent);
  }
  const std::int64_t bytes = type.bytes();

  if (proto.data_location() == ::onnx::TensorProto_DataLocation_EXTERNAL) {
    const formats::MappedFile file = external_bytes(proto, files);
    if (static_cast<std::int64_t>(file.bytes.size()) != bytes) wrong_size(proto, type, file.bytes.size(), "bytes");
    return normalized(formats::numbers_in(file, type));
  }
  if (raw) {
    if (static_cast<std::int64_t>(raw->bytes.size()) != bytes) wrong_size(proto, type, raw->bytes.size(), "bytes");
    return normalized(formats::numbers_in(*raw, type));
  }
  if (proto.has_raw_data()) {
    if (static_cast<std::int64_t>(proto.raw_data().size()) != bytes) wrong_size(proto, type, proto.raw_data().size(), "bytes");
    return normalized(TensorData{type, std::as_bytes(std::span(proto.raw_data())), owner});
  }
  return normalized(from_fields(proto, type));
}

}  // namespace calotype::frontend::onnx
