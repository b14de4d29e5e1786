/// \file
/// The words of the format itself, and those that the arguments of some layer take: padding=same, activation=relu.
#include "frontend/text/reserved_words.h"

#include <fmt/format.h>

#include "ir/tensor_type.h"
#include "layers/layer.h"

namespace calotype::frontend::text {
namespace {

bool is_word_of(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

}  // namespace

std::string why_reserved(std::string_view word) {
  if (is_word_of("block network weights channels_last", word)) return fmt::format("'{}' is a word of the format", word);
  if (element_type_of(word)) return fmt::format("'{}' is an element type", word);
  if (is_word_of("valid same same_lower", word)) return fmt::format("padding={} would mean something else", word);
  for (const layers::Layer* layer : layers::all_layers()) {
    if (layer->traits.is_activation && layer->name == word) return fmt::format("activation={} would mean something else", word);
    for (const layers::Argument& argument : layers::arguments_of(*layer)) {
      const bool takes_words = argument.kind == layers::ArgumentKind::word || argument.kind == layers::ArgumentKind::padding;
      if (takes_words && (is_word_of(argument.choices, word) || argument.fallback == word)) {
        return fmt::format("{}={} would mean something else", argument.name, word);
      }
    }
  }
  return {};
}

}  // namespace calotype::frontend::text
