#pragma once
/// \file
/// ONNX's recurrent operators, which become other layers.
#include "layers/layer.h"

namespace calotype::layers {

void adapt_rnn(const OnnxNode& node, OnnxBuilder& builder);
void adapt_gru(const OnnxNode& node, OnnxBuilder& builder);
void adapt_lstm(const OnnxNode& node, OnnxBuilder& builder);

}  // namespace calotype::layers
