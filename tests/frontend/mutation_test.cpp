/// \file
/// Any bytes give a graph or a Failure with places in the text: mutated descriptions, truncated ones, and texts made to exhaust something.
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "frontend/frontend.h"

namespace calotype {
namespace {

namespace fs = std::filesystem;

/// Parses; what comes back must be a valid graph that prints, or diagnostics that point into the text.
void feed(const std::string& text) {
  const auto source = std::make_shared<const SourceFile>(SourceFile{"mutated.layers", text});
  try {
    const Graph graph = frontend::parse(source);
    verify(graph, "parse");
    frontend::print(graph);
  } catch (const Failure& failure) {
    ASSERT_NE(failure.fault(), Fault::bug) << render(failure) << text;
    const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
    for (const Diagnostic& diagnostic : failure.diagnostics()) {
      ASSERT_FALSE(diagnostic.message.empty());
      ASSERT_TRUE(diagnostic.where) << diagnostic.message;
      ASSERT_GE(diagnostic.where.line, 1);
      ASSERT_LE(diagnostic.where.line, lines);
      ASSERT_GE(diagnostic.where.column, 1);
      ASSERT_GE(diagnostic.where.length, 0);
    }
    ASSERT_FALSE(render(failure).empty());
  }
}

std::vector<std::string> seeds() {
  std::vector<fs::path> paths;
  for (const char* folder : {"/samples", "/tests/goldens/diagnostics"}) {
    for (const auto& entry : fs::recursive_directory_iterator(std::string(CALOTYPE_SOURCE_DIR) + folder)) {
      if (entry.path().extension() == ".layers" && entry.file_size() < 4000) paths.push_back(entry.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> texts;
  for (const fs::path& path : paths) {
    std::ostringstream content;
    content << std::ifstream(path, std::ios::binary).rdbuf();
    if (path.stem() != "expansion_bound") texts.push_back(content.str());
  }
  return texts;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  std::string mutate(std::string text) {
    for (int i = 0; i <= pick(4); ++i) step(text);
    return text;
  }

 private:
  int pick(std::size_t count) { return count == 0 ? 0 : static_cast<int>(random_() % count); }
  std::size_t place(const std::string& text) { return static_cast<std::size_t>(pick(text.size() + 1)); }

  void step(std::string& text) {
    static const char* const pieces[] = {"(",        ")",        "[",        "]",
                                         "{",        "}",        "\n",       ",",
                                         "=",        "-",        "->",       "/",
                                         "* 0",      "_",        "\"",       "\\",
                                         "x",        "3x3",      "1e",       ".",
                                         "block ",   "network ", "weights ", "9223372036854775807",
                                         "f32[",     " N ",      "\xff",     std::string_view("\0", 1).data(),
                                         "#",        "true",     "nan",      "parameter(",
                                         "constant("};
    const std::size_t at = place(text);
    const std::size_t count = std::min<std::size_t>(static_cast<std::size_t>(pick(30)), text.size() - at);
    switch (pick(7)) {
      case 0: text.erase(at, count); break;
      case 1: text.insert(at, pieces[pick(std::size(pieces))]); break;
      case 2: text.insert(at, text.substr(place(text), static_cast<std::size_t>(pick(60)))); break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(pick(256));
        break;
      case 4: text.resize(at); break;
      case 5: swap_lines(text); break;
      default: text.replace(at, count, pieces[pick(std::size(pieces))]);
    }
  }

  void swap_lines(std::string& text) {
    const std::size_t first = text.find('\n', place(text)), second = text.find('\n', place(text));
    if (first == std::string::npos || second == std::string::npos || second <= first) return;
    const std::string line = text.substr(first, second - first);
    text.erase(first, second - first);
    text.insert(place(text), line);
  }

  std::mt19937 random_;
};

TEST(Mutation, MutatedDescriptionsGiveGraphsOrDiagnostics) {
  const std::vector<std::string> texts = seeds();
  ASSERT_GT(texts.size(), 30U);
  for (unsigned seed = 0; seed < 6000 && !HasFatalFailure(); ++seed) {
    SCOPED_TRACE(seed);
    feed(Mutator(seed).mutate(texts[seed % texts.size()]));
  }
}

TEST(Mutation, EveryPrefixOfADescription) {
  for (const std::string& text : seeds()) {
    if (text.size() > 1200) continue;
    for (std::size_t length = 0; length < text.size() && !HasFatalFailure(); length += 3) feed(text.substr(0, length));
  }
}

TEST(Mutation, RandomBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 500 && !HasFatalFailure(); ++i) {
    std::string text;
    for (auto length = random() % 200; length > 0; --length) text += static_cast<char>(random() % 256);
    feed(text);
  }
}

std::string repeated(const std::string& piece, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += piece;
  return text;
}

const std::string head = "network n(x: f32[N, 3]) -> y {\n";

TEST(Bounds, DeepNesting) {
  for (const char* piece : {"[", "(", "-", "f32[", "[(", "-("}) feed(head + "  y = constant(" + repeated(piece, 200000));
  feed(repeated("block b(x) -> y {\n", 20000));
  feed(head + repeated("y = relu(", 50000));
}

TEST(Bounds, LongExpressions) {
  feed(head + "  y = conv(x, filters=N" + repeated(" + N", 100000) + ", kernel=1)\n}\n");
  feed(head + "  y = conv(x, filters=1" + repeated(" * 1", 100000) + ", kernel=1)\n}\n");
}

/// Each block doubles what it is given and hands it to the next one.
std::string doubling(const std::string& argument) {
  std::string text;
  for (int i = 0; i < 60; ++i)
    text += "block b" + std::to_string(i) + "(x, n) -> y {\n  y = b" + std::to_string(i + 1) + "(x, n=" + argument + ")\n}\n";
  return text + "block b60(x, n) -> y {\n  y = conv(x, filters=n, kernel=1)\n}\n" + head + "  y = b0(x, n=N)\n}\n";
}

TEST(Bounds, ArgumentsThatGrowThroughBlocks) {
  feed(doubling("n + n"));
  feed(doubling("[n, n]"));
  feed(doubling("n * n"));
}

TEST(Bounds, DeepBlocks) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "block b" + std::to_string(i) + "(x) -> y {\n  y = b" + std::to_string(i + 1) + "(x)\n}\n";
  feed(text + "block b5000(x) -> y {\n  y = relu(x)\n}\n" + head + "  y = b0(x)\n}\n");
}

TEST(Bounds, ManyMistakesAreCounted) {
  std::string text = head;
  for (int i = 0; i < 1000; ++i) text += "  y" + std::to_string(i) + " = nothing_like_it(x)\n";
  try {
    frontend::parse(std::make_shared<const SourceFile>(SourceFile{"many.layers", text + "}\n"}));
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.diagnostics().size(), 100U);
    EXPECT_THAT(failure.diagnostics().back().notes, ::testing::Contains(::testing::HasSubstr("901 more")));
  }
}

TEST(Bounds, LongNames) {
  const std::string name(100000, 'a');
  feed(head + "  " + name + " = relu(x)\n  y = relu(" + name + "b)\n}\n");
  feed(head + "  y = relu(\"" + name + "\")\n}\n");
  std::string text;
  for (int i = 0; i < 50; ++i)
    text += "block b" + std::to_string(i) + "(x) -> y {\n  y" + std::string(90, 'y') + " = b" + std::to_string(i + 1) +
            "(x)\n  y = relu()\n}\n";
  feed(text + "block b50(x) -> y {\n  y = relu(x)\n}\n" + head + "  y = b0(x)\n}\n");
}

TEST(Bounds, ALargeNetworkIsFine) {
  std::string text = "network n(x: f32[N, 3]) -> y {\n";
  for (int i = 0; i < 90000; ++i) text += "  v" + std::to_string(i) + " = relu(" + (i == 0 ? "x" : "v" + std::to_string(i - 1)) + ")\n";
  const Graph graph = frontend::parse(std::make_shared<const SourceFile>(SourceFile{"large.layers", text + "  y = relu()\n}\n"}));
  EXPECT_EQ(graph.ops.size(), 90001U);
}

}  // namespace
}  // namespace calotype
