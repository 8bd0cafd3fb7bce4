// Stages that leave memory to later ones (recordings): the allocator keeps it, and one block of it, however often a
// stage makes it anew.
#include <gtest/gtest.h>

#include "memory/run_replay.h"
#include "model/registry.h"
#include "recording/recording.h"

namespace modelmeter {
namespace {

constexpr int64_t mib = 1 << 20;

// A prefill that leaves a cache of 64 MiB, a step that makes it anew of 80 MiB `steps` times, and what reads it last.
std::unique_ptr<AnalyticModel> generation(int steps) {
  const std::string text = R"({
   "schema": "modelmeter.reference/1", "code": "mine 1.0", "implementation": "Lm",
   "totals": {"params": 0, "param_bytes": 0, "kernels": 4, "flops": 0, "read": 150994944, "write": 239075328, "live_at_start": 0,
              "peak_live": 150994944},
   "modules": [{"name": "", "class": "Lm", "calls": 1, "params": 0, "param_bytes": 0, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
   "parameters": [],
   "storages": [[67108864, 0, 3, "kv cache"], [4194304, 1, 2], [83886080, 2, 4, "kv cache"], [83886080, 3, -1]],
   "stages": [{"name": "prefill", "sections": 1}, {"name": "decode", "sections": 1, "repeat": )" +
                           std::to_string(steps) + R"(}, {"name": "last", "sections": 1}],
   "sections": [
    {"section": "", "ops": [
     ["aten.a", "", [], [[[16777216], "f32", 0]], 0, 0, 67108864, 67108864],
     ["aten.b", "", [], [[[1048576], "f32", 1]], 0, 0, 4194304, 71303168]]},
    {"section": "", "ops": [
     ["aten.cat", "", [[[16777216], "f32", 0]], [[[20971520], "f32", 2]], 0, 67108864, 83886080, 150994944]]},
    {"section": "", "ops": [
     ["aten.neg", "", [[[20971520], "f32", 2]], [[[20971520], "f32", 3]], 0, 83886080, 83886080, 167772160]]}]})";
  return model_of_recording(read_recording(text, "r.json"), "r");
}

TEST(BetweenStages, WhatAStageLeavesIsThereInTheNext) {
  const RunReplay run = replay_run(*generation(1), default_stack());
  ASSERT_EQ(run.stages.size(), 3U);
  EXPECT_EQ(run.stages[0].peak_allocated, 68 * mib);
  EXPECT_EQ(run.stages[1].peak_allocated, 144 * mib);  // both caches
  EXPECT_EQ(run.stages[2].peak_allocated, 160 * mib);  // the second, and what is made of it
}

TEST(BetweenStages, AStageThatRunsOftenLeavesOne) {
  const RunReplay run = replay_run(*generation(50), default_stack());
  EXPECT_EQ(run.stages[1].peak_allocated, 160 * mib);  // from the second step on, of 80 MiB each
  EXPECT_EQ(run.stages[2].peak_allocated, 160 * mib);
}

TEST(BetweenStages, AStageByItselfFindsWhatOthersWouldLeave) {
  const RunReplay run = replay_run(*generation(1), default_stack(), {}, "decode");
  ASSERT_EQ(run.stages.size(), 1U);
  EXPECT_EQ(run.stages[0].peak_allocated, 144 * mib);
}

}  // namespace
}  // namespace modelmeter
