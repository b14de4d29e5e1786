/// \file
/// The generated header, as text, and the names in it. What compilers make of it is in program_test.cpp.
#include "codegen/header.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "codegen/c_names.h"
#include "command.h"
#include "embedded/types_header.h"
#include "ir/failure.h"
#include "toy_model.h"

namespace calotype::codegen {
namespace {

/// A plan of buffers alone: every element type, a channels-last image, a scalar, names that are no identifiers.
plan::Plan odd_plan() {
  plan::Plan plan;
  plan.arena_bytes = 1000;
  plan.scratch_bytes = 384;
  const auto add = [&](const std::string& name, TensorType type, plan::Layout layout, bool is_input) {
    Value value;
    value.name = name;
    value.type = type;
    value.typed = true;
    const ValueId id = add_value(plan.graph, value);
    plan::Buffer buffer;
    buffer.name = name;
    buffer.type = type;
    buffer.layout = std::move(layout);
    buffer.value = id;
    plan.buffers.push_back(buffer);
    const int number = static_cast<int>(plan.buffers.size()) - 1;
    if (is_input) {
      plan.graph.inputs.push_back({id, {}});
      plan.inputs.push_back(number);
    } else {
      plan.graph.results.push_back({name, id});
      plan.results.push_back(number);
    }
  };
  add("image/0", {ElementType::u8, {1, 3, 224, 200}}, {plan::Layout::Family::channels_last}, true);
  add("state", {ElementType::f16, {2}}, {}, true);
  add("class", {ElementType::boolean, {1, 0}}, {}, true);
  add("*/ \"?\?=\\\n", {ElementType::f64, {}}, {}, true);
  add("0", {ElementType::i64, {1, 10}}, {}, false);
  add("größe", {ElementType::bf16, {1, 10}}, {}, false);
  return plan;
}

TEST(Header, IsAsTheGoldenFile) {
  const plan::Plan plan = odd_plan();
  Library library = toy_library("", "odd");
  library.original_name = "an odd */ name";
  library.weight_storage = WeightStorage::external;
  const WeightBlob weights{4096, {1, 2, 3, 0xff}};
  std::string text = header_text({&library, {{&plan, nullptr, library.target}}, caller_buffers(plan, "odd"), weights});
  // The public types stand in it word for word; they have a file of their own.
  const std::string types(embedded::types_header());
  const std::size_t at = text.find(types);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, types.size(), "<runtime/include/calotype/types.h>\n");
  const std::string golden = CALOTYPE_SOURCE_DIR "/tests/goldens/headers/odd.h.golden";
  if (std::getenv("CALOTYPE_UPDATE_GOLDENS") != nullptr) write_text(golden, text);
  EXPECT_EQ(text, read_text(golden)) << "set CALOTYPE_UPDATE_GOLDENS=1 to accept";
}

TEST(Header, OddNamesCompile) {
  const TestFolder folder;
  const plan::Plan plan = odd_plan();
  Library library = toy_library("", "odd");
  library.original_name = "an odd */ name";
  write_text(folder / "odd.h", header_text({&library, {{&plan, nullptr, library.target}}, caller_buffers(plan, "odd"), {}}));
  write_text(folder / "odd.c",
             "#include \"odd.h\"\nstatic const long shape[ODD_IMAGE_0_RANK] = ODD_IMAGE_0_SHAPE;\n"
             "long use(const odd_io *io);\nlong use(const odd_io *io) { return shape[3] + io->image_0[0] + *io->_0 + io->class_[0] + "
             "ODD_STATE__BYTES + (long)sizeof ODD___________NAME; }\n");
  for (const char* compiler : {CALOTYPE_C_COMPILER " -std=c99 -Wno-long-long", CALOTYPE_CXX_COMPILER " -std=c++11 -x c++"}) {
    const CommandResult result = run_command(std::string(compiler) + " -Wall -Wextra -pedantic -Werror -fsyntax-only -I" +
                                             folder.path().string() + " " + (folder / "odd.c").string());
    EXPECT_EQ(result.status, 0) << result.output;
  }
}

TEST(CNames, BecomeIdentifiers) {
  EXPECT_EQ(c_identifier("conv1"), "conv1");
  EXPECT_EQ(c_identifier("layer1.0/relu:0"), "layer1_0_relu_0");
  EXPECT_EQ(c_identifier("0"), "_0");
  EXPECT_EQ(c_identifier(""), "_");
  EXPECT_EQ(c_identifier("int"), "int_");
  EXPECT_EQ(c_identifier("template"), "template_");
  EXPECT_EQ(c_identifier("größe"), "gr____e");
}

TEST(CNames, CollisionsNameBothSides) {
  plan::Plan plan = odd_plan();
  plan.graph.results[0].name = "image.0";
  try {
    caller_buffers(plan, "odd");
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.fault(), Fault::input);
    EXPECT_THAT(failure.what(), testing::AllOf(testing::HasSubstr("'image.0'"), testing::HasSubstr("'image/0'")));
  }
}

}  // namespace
}  // namespace calotype::codegen
