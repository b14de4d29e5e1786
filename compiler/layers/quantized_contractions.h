#pragma once
/// \file
/// ONNX's contractions of integers, written as casts, differences, a contraction of i32 and, where the result is of few bits again,
/// quantize_linear. All sums are exact.
#include "layers/layer.h"

namespace calotype::layers {

/// A conv or a depthwise with the attributes of the node; `bias` may be no_value.
ValueId emit_conv(const OnnxNode& node, OnnxBuilder& builder, ValueId x, ValueId weight, ValueId bias);

void adapt_conv_integer(const OnnxNode& node, OnnxBuilder& builder);
void adapt_qlinear_conv(const OnnxNode& node, OnnxBuilder& builder);
void adapt_matmul_integer(const OnnxNode& node, OnnxBuilder& builder);
void adapt_qlinear_matmul(const OnnxNode& node, OnnxBuilder& builder);

}  // namespace calotype::layers
