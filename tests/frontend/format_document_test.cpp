/// \file
/// docs/format.md holds what it says: each example parses, the shown mistake gives the shown message, the table of layers is the layers' own.
/// CALOTYPE_UPDATE_GOLDENS=1 writes the table anew.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "frontend/frontend.h"
#include "layers/layer.h"

namespace calotype {
namespace {

const char* const path = CALOTYPE_SOURCE_DIR "/docs/format.md";

std::string document() {
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return content.str();
}

struct Example {
  std::string kind;  ///< what follows the fence: layers, layers-statements, layers-error, text
  std::string text;
  int line = 0;
};

std::vector<Example> examples() {
  std::vector<Example> found;
  std::istringstream lines(document());
  std::string line;
  bool inside = false;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) found.push_back({line.substr(3), "", number});
    } else if (inside) {
      found.back().text += line + "\n";
    }
  }
  return found;
}

/// Statements alone get a network around them, whose result is the last of them.
std::string whole(const Example& example) {
  if (example.kind != "layers-statements") return example.text;
  std::string result;
  std::istringstream lines(example.text);
  for (std::string line; std::getline(lines, line);) result = line.substr(0, line.find_first_of(" ="));
  return fmt::format("network example(image: f32[N, 3, 32, 32]) -> {} {{\n{}}}\n", result, example.text);
}

std::string outcome(const std::string& text) {
  try {
    verify(frontend::parse(std::make_shared<const SourceFile>(SourceFile{"example.layers", text})), "parse");
  } catch (const Failure& failure) {
    return render(failure);
  }
  return "";
}

TEST(FormatDocument, EachExampleParses) {
  int count = 0;
  for (const Example& example : examples()) {
    if (example.kind != "layers" && example.kind != "layers-statements") continue;
    EXPECT_EQ(outcome(whole(example)), "") << "docs/format.md:" << example.line;
    ++count;
  }
  EXPECT_GE(count, 12);
}

TEST(FormatDocument, TheMistakesGiveTheMessagesShown) {
  const std::vector<Example> all = examples();
  int count = 0;
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (all[i].kind != "layers-error") continue;
    EXPECT_EQ(outcome(all[i].text), all[i + 1].text) << "docs/format.md:" << all[i + 1].line;
    ++count;
  }
  EXPECT_EQ(count, 1);
}

/// "x", "<weight>", "[kernel]", "stride=1", ...
std::vector<std::string> parts_of(const layers::Layer& layer) {
  std::vector<std::string> parts;
  for (const layers::Operand& operand : layers::operands_of(layer)) {
    using Kind = layers::Operand::Kind;
    const char* const form = operand.kind == Kind::required   ? "{}"
                             : operand.kind == Kind::optional ? "[{}]"
                             : operand.kind == Kind::weight   ? "<{}>"
                                                              : "{}...";
    parts.push_back(fmt::format(fmt::runtime(form), operand.name));
  }
  for (const layers::Argument& argument : layers::arguments_of(layer)) {
    const std::string fallback = argument.fallback.empty() ? "" : fmt::format("={}", argument.fallback);
    parts.push_back(argument.is_required || !fallback.empty() ? fmt::format("{}{}", argument.name, fallback)
                                                              : fmt::format("[{}]", argument.name));
  }
  return parts;
}

/// The parts between the brackets of a line of the document.
std::vector<std::string> written_parts(const std::string& line) {
  std::vector<std::string> parts;
  std::istringstream inside(line.substr(line.find('(') + 1, line.rfind(')') - line.find('(') - 1));
  for (std::string part; std::getline(inside, part, ',');) parts.push_back(part.substr(part.find_first_not_of(' ')));
  return parts;
}

TEST(FormatDocument, TheTableOfLayersIsRight) {
  constexpr std::string_view begin = "<!-- layers -->\n", end = "<!-- /layers -->";
  std::string text = document();
  const std::size_t from = text.find(begin) + begin.size(), to = text.find(end);
  ASSERT_LE(from, to);
  ASSERT_NE(to, std::string::npos);
  if (std::getenv("CALOTYPE_UPDATE_GOLDENS")) {
    std::string table = "```text\n";
    for (const layers::Layer* layer : layers::all_layers())
      table += fmt::format("{}({})\n", layer->name, fmt::join(parts_of(*layer), ", "));
    text.replace(from, to - from, table + "```\n");
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  // What is listed must be so. A layer or argument that is new and not listed yet is no mistake: adding one must not need this file.
  std::istringstream lines(text.substr(from, to - from));
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("```")) continue;
    const layers::Layer* layer = layers::find_layer(line.substr(0, line.find('(')));
    ASSERT_TRUE(layer) << line;
    EXPECT_THAT(parts_of(*layer), ::testing::IsSupersetOf(written_parts(line))) << line;
    ++count;
  }
  EXPECT_GT(count, 20);
}

}  // namespace
}  // namespace calotype
