/// \file
/// How statements are read against a layer's table.
#include "layers/argument.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "layers/layer.h"
#include "layers/window.h"

namespace calotype::layers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Attribute number(std::int64_t value) { return {value, {}}; }
Attribute list(std::initializer_list<std::int64_t> values) {
  Attribute::List entries;
  for (const std::int64_t value : values) entries.push_back(number(value));
  return {entries, {}};
}
Attribute word(const char* text) { return {Word{text}, {}}; }

/// One op of that kind on an f32 operand.
struct Statement {
  Graph graph;
  const Layer* layer;

  Statement(const char* kind, std::vector<std::int64_t> extents, Attributes attributes) : layer(find_layer(kind)) {
    Value x;
    x.name = "x";
    x.origin = Value::Origin::input;
    x.type = {ElementType::f32, std::move(extents)};
    x.typed = true;
    graph.ops.push_back(
        {.name = "y", .kind = kind, .operands = {add_value(graph, x)}, .results = {}, .attributes = std::move(attributes), .location = {}});
  }
  Call call() const { return {*layer, graph, graph.ops.front()}; }
  std::vector<std::string> mistakes() const {
    std::vector<std::string> messages;
    for (const Diagnostic& diagnostic : check_arguments(*layer, graph.ops.front())) messages.push_back(diagnostic.message);
    return messages;
  }
};

TEST(call, fills_in_defaults) {
  const Statement statement("conv", {1, 3, 8, 8}, {{"kernel", list({3, 5}), {}}, {"stride", number(2), {}}});
  const Call call = statement.call();
  EXPECT_THAT(call.extents("kernel", 2), ElementsAre(3, 5));
  EXPECT_THAT(call.extents("stride", 2), ElementsAre(2, 2));
  EXPECT_THAT(call.extents("dilation", 2), ElementsAre(1, 1));
  EXPECT_EQ(call.integer("groups"), 1);
  EXPECT_TRUE(call.boolean("bias"));
  EXPECT_EQ(call.word("activation"), "none");
  EXPECT_FALSE(call.has_argument("filters"));
  EXPECT_TRUE(call.is_written("stride"));
  EXPECT_FALSE(call.is_written("groups"));
}

TEST(call, reads_every_form_of_padding) {
  const auto read = [](Attribute padding) {
    return Statement("conv", {1, 3, 8, 8}, {{"padding", std::move(padding), {}}}).call().padding("padding", 2);
  };
  EXPECT_EQ(read(word("valid")).mode, Padding::Mode::valid);
  EXPECT_EQ(read(word("same")).mode, Padding::Mode::same);
  EXPECT_EQ(read(word("same_lower")).mode, Padding::Mode::same_lower);
  EXPECT_THAT(read(number(1)).begin, ElementsAre(1, 1));
  EXPECT_THAT(read(list({1, 2})).end, ElementsAre(1, 2));
  EXPECT_THAT(read(list({1, 2, 3, 4})).begin, ElementsAre(1, 2));
  EXPECT_THAT(read(list({1, 2, 3, 4})).end, ElementsAre(3, 4));
  EXPECT_THROW(read(list({1, 2, 3})), Failure);
  EXPECT_THROW(read(number(-1)), Failure);
}

TEST(call, counts_axes_from_either_end) {
  const auto read = [](std::int64_t axis) { return Statement("softmax", {1, 3, 8}, {{"axis", number(axis), {}}}).call().axis("axis", 3); };
  EXPECT_EQ(read(-1), 2);
  EXPECT_EQ(read(-3), 0);
  EXPECT_THROW(read(3), Failure);
  EXPECT_THROW(read(-4), Failure);
}

TEST(call, points_at_the_argument_with_its_value) {
  const auto file = std::make_shared<const SourceFile>(SourceFile{"a.layers", "y = conv(x, filters=4, kernel=9)"});
  Statement statement("conv", {1, 1, 4, 4}, {{"filters", number(4), {}}, {"kernel", number(9), {file, 1, 24, 6}}});
  statement.graph.ops.front().attributes.back().value.location = {file, 1, 31, 1};
  try {
    statement.layer->infer(statement.call());
    FAIL();
  } catch (const Failure& failure) {
    const SourceLocation& where = failure.diagnostics().front().where;
    EXPECT_EQ(where.column, 24);
    EXPECT_EQ(where.length, 8);  // kernel=9
    EXPECT_EQ(failure.diagnostics().front().layer, "y");
  }
}

TEST(check_arguments, finds_all_mistakes_at_once) {
  const Statement statement("conv", {1, 3, 8, 8},
                            {{"filter", number(4), {}},
                             {"kernel", word("big"), {}},
                             {"stride", number(1), {}},
                             {"stride", number(2), {}},
                             {"activation", word("rellu"), {}}});
  EXPECT_THAT(statement.mistakes(), ElementsAre("unknown argument 'filter'; did you mean 'filters'?",
                                                "'kernel' wants extents such as 3x3, or one number for every spatial dimension, not 'big'",
                                                "argument 'stride' is given twice", HasSubstr("did you mean 'relu'?")));
}

TEST(check_arguments, counts_operands) {
  Statement statement("relu", {1}, {});
  EXPECT_THAT(statement.mistakes(), ElementsAre());
  statement.graph.ops.front().operands = {0, 0, 0};
  EXPECT_THAT(statement.mistakes(), ElementsAre("relu takes at most 1 (x), not 3"));
  statement.graph.ops.front().operands = {};
  EXPECT_THAT(statement.mistakes(), ElementsAre("relu needs its operand 'x' (number 1)"));
}

TEST(check_arguments, takes_weights_inline_and_expressions_as_integers) {
  const auto symbol = std::make_shared<Expression>();
  const Statement statement(
      "conv", {1, 3, 8, 8},
      {{"filters", {ExpressionPointer(symbol), {}}, {}}, {"kernel", number(1), {}}, {"weight", list({1, 2}), {}}, {"bias", list({1}), {}}});
  EXPECT_THAT(statement.mistakes(), ElementsAre());
}

TEST(check_arguments, asks_for_what_is_required) {
  EXPECT_THAT(Statement("max_pool", {1, 1, 4}, {}).mistakes(),
              ElementsAre("max_pool needs the argument 'kernel': extents such as 3x3, or one number for every spatial dimension"));
}

TEST(nearest_name, suggests_only_what_is_near) {
  const std::vector<std::string_view> names = {"filters", "kernel", "stride"};
  EXPECT_EQ(nearest_name("filter", names), "filters");
  EXPECT_EQ(nearest_name("kernal", names), "kernel");
  EXPECT_EQ(nearest_name("strides", names), "stride");
  EXPECT_EQ(nearest_name("groups", names), "");
  EXPECT_EQ(nearest_name("", names), "");
}

TEST(with_commas, groups_by_three) {
  EXPECT_EQ(with_commas(0), "0");
  EXPECT_EQ(with_commas(999), "999");
  EXPECT_EQ(with_commas(1000), "1,000");
  EXPECT_EQ(with_commas(-138357544), "-138,357,544");
}

TEST(tables, are_sorted_complete_and_have_valid_defaults) {
  std::string_view before;
  for (const Layer* layer : all_layers()) {
    EXPECT_LT(before, layer->name);
    before = layer->name;
    EXPECT_EQ(find_layer(layer->name), layer);
    EXPECT_NE(layer->infer, nullptr) << layer->name;
    for (const Argument& argument : arguments_of(*layer)) {
      EXPECT_FALSE(argument.is_required && !argument.fallback.empty()) << layer->name << " " << argument.name;
      if (argument.fallback.empty()) continue;
      EXPECT_EQ(mismatch(argument, attribute_of(argument.fallback)), "") << layer->name << " " << argument.name;
    }
    for (const Operand& operand : operands_of(*layer)) {
      const bool is_last = &operand == &operands_of(*layer).back();
      EXPECT_TRUE(operand.kind != Operand::Kind::variadic || is_last) << layer->name;
      EXPECT_TRUE(operand.kind != Operand::Kind::weight || layer->weights != nullptr) << layer->name;
    }
  }
}

TEST(same_padding, gives_ceil_of_input_over_stride) {
  for (std::int64_t input = 1; input < 12; ++input) {
    for (std::int64_t span = 1; span < 6; ++span) {
      for (std::int64_t stride = 1; stride < 5; ++stride) {
        const std::int64_t total = same_padding(input, span, stride);
        EXPECT_EQ((input + total - span) / stride + 1, (input + stride - 1) / stride) << input << " " << span << " " << stride;
        EXPECT_LT(total, span);
      }
    }
  }
}

}  // namespace
}  // namespace calotype::layers
