#pragma once
/// \file
/// The arrays that a person gives to a network: reading them, what they say of symbols, whether they fit.
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace calotype::commands {

/// One array for each input of the network, in order, as the caller's buffer lies; empty where none was given.
using InputArrays = std::vector<std::optional<TensorData>>;

/// `written` are the values of --input: NAME=FILE.npy, or FILE.npy for the inputs in order. Throws Failure(usage) for an input named twice or
/// not there.
InputArrays read_inputs(const Graph& graph, const std::vector<std::string>& written);

/// NAME.npy of the folder for each input that has no array yet and has such a file.
void read_inputs_from(const Graph& graph, const std::filesystem::path& folder, InputArrays& arrays);

/// Throws Failure(usage) unless every input has an array.
void require_all(const Graph& graph, const InputArrays& arrays);

/// Values of the symbols that stand alone as a dimension of an input. Throws Failure(input) where arrays contradict each other.
Symbols symbols_from(const Graph& graph, const InputArrays& arrays);

/// Throws Failure(input) unless each array has its input's type and shape. The graph's shapes are inferred.
void check_inputs(const Graph& graph, const InputArrays& arrays);

/// Numbers for the inputs that have no array, the same at every call: reals between -1 and 1, integers from 0 to 15.
void fill_randomly(const Graph& graph, InputArrays& arrays);

/// The extents as the caller's buffer lies: logical order, or the channels last.
std::vector<std::int64_t> memory_extents(const TensorType& type, bool channels_last);

/// The name as a file's stem: other characters than letters, digits, `._-` become `_`.
std::string file_stem(const std::string& name);

}  // namespace calotype::commands
