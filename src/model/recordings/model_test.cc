// Small recordings written here, and what a wrong one is told.
#include "model/recordings/model.h"

#include <gmock/gmock.h>

#include "base/error.h"
#include "cost/evaluation.h"
#include "cost/live_memory.h"
#include "layer/stage_cost.h"

namespace modelmeter::recordings {
namespace {

using testing::HasSubstr;

// A training step of a linear layer of 4 x 8 on 2 rows: forward, backward, one fused optimizer kernel.
constexpr const char* step = R"({
 "schema": "modelmeter.reference/1", "code": "mine 1.0", "implementation": "Net", "variant": "net", "weights": "f32",
 "config": {"hidden": 8}, "workload": {"batch": 2},
 "totals": {"params": 40, "param_bytes": 160, "kernels": 4, "flops": 256, "read": 1216, "write": 512,
            "live_at_start": 192, "peak_live": 480},
 "modules": [
  {"name": "", "class": "Net", "calls": 1, "params": 40, "param_bytes": 160, "flops": 0, "read": 0, "write": 0, "kernels": 0},
  {"name": "fc", "class": "Linear", "calls": 1, "params": 40, "param_bytes": 160, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
 "parameters": [["fc.weight", [8, 4], "f32"], ["fc.bias", [8], "f32"]],
 "storages": [[128, -1, -1, "parameter"], [32, -1, -1, "parameter"], [32, -1, -1, "input"], [64, 0, 2],
              [64, 1, 3], [128, 2, -1, "gradient"]],
 "stages": [{"name": "forward", "sections": 1}, {"name": "backward", "sections": 1},
            {"name": "optimizer", "sections": 1}],
 "sections": [
  {"section": "", "storages": [2, 0, 1, 3], "ops": [
   ["aten.addmm", "fc", [[[8], "f32", 2], [[2, 4], "f32", 0], [[4, 8], "f32", 1, [1, 4]]], [[[2, 8], "f32", 3]],
    128, 192, 64, 64]]},
  {"section": "", "ops": [
   ["aten.mse_loss_backward", "", [[[2, 8], "f32", 3]], [[[2, 8], "f32", 4]], 0, 64, 64, 128],
   ["aten.mm", "fc", [[[8, 2], "f32", 4, [1, 8]], [[2, 4], "f32", 2]], [[[8, 4], "f32", 5]], 128, 96, 128, 192]]},
  {"section": "", "ops": [
   ["aten._fused_adamw_", "", [[[8, 4], "f32", 0], [[8, 4], "f32", 5]], [[[8, 4], "f32", 0], [[8, 4], "f32", 5]],
    0, 864, 256, 128]]}]
})";

// A prefill that leaves a cache of 64 bytes, and a step that runs four times: it makes the cache anew, one longer.
constexpr const char* generation = R"({
 "schema": "modelmeter.reference/1", "code": "mine 1.0", "implementation": "Lm",
 "totals": {"params": 0, "param_bytes": 0, "kernels": 4, "flops": 0, "read": 176, "write": 224, "live_at_start": 16,
            "peak_live": 160},
 "modules": [{"name": "", "class": "Lm", "calls": 2, "params": 0, "param_bytes": 0, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
 "parameters": [],
 "storages": [[16, -1, -1, "input"], [64, 0, 3, "kv cache"], [16, 1, 2], [80, 2, -1, "kv cache"], [64, 3, 4]],
 "stages": [{"name": "prefill", "sections": 1}, {"name": "decode", "sections": 1, "repeat": 4}],
 "sections": [
  {"section": "", "ops": [
   ["aten.neg", "", [[[16], "f32", 0]], [[[16], "f32", 1]], 0, 16, 64, 64],
   ["aten.neg", "", [[[4], "f32", 0]], [[[4], "f32", 2]], 0, 16, 16, 80]]},
  {"section": "", "ops": [
   ["aten.cat", "", [[[16], "f32", 1], [[4], "f32", 0]], [[[20], "f32", 3]], 0, 80, 80, 144],
   ["aten.neg", "", [[[16], "f32", 3]], [[[16], "f32", 4]], 0, 64, 64, 144]]}]
})";

constexpr const char* unplaced = R"({
   "schema": "modelmeter.reference/1", "code": "mine", "implementation": "Net",
   "totals": {"params": 0, "param_bytes": 0, "kernels": 3, "flops": 0, "read": 48, "write": 48, "live_at_start": 16,
              "peak_live": 48},
   "modules": [{"name": "", "class": "Net", "calls": 1, "params": 0, "param_bytes": 0, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
   "parameters": [],
   "sections": [{"section": "", "ops": [
    ["aten.neg", "", [[[4], "f32"]], [[[4], "f32"]], 0, 16, 16, 16],
    ["aten.neg", "", [[[4], "f32"]], [[[4], "f32"]], 0, 16, 16, 32],
    ["aten.neg", "", [[[4], "f32"]], [[[4], "f32"]], 0, 16, 16, 32]]}]})";

RecordedModel model_of(const std::string& text) { return {read_recording(text, "r.json"), "r"}; }

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string error_of(const std::string& text) {
  try {
    const RecordedModel model = model_of(text);
    evaluate(model);
  } catch (const Error& error) {
    return error.message();
  }
  return "";
}

TEST(RecordedModel, HasTheFiguresOfTheFile) {
  const RecordedModel model = model_of(step);
  const Evaluation run = evaluate(model);
  const Cost& cost = run.rollup().total();
  EXPECT_EQ(cost.kernels, 4);
  EXPECT_EQ(cost.flops_torch(), 256);
  EXPECT_EQ(cost.bytes_read, 1216);
  EXPECT_EQ(cost.bytes_written, 512);
  EXPECT_EQ(run.rollup().peak_live_bytes(run.trace()), 192 + 192);
  EXPECT_EQ(model.parameter_count(), 40);
}

TEST(RecordedModel, TakesItsOwnKernelWhereTheOperandsGiveTheFiguresAndElseTheRecorded) {
  const RecordedModel model = model_of(step);
  const Evaluation run = evaluate(model);
  const Trace& trace = run.trace();
  ASSERT_EQ(trace.ops.size(), 4U);
  EXPECT_EQ(trace.ops[0].kernel, Kernel::addmm);
  EXPECT_EQ(trace.path(trace.ops[0].scope), "fc");
  EXPECT_EQ(trace.ops[1].kernel, Kernel::recorded_reduction);
  EXPECT_EQ(trace.kernel_name(trace.ops[1]), "aten.mse_loss_backward");
  EXPECT_EQ(trace.ops[2].kernel, Kernel::mm);
  EXPECT_EQ(trace.ops[3].kernel, Kernel::recorded_elementwise);
  EXPECT_TRUE(trace.ops[3].in_place);
  EXPECT_EQ(trace.ops[0].live, 64);
}

TEST(RecordedModel, KnowsWhatIsAliveByTheStorages) {
  const RecordedModel model = model_of(step);
  const Evaluation run = evaluate(model);
  const Alive alive = alive_at(run.trace(), 2);
  ASSERT_EQ(alive.tensors.size(), 2U);  // the result has gone, its gradient has not
  EXPECT_STREQ(alive.tensors[0].tensor->storage->role, "gradient");
  EXPECT_EQ(alive.other, 0);
}

// Of 16 bytes each: what a says is alive goes when b is made, by the file's live memory.
TEST(RecordedModel, HasTheStagesOfTheFile) {
  const RecordedModel model = model_of(generation);
  ASSERT_EQ(model.stages().size(), 2U);
  EXPECT_EQ(model.stages()[1]->id(), "decode");
  EXPECT_EQ(model.stages()[1]->forwards(), 4);
  const Evaluation run = evaluate(model);
  EXPECT_EQ(run.rollup().total().kernels, 2 + 4 * 2);
  EXPECT_EQ(run.rollup().total().bytes_read, 32 + 4 * 144);
  ASSERT_EQ(run.trace().residences.size(), 2U);
  EXPECT_EQ(run.rollup().peak_live_bytes(run.trace()), 160);  // the two caches and the input
}

TEST(RecordedModel, LeavesMemoryToLaterStages) {
  const RecordedModel model = model_of(generation);
  const Evaluation run = evaluate(model);
  const Trace& trace = run.trace();
  EXPECT_EQ(trace.ops[2].live, 144);
  const Alive alive = alive_at(trace, 2);
  ASSERT_EQ(alive.tensors.size(), 2U);
  EXPECT_EQ(alive.tensors[1].bytes, 64);
  EXPECT_EQ(alive.tensors[1].made_by, 0);  // by the prefill
  EXPECT_EQ(alive.other, 0);
  ASSERT_EQ(trace.carried.size(), 1U);  // each step lets go of the cache that the one before made
  EXPECT_EQ(trace.carried[0].found->bytes, 64);
  EXPECT_EQ(trace.carried[0].left->bytes, 80);
}

TEST(RecordedModel, AStageByItselfIsGivenWhatOthersLeft) {
  const RecordedModel model = model_of(generation);
  const Evaluation decode = evaluate_forward(*model.stages()[1]);
  EXPECT_EQ(decode.trace().given_bytes, 16 + 64);
  EXPECT_EQ(decode.trace().ops[0].live, 80);
  EXPECT_EQ(decode.rollup().peak_live_bytes(decode.trace()), 160);
}

TEST(RecordedModel, IdealMovesNoIntermediateResults) {
  RecordedModel model = model_of(step);
  model.set_execution(Execution::ideal);
  const Evaluation run = evaluate(model);
  const Cost& cost = run.rollup().total();
  EXPECT_EQ(cost.flops_torch(), 256);
  // The forward writes its result, the backward's gradient of it (64) stays inside, the optimizer is as it was.
  EXPECT_EQ(cost.bytes_written, 64 + 128 + 256);
  EXPECT_LT(cost.bytes_read, 1216);
}

TEST(RecordedModel, MatchesBlocksBySizeWhereNoStoragesAreSaid) {
  const RecordedModel model = model_of(unplaced);
  const Evaluation run = evaluate(model);
  EXPECT_EQ(run.rollup().peak_live_bytes(run.trace()), 48);
  const Alive alive = alive_at(run.trace(), 2);
  EXPECT_EQ(alive.tensors.size(), 2U);
  EXPECT_EQ(alive.other, 0);
  EXPECT_EQ(run.trace().ops[0].kernel, Kernel::neg);
  EXPECT_THAT(model.notes(), testing::ElementsAre(HasSubstr("matched by size")));
  RecordedModel other = model_of(unplaced);
  EXPECT_THROW(other.set_execution(Execution::ideal), Error);
  EXPECT_THROW(other.set_execution(Execution::compiled), Error);
}

TEST(RecordedModel, FoldsSectionsWithTheirStorages) {
  const RecordedModel model = model_of(R"({
   "schema": "modelmeter.reference/1", "code": "mine", "implementation": "Net",
   "totals": {"params": 8, "param_bytes": 32, "kernels": 2, "flops": 0, "read": 64, "write": 32, "live_at_start": 48,
              "peak_live": 80},
   "modules": [
    {"name": "", "class": "Net", "calls": 1, "params": 8, "param_bytes": 32, "flops": 0, "read": 0, "write": 0, "kernels": 0},
    {"name": "b", "class": "ModuleList", "calls": 0, "params": 8, "param_bytes": 32, "flops": 0, "read": 0, "write": 0, "kernels": 0},
    {"name": "b.0", "class": "Block", "calls": 1, "params": 4, "param_bytes": 16, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
   "parameters": [["b.0.weight", [4], "f32"]],
   "storages": [[16, -1, -1], [16, -1, -1], [16, -1, -1], [16, 0, 2], [16, 1, -1]],
   "sections": [
    {"section": "b.0", "storages": [2, 0, 3], "ops": [["aten.mul", "b.0", [[[4], "f32", 0], [[4], "f32", 1]], [[[4], "f32", 2]], 0, 32, 16, 16]]},
    {"section": "b.1", "storages": [3, 1, 4], "same_as": "b.0", "peak_live": 32}]})");
  const Evaluation run = evaluate(model);
  const Trace& trace = run.trace();
  ASSERT_EQ(trace.ops.size(), 2U);
  EXPECT_EQ(trace.path(trace.ops[1].scope), "b.1");
  EXPECT_EQ(trace.input(trace.ops[1], 0).storage, trace.output(trace.ops[0], 0).storage);
  EXPECT_EQ(trace.ops[1].live, 32);
  EXPECT_EQ(model.parameter_count(), 8);  // those of the member that is like another too
  ASSERT_EQ(model.stages().front()->layer().children().size(), 1U);
  EXPECT_EQ(model.stages().front()->layer().children().front().count, 2);
}

TEST(RecordedModel, SaysWhatIsWrongAndWhere) {
  const std::pair<const char*, const char*> wrong[] = {
      {"\"modelmeter.reference/1\"", "\"modelmeter.reference/9\""},
      {"[[2, 8], \"f32\", 3]]", "[[2, -8], \"f32\", 3]]"},
      {"[[2, 8], \"f32\", 3]]", "[[2, 8], \"f31\", 3]]"},
      {"[[2, 8], \"f32\", 3]]", "[[2, 8], \"f32\", 9]]"},
      {"[64, 0, 2],", "[64, 0, 2,"},
      {"[64, 0, 2]", "[64, 0, 99]"},
      {"[64, 0, 2]", "[64, 2, 1]"},
      {"\"sections\": 1},", "\"sections\": 7},"},
      {"\"backward\"", "\"forward\""},
      {"\"live_at_start\": 192", "\"live_at_start\": 100"},
      {", [1, 4]", ", [1]"},
      {"\"totals\"", "\"total\""},
      {"\"kernels\": 4, \"flops\": 256", "\"kernels\": 4, \"flops\": 255"},
      {"[64, 0, 2]", "[60, 0, 2]"},
      {"0, 864, 256, 128]", "0, 864, 256, 0.5]"}};
  const char* said[] = {
      "not a reference",
      "r.json: sections[0].ops[0]: a size is below 0",
      "op 0 of the recording, aten.addmm in \"fc\": unknown dtype 'f31'",
      "r.json: sections[0].ops[0]: storage 9 is none of the 4 of its section",
      "not a JSON file",
      "r.json: storages[3]: it goes after 99 ops, and there are 4",
      "r.json: storages[3]: it goes before it is made",
      "r.json: stages[0]: its sections are more than there are",
      "r.json: stages[1]: there are two stages \"forward\"",
      "r: live_at_start is 100 bytes, parameters and buffers have 160",
      "r.json: sections[0].ops[0]: an operand has not as many strides as sizes",
      "r.json: no field \"totals\"",
      "r: totals: flops is 255, that of the sections adds up to 256",
      "op 0 of the recording, aten.addmm in \"fc\": an operand [2, 8] of f32 ends at byte 64 of a storage of 60",
      "r.json: sections[2].ops[0]: live is not an integer"};
  for (size_t i = 0; i < std::size(wrong); ++i) {
    EXPECT_THAT(error_of(replaced(step, wrong[i].first, wrong[i].second)), HasSubstr(said[i])) << wrong[i].second;
  }
}

}  // namespace
}  // namespace modelmeter::recordings
