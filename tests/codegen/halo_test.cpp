/// \file
/// Steps that zero a halo: every cell of it and none besides, for every shape and layout.
#include <gtest/gtest.h>

#include "codegen/link.h"
#include "codegen/load.h"
#include "command.h"
#include "toy_model.h"

namespace calotype::codegen {
namespace {

struct Case {
  const char* name;
  TensorType type;
  plan::Layout layout;
};

class HaloTest : public testing::TestWithParam<Case> {};

/// A model of one step that zeroes the halo of its result.
plan::Plan halo_plan(const Case& test) {
  plan::Plan plan;
  Value value;
  value.name = "y";
  value.type = test.type;
  value.typed = true;
  const ValueId id = add_value(plan.graph, value);
  plan.graph.results.push_back({"y", id});
  plan::Buffer buffer;
  buffer.name = "y";
  buffer.type = test.type;
  buffer.layout = test.layout;
  buffer.place = {plan::Place::Kind::result, 0, 0};
  buffer.value = id;
  plan.buffers.push_back(buffer);
  plan.results = {0};
  plan.steps = {{plan::Step::Kind::zero_halo, 0}};
  return plan;
}

TEST_P(HaloTest, IsZeroAndTheRestIsUntouched) {
  const TestFolder folder;
  const plan::Plan plan = halo_plan(GetParam());
  link(plan, {}, toy_library(folder.path(), "halo"));
  const LoadedModel model = load(folder / "halo.a", folder / "halo.json");
  void* state = nullptr;
  ASSERT_EQ(model.open(&state, nullptr, nullptr), CALOTYPE_OK);
  const plan::Buffer& buffer = plan.buffers[0];
  std::vector<float> cells(static_cast<std::size_t>(buffer.bytes()) / sizeof(float) + 2, 7);
  const void* io[] = {cells.data() + 1};
  ASSERT_EQ(model.run(state, io), CALOTYPE_OK);
  model.close(state);

  EXPECT_EQ(cells.front(), 7) << "before the buffer";
  EXPECT_EQ(cells.back(), 7) << "after the buffer";
  const std::vector<plan::StorageDimension> dimensions = plan::storage_of(buffer.type, buffer.layout);
  std::int64_t zeros = 0;
  for (std::size_t at = 0; at + 2 < cells.size(); ++at) {
    bool inside = true;
    for (const plan::StorageDimension& dimension : dimensions) {
      if (dimension.role != plan::StorageDimension::Role::whole) continue;
      const std::int64_t index = static_cast<std::int64_t>(at) / dimension.stride % dimension.extent + dimension.min;
      inside = inside && index >= 0 && index < buffer.type.extents[static_cast<std::size_t>(dimension.logical)];
    }
    zeros += inside ? 0 : 1;
    ASSERT_EQ(cells[at + 1], inside ? 7 : 0) << "cell " << at;
  }
  EXPECT_GT(zeros, 0);
}

using Family = plan::Layout::Family;

INSTANTIATE_TEST_SUITE_P(
    Layouts, HaloTest,
    testing::Values(Case{"line", {ElementType::f32, {1, 2, 7}}, {Family::planar, 1, {2}, {1}}},
                    Case{"line_end_only", {ElementType::f32, {2, 3, 5}}, {Family::planar, 1, {0}, {3}}},
                    Case{"image", {ElementType::f32, {1, 3, 4, 5}}, {Family::planar, 1, {1, 1}, {1, 1}}},
                    Case{"image_one_side", {ElementType::f32, {2, 3, 4, 5}}, {Family::planar, 1, {0, 2}, {0, 0}}},
                    Case{"image_rows_only", {ElementType::f32, {1, 3, 4, 5}}, {Family::planar, 1, {1, 0}, {2, 0}}},
                    Case{"image_blocked", {ElementType::f32, {2, 19, 6, 3}}, {Family::blocked, 16, {1, 2}, {2, 1}}},
                    Case{"image_of_one_pixel", {ElementType::f32, {1, 4, 1, 1}}, {Family::blocked, 4, {1, 1}, {1, 1}}},
                    Case{"image_channels_last", {ElementType::f32, {2, 3, 4, 5}}, {Family::channels_last, 1, {1, 1}, {0, 1}}},
                    Case{"volume", {ElementType::f32, {1, 2, 3, 4, 5}}, {Family::planar, 1, {1, 1, 1}, {1, 1, 1}}},
                    Case{"volume_blocked", {ElementType::f32, {1, 9, 3, 1, 5}}, {Family::blocked, 8, {0, 1, 2}, {1, 0, 1}}},
                    Case{"volume_middle_only", {ElementType::f32, {2, 4, 3, 2, 5}}, {Family::blocked, 4, {0, 1, 0}, {0, 2, 0}}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace calotype::codegen
