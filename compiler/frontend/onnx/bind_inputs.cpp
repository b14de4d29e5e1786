/// \file
/// Inputs whose values are given at compile time become tensors of the model.
#include <fmt/format.h>

#include <algorithm>

#include "frontend/onnx/model.h"
#include "layers/layer.h"

namespace calotype::frontend::onnx {
namespace {

bool fits(const Declaration& declaration, const TensorType& type) {
  if (declaration.element != type.element || declaration.dimensions.size() != type.extents.size()) return false;
  for (std::size_t i = 0; i < type.extents.size(); ++i) {
    const auto* extent = std::get_if<std::int64_t>(&declaration.dimensions[i]);
    if (extent != nullptr && *extent != type.extents[i]) return false;
  }
  return true;
}

}  // namespace

void bind_inputs(Model& model, const Bindings& bindings) {
  for (const auto& [bound, data] : bindings) {
    const std::string& name = bound;  // clang before 16 captures no structured binding
    const auto input = std::find_if(model.inputs.begin(), model.inputs.end(), [&](const Input& i) { return i.name == name; });
    if (input == model.inputs.end()) {
      std::vector<std::string_view> names;
      for (const Input& other : model.inputs) names.push_back(other.name);
      const std::string nearest = layers::nearest_name(name, names);
      throw Failure(Fault::usage, fmt::format("--bind {}: the network has no input of that name", name), {},
                    nearest.empty() ? std::vector<std::string>() : std::vector<std::string>{fmt::format("did you mean {}?", nearest)});
    }
    if (!fits(input->declaration, data.type))
      throw Failure(Fault::usage, fmt::format("--bind {}: {} is not what the input takes", name, to_text(data.type)));
    model.inputs.erase(input);
    model.tensors.insert_or_assign(name, data);
  }
}

}  // namespace calotype::frontend::onnx
