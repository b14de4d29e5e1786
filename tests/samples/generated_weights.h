#pragma once
/// \file
/// Weights and pictures that anyone can make again, so that a whole network can be held against another program without storing megabytes:
/// a linear congruential stream (multiplier 1664525, increment 1013904223, modulo 2^32), whose upper 24 bits make u in [0, 1).
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

class Stream {
 public:
  explicit Stream(std::uint32_t seed) : state_(seed) {}
  float next() {
    state_ = state_ * 1664525u + 1013904223u;
    return static_cast<float>(state_ >> 8) * 0x1p-24f;
  }

 private:
  std::uint32_t state_;
};

struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;
};

inline std::int64_t count_of(const Tensor& tensor) {
  return std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// Numbers of a size that keeps activations near one: matrices and kernels (u - 0.5) times the power of two that gives a variance of at
/// most 2 / inputs, scales and variances of batch norms 0.5 + u, biases and means (u - 0.5) / 8.
inline std::vector<float> numbers_of(const Tensor& tensor, Stream& stream) {
  const bool flat = tensor.shape.size() == 1;
  const bool positive = flat && (tensor.name.ends_with(".weight") || tensor.name.ends_with(".running_var"));
  float scale = 0.125f;
  if (!flat) {
    const auto inputs = static_cast<double>(count_of(tensor) / tensor.shape[0]);
    for (scale = 4.0f; static_cast<double>(scale) * static_cast<double>(scale) * inputs > 24;) scale /= 2;
  }
  std::vector<float> numbers(static_cast<std::size_t>(count_of(tensor)));
  for (float& number : numbers) number = positive ? 0.5f + stream.next() : (stream.next() - 0.5f) * scale;
  return numbers;
}

/// A safetensors file with these tensors, one after the other from one stream.
inline void write_weights(const std::filesystem::path& path, const std::vector<Tensor>& tensors) {
  std::string header = "{";
  std::int64_t offset = 0;
  for (const Tensor& tensor : tensors) {
    std::string shape;
    for (std::int64_t extent : tensor.shape) shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    const std::int64_t end = offset + 4 * count_of(tensor);
    header += (offset == 0 ? "\"" : ",\"") + tensor.name + "\":{\"dtype\":\"F32\",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(offset) + "," + std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  std::ofstream file(path, std::ios::binary);
  const std::uint64_t length = header.size();
  file.write(reinterpret_cast<const char*>(&length), sizeof length);
  file << header;
  Stream stream(1);
  for (const Tensor& tensor : tensors) {
    const std::vector<float> numbers = numbers_of(tensor, stream);
    file.write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * sizeof(float)));
  }
}
