// Of a model that was worked out by hand (testing/tiny_model.h). Its weights take 960 and 24 bytes. While core/net
// runs, x takes 48 bytes beside its input of 48, and what `up` and `act` make 96 each: most is alive at the SiLU.
#include "memory/memory_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

using testing_models::TinyModel;

MemoryReport report_of(const std::string& stage = "") {
  const TinyModel model;
  return build_memory_report(model, evaluate(model), stage);
}

TEST(MemoryReport, HasWeightsInputsAndActivationsOfEachStage) {
  const MemoryReport r = report_of();
  ASSERT_EQ(r.stages.size(), 2u);
  const StageMemory &net = r.stages[0], &tail = r.stages[1];
  EXPECT_EQ(net.id, "core/net");
  EXPECT_EQ(net.forwards, 5);
  EXPECT_EQ(net.weight_bytes(), 984);
  EXPECT_EQ(net.input_bytes, 48);
  EXPECT_EQ(net.activation_bytes, 48 + 96 + 96);
  EXPECT_EQ(net.streamed_bytes, 0);
  EXPECT_EQ(net.live_bytes(), 984 + 48 + 240);
  EXPECT_EQ(net.with_workspace_bytes, net.live_bytes());
  EXPECT_EQ(net.peak.kernel, "aten.silu");
  EXPECT_EQ(tail.id, "tail/out");
  EXPECT_EQ(tail.forwards, 1);
  EXPECT_EQ(tail.live_bytes(), 984 + 24 + 24);
  EXPECT_EQ(tail.peak.kernel, "aten.addmm");
  EXPECT_EQ(r.peak_stage, 0u);
  EXPECT_EQ(&r.peak(), &net);
}

TEST(MemoryReport, CountsKernelsOnceAndWithRepetitions) {
  const MemoryReport r = report_of();
  EXPECT_EQ(r.ops_run, 5 * (1 + 3 * 4 + 1) + 1);
  EXPECT_EQ(r.ops_recorded, static_cast<int64_t>(r.stages[0].live.size() + r.stages[1].live.size()));
  EXPECT_EQ(r.stages[0].first_op, 0);
  EXPECT_EQ(r.stages[1].first_op, static_cast<int32_t>(r.stages[0].live.size()));
}

// mul, then up, act, down and the sum of a block: 48; 48 + 96; 48 + 96 + 96; 48 + 96 + 48; x, h and their sum.
TEST(MemoryReport, FollowsLiveMemoryOverTheKernels) {
  const StageMemory net = report_of().stages[0];
  ASSERT_GE(net.live.size(), 5u);
  const std::vector<int64_t> first(net.live.begin(), net.live.begin() + 5);
  EXPECT_THAT(first, testing::ElementsAre(1032 + 48, 1032 + 144, 1032 + 240, 1032 + 192, 1032 + 144));
  EXPECT_THAT(net.held, testing::Each(1032));
}

// The rows add up to the peak, with a caching allocator's blocks of 512 bytes for each of 16 parameters, the input and
// three tensors.
TEST(MemoryReport, ListsWhatIsAliveAtThePeak) {
  const MemoryReport r = report_of();
  std::vector<std::string> rows;
  int64_t sum = 0;
  for (const AliveRow& row : r.alive) {
    rows.push_back(row.what + row.dtype + row.shape + " " + std::to_string(row.bytes) + " " + row.made_by.kernel);
    sum += row.bytes;
  }
  EXPECT_THAT(rows, testing::UnorderedElementsAre("core/net 960 ", "tail/out 24 ", "inputs, what is held 48 ",
                                                  "f32[3, 4] 48 aten.mul", "f32[3, 8] 96 aten.addmm",
                                                  "f32[3, 8] 96 aten.silu"));
  EXPECT_EQ(sum, r.peak().live_bytes());
  EXPECT_EQ(r.device.live, 1272);
  EXPECT_EQ(r.device.allocated[1].bytes, 0);
  EXPECT_EQ(r.device.allocated[2].bytes, (16 + 1 + 3) * 512 - 1272);
}

TEST(MemoryReport, OfOneStageHasItAlone) {
  const MemoryReport r = report_of("tail/out");
  ASSERT_EQ(r.stages.size(), 1u);
  EXPECT_EQ(r.peak().id, "tail/out");
  EXPECT_EQ(r.ops_run, 1);
  EXPECT_EQ(r.device.live, 984 + 24 + 24);
}

TEST(MemoryReport, AStageThereIsNotHasASuggestion) {
  try {
    report_of("tail/outt");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "there is no stage 'tail/outt'");
    EXPECT_THAT(error.notes(), testing::Contains(testing::HasSubstr("tail/out")));
  }
}

}  // namespace
}  // namespace modelmeter
