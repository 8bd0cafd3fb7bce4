// The chart of live memory: how wide stages are, how high columns, and what is marked.
#include "report/memory_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/memory_json.h"
#include "testing/tiny_model.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

StageMemory stage(const std::string& id, const std::vector<int64_t>& live, int64_t held, int32_t first_op) {
  StageMemory out;
  out.id = id;
  out.live = live;
  out.held.assign(live.size(), held);
  out.first_op = first_op;
  out.residents.list = {{id, held, nullptr}};
  for (const int64_t bytes : live) out.activation_bytes = std::max(out.activation_bytes, bytes - held);
  return out;
}

// From the 1 KiB that is always there to 4 KiB at the peak, rows of 0.75 KiB. Stage a has 4 ops, b 16: widths as 2
// to 4.
MemoryReport two_stages() {
  MemoryReport out;
  out.stages = {stage("a/first", {1024, 2048, 1024, 1024}, 1024, 0),
                stage("b/second", std::vector<int64_t>(16, 3072), 2048, 4)};
  out.stages[1].live[8] = 4096;
  out.stages[1].activation_bytes = 2048;
  out.stages[1].peak = {12, "aten.mm", "x"};
  out.stages[1].forwards = 3;
  out.peak_stage = 1;
  out.ops_recorded = 20;
  out.ops_run = 1234;
  return out;
}

TEST(MemoryChart, DrawsEachStageAsWideAsTheRootOfItsOps) {
  EXPECT_EQ(memory_chart(two_stages(), {12, 4}),
            "  4.000 KiB |        #\n"
            "  3.250 KiB |    ########\n"
            "  2.500 KiB |    ########\n"
            "  1.750 KiB | #  ::::::::\n"
            "  1.000 KiB +a---b-------\n"
            "                     ^ peak\n"
            "\n"
            "  # activations   : weights and inputs   20 ops recorded of 1,234 run: what repeats is drawn once\n"
            "  the axis begins at the 1.000 KiB that are there throughout\n"
            "  a  a/first: ops 0 to 3, once\n"
            "  b  b/second: ops 4 to 19, 3 times\n");
}

// An op that needs least is not the one that a column shows.
TEST(MemoryChart, AColumnShowsItsHighestOp) {
  MemoryReport r = two_stages();
  r.stages.pop_back();
  r.peak_stage = 0;
  r.stages[0].peak = {1, "aten.mm", "x"};
  r.stages[0].held = {1024, 0, 1024, 1024};
  const std::string chart = memory_chart(r, {2, 2});
  EXPECT_THAT(chart, testing::StartsWith("  2.000 KiB |#\n  1.000 KiB |#:\n          0 +a-\n             ^ peak\n"));
}

// Of ops that need as much it is the first.
TEST(MemoryChart, AColumnShowsTheFirstOfEqualOps) {
  MemoryReport r = two_stages();
  r.stages.pop_back();
  r.peak_stage = 0;
  r.stages[0].live = {2048, 2048, 2048, 2048};
  r.stages[0].held = {2048, 0, 0, 2048};
  r.stages[0].activation_bytes = 1024;
  EXPECT_THAT(memory_chart(r, {2, 2}), testing::StartsWith("  2.000 KiB |:#\n  1.000 KiB |:#\n"));
}

TEST(MemoryChart, AStageWithoutOpsOrOnTheHostIsSaidToBe) {
  MemoryReport r = two_stages();
  r.stages[0].live.clear();
  r.stages[0].held.clear();
  r.stages[0].residents.on_device = false;
  EXPECT_THAT(memory_chart(r, {12, 4}), HasSubstr("  a  a/first: no ops, once, not on the device\n"));
}

// --- as JSON ---

TEST(MemoryJson, HasEachStageWithItsPeaks) {
  MemoryReport r = two_stages();
  r.model = "M";
  r.workload = "w";
  r.runtime = {{"cfg", true}, {"dtype", std::string("f32")}};
  r.stages[1].with_workspace_bytes = 5000;
  r.stages[1].workspace_peak = {13, "aten.convolution", "y"};
  r.stages[1].roles = {{"feature cache", 100}};
  r.stages[1].input_bytes = 0;
  r.stages[1].transfers.to_device = 7;
  r.stages[1].transfers.to_host = 9;
  r.notes = {"a note"};
  const auto json = nlohmann::json::parse(memory_json(r));
  EXPECT_EQ(json["model"], "M");
  EXPECT_EQ(json["workload"], "w");
  EXPECT_EQ(json["runtime"], nlohmann::json::parse(R"({"cfg": true, "dtype": "f32"})"));
  EXPECT_EQ(json["ops_recorded"], 20);
  EXPECT_EQ(json["ops_run"], 1234);
  EXPECT_EQ(json["notes"], nlohmann::json::parse(R"(["a note"])"));
  const auto& second = json["stages"][1];
  EXPECT_EQ(second["stage"], "b/second");
  EXPECT_EQ(second["forwards"], 3);
  EXPECT_EQ(second["first_op"], 4);
  EXPECT_EQ(second["on_device"], true);
  EXPECT_EQ(second["weights"], nlohmann::json::parse(R"([{"what": "b/second", "bytes": 2048}])"));
  EXPECT_EQ(second["weight_bytes"], 2048);
  EXPECT_EQ(second["weights_to_device_bytes"], 7);
  EXPECT_EQ(second["weights_to_host_bytes"], 9);
  EXPECT_EQ(second["activation_peak_bytes"], 2048);
  EXPECT_EQ(second["kept_bytes"], nlohmann::json::parse(R"({"feature cache": 100})"));
  EXPECT_EQ(second["peak_live_bytes"], 4096);
  EXPECT_EQ(second["peak_op"], nlohmann::json::parse(R"({"index": 12, "kernel": "aten.mm", "scope": "x"})"));
  EXPECT_EQ(second["peak_with_workspace_bytes"], 5000);
  EXPECT_EQ(second["workspace_peak_op"],
            nlohmann::json::parse(R"({"index": 13, "kernel": "aten.convolution", "scope": "y"})"));
  EXPECT_EQ(second["live_bytes"].size(), 16u);
  EXPECT_EQ(json["stages"][0]["peak_op"], nullptr);
  EXPECT_EQ(json["peak"]["stage"], "b/second");
  EXPECT_EQ(json["peak"]["live_bytes"], 4096);
}

// The tiny model: 984 bytes of weights, x of 48, at SiLU x, h and what it makes.
TEST(MemoryJson, ListsWhatIsAliveAtThePeak) {
  const testing_models::TinyModel model;
  const auto json = nlohmann::json::parse(memory_json(build_memory_report(model, evaluate(model))));
  EXPECT_EQ(json["stages"][0]["live_bytes"], nlohmann::json::parse("[1080, 1176, 1272, 1224, 1176, 1104]"));
  EXPECT_EQ(json["peak"]["op"],
            nlohmann::json::parse(R"({"index": 2, "kernel": "aten.silu", "scope": "blocks.0.act"})"));
  EXPECT_EQ(json["peak"]["alive"], nlohmann::json::parse(R"([
    {"kind": "weights", "bytes": 960, "what": "core/net"},
    {"kind": "weights", "bytes": 24, "what": "tail/out"},
    {"kind": "inputs", "bytes": 48, "what": "inputs, what is held"},
    {"kind": "tensor", "bytes": 96, "dtype": "f32", "shape": [3, 8], "grows": false, "role": null,
     "made_by": {"index": 1, "kernel": "aten.addmm", "scope": "blocks.0.up"}},
    {"kind": "tensor", "bytes": 96, "dtype": "f32", "shape": [3, 8], "grows": false, "role": null,
     "made_by": {"index": 2, "kernel": "aten.silu", "scope": "blocks.0.act"}},
    {"kind": "tensor", "bytes": 48, "dtype": "f32", "shape": [3, 4], "grows": false, "role": null,
     "made_by": {"index": 0, "kernel": "aten.mul", "scope": ""}}])"));
  int64_t sum = 0;
  for (const auto& row : json["peak"]["alive"]) sum += row["bytes"].get<int64_t>();
  EXPECT_EQ(sum, 1272);
}

}  // namespace
}  // namespace modelmeter
