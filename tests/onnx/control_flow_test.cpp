/// \file
/// If, Loop and Scan become the layers of their bodies. Models and answers by make_models.py.
#include <gtest/gtest.h>

#include "answers.h"

namespace calotype::testing {
namespace {

TEST(ControlFlow, TheBranchOfAKnownConditionStandsInPlace) {
  const Graph graph = read_onnx(data_path("if_of_shape.onnx"), {{"N", 2}});
  for (const Op& op : graph.ops) EXPECT_NE(op.kind, "sub");  // of the other branch
  expect_answers("if_of_shape", {{"N", 2}});
}

TEST(ControlFlow, AConditionAtRunTimeIsRefusedByName) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("if_at_run_time.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(
      refusal.text,
      "y: If: the condition flag must be known at compile time, but it depends on the input flag; give that one with --bind flag=FILE.npy");
}

TEST(ControlFlow, ALoopIsWrittenOut) { expect_answers("loop_counted"); }

TEST(ControlFlow, ALoopEndsWhereItsConditionSaysSo) { expect_answers("loop_until"); }

TEST(ControlFlow, TurnsThatAreNotKnownAreRefused) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("loop_at_run_time.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(refusal.text,
            "y: Loop: turns must be known at compile time, but it depends on the input turns; give that one with --bind turns=FILE.npy");
  EXPECT_EQ(refusal_of([] { read_onnx(data_path("loop_endless.onnx")); }).text,
            "y: Loop: it takes more than 1024 turns; a loop is written out turn by turn");
}

TEST(ControlFlow, ADamagedNodeIsRefused) {
  for (const char* name : {"if_without_condition", "loop_of_no_number", "loop_of_another_body"})
    EXPECT_EQ(refusal_of([&] { read_onnx(data_path(std::string(name) + ".onnx")); }).fault, Fault::input) << name;
}

TEST(ControlFlow, AScanWalksItsInputs) { expect_answers("scan"); }

TEST(ControlFlow, WhatABodyCannotDoIsSaidOfTheNodeInside) {
  const Refusal refusal = refusal_of([] { read_onnx(data_path("if_unsupported.onnx")); });
  EXPECT_EQ(refusal.fault, Fault::unsupported);
  EXPECT_EQ(refusal.text, "y: If: operator ai.onnx::NonExistent is not supported (node 'y/1/inside')");
}

}  // namespace
}  // namespace calotype::testing
