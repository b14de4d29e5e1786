/// \file
/// Layers and element types under the names that PyTorch, Keras, NumPy and ONNX give them.
#include "frontend/text/suggestions.h"

#include <algorithm>

#include "layers/layer.h"

namespace calotype::frontend::text {
namespace {

struct Synonym {
  std::string_view name;  ///< lower case, no underscores, no rank
  std::string_view meant;
};

constexpr Synonym synonyms[] = {
    {"avgpool", "average_pool"},
    {"averagepooling", "average_pool"},
    {"batchnormalization", "batch_norm"},
    {"bn", "batch_norm"},
    {"cat", "concat"},
    {"concatenate", "concat"},
    {"convolution", "conv"},
    {"convtransposed", "conv_transpose"},
    {"deconv", "conv_transpose"},
    {"depthwiseconv", "depthwise"},
    {"divide", "div"},
    {"fc", "dense"},
    {"fullyconnected", "dense"},
    {"gemm", "dense"},
    {"globalaveragepooling", "global_average_pool"},
    {"globalavgpool", "global_average_pool"},
    {"globalmaxpooling", "global_max_pool"},
    {"input", "parameter"},
    {"linear", "dense"},
    {"lrn", "local_response_norm"},
    {"maximum", "max"},
    {"maxpooling", "max_pool"},
    {"minimum", "min"},
    {"multiply", "mul"},
    {"permute", "transpose"},
    {"subtract", "sub"},
    {"swish", "silu"},
    {"upsample", "resize"},
    {"upsampling", "resize"},
    {"weight", "parameter"},
    {"zeropadding", "pad"},
    {"zeropad", "pad"},
};

constexpr Synonym element_types[] = {{"float", "f32"},   {"float32", "f32"},   {"double", "f64"}, {"float64", "f64"}, {"half", "f16"},
                                     {"float16", "f16"}, {"bfloat16", "bf16"}, {"int", "i32"},    {"int8", "i8"},     {"uint8", "u8"},
                                     {"byte", "u8"},     {"int16", "i16"},     {"uint16", "u16"}, {"int32", "i32"},   {"uint32", "u32"},
                                     {"int64", "i64"},   {"uint64", "u64"},    {"long", "i64"},   {"boolean", "bool"}};

/// "MaxPooling2D" -> "maxpooling"
std::string normalized(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c != '_' && c != '.') text += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::size_t size = text.size();
  if (size > 2 && text[size - 1] == 'd' && text[size - 2] >= '1' && text[size - 2] <= '3') text.resize(size - 2);
  return text;
}

}  // namespace

std::string suggested_layer(std::string_view name, const std::vector<std::string_view>& blocks) {
  std::vector<std::string_view> candidates = blocks;
  for (const layers::Layer* layer : layers::all_layers()) candidates.push_back(layer->name);
  const std::string plain = normalized(name);
  for (const std::string_view candidate : candidates) {
    if (normalized(candidate) == plain) return std::string(candidate);
  }
  for (const Synonym& synonym : synonyms) {
    if (synonym.name == plain && layers::find_layer(synonym.meant)) return std::string(synonym.meant);
  }
  return layers::nearest_name(name, candidates);
}

std::string suggested_element_type(std::string_view name) {
  const std::string plain = normalized(name);
  for (const Synonym& type : element_types) {
    if (type.name == plain) return std::string(type.meant);
  }
  return layers::nearest_name(name, {"f64", "f32", "f16", "bf16", "i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "bool"});
}

}  // namespace calotype::frontend::text
