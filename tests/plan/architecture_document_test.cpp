/// \file
/// The plan that docs/architecture.md shows is the one that its network gets.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "commands/emit.h"
#include "commands/pipeline.h"
#include "compiled_model.h"

namespace calotype::testing {
namespace {

/// What stands between the ``` lines of the page, block after block.
std::vector<std::string> fenced_blocks(const std::string& path) {
  std::ifstream page(path);
  std::vector<std::string> blocks;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("```")) {
      inside = !inside;
      if (inside) blocks.emplace_back();
    } else if (inside) {
      blocks.back() += line + "\n";
    }
  }
  return blocks;
}

TEST(architecture_document, shows_the_plan_that_its_network_gets) {
  const std::vector<std::string> blocks = fenced_blocks(std::string(CALOTYPE_SOURCE_DIR) + "/docs/architecture.md");
  const auto network = std::find_if(blocks.begin(), blocks.end(), [](const std::string& block) { return block.starts_with("network "); });
  ASSERT_TRUE(network != blocks.end() && network + 1 != blocks.end());
  Graph graph = graph_of(*network);
  commands::simplify(graph);
  const plan::Plan plan = commands::make_plan(std::move(graph), plan::parse_target("x86-64-linux-avx2-fma"), {});
  EXPECT_EQ(*(network + 1), commands::plan_text(plan)) << "docs/architecture.md says how to print it anew";
}

}  // namespace
}  // namespace calotype::testing
