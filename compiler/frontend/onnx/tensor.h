#pragma once
/// \file
/// TensorProto to tensors.
#include "frontend/onnx/external_data.h"
#include "ir/numbers.h"

namespace onnx {
class TensorProto;
}

namespace calotype::frontend::onnx {

/// `owner` keeps the proto alive: bytes are not copied where they lie as they should. `raw`, if there, is the raw data that was cut out of the
/// proto (large_tensors.h). Throws Failure: unsupported for an element type that Calotype has not, input where the bytes are not those of
/// the shape.
Numbers read_tensor(const ::onnx::TensorProto& proto, const std::shared_ptr<const void>& owner, ExternalData& files,
                    const std::optional<formats::MappedFile>& raw = {});

/// The element type of a TensorProto.DataType; throws Failure(unsupported) that names `what`.
ElementType element_type(int number, const std::string& what);

}  // namespace calotype::frontend::onnx
