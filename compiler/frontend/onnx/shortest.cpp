/// \file
/// Floats as the numbers that people wrote.
#include <fmt/format.h>

#include <charconv>

#include "frontend/onnx/model.h"

namespace calotype::frontend::onnx {

double shortest(float number) {
  const std::string text = fmt::format("{}", number);
  double real = number;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), real);
  return read.ec == std::errc() && static_cast<float>(real) == number ? real : static_cast<double>(number);
}

}  // namespace calotype::frontend::onnx
