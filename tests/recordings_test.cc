// Recordings of the tree, of models that modelmeter has twins of and others, as models themselves: their sums and peaks
// are those of the file. That the twins have the same is reference_test's.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "cost/op_factors.h"
#include "hardware/catalog.h"
#include "layer/stage_cost.h"
#include "memory/run_replay.h"
#include "model/registry.h"
#include "recording/recording.h"
#include "report/builder.h"
#include "timing/run_time.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> recordings_of_the_tree() {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(fs::path(MODELMETER_SOURCE_DIR) / "tests" / "reference")) {
    const std::string name = entry.path().filename().string();
    const bool zipped = name.size() > 8 && name.compare(name.size() - 8, 8, ".json.gz") == 0;
    if (zipped || entry.path().extension() == ".json") out.push_back(entry.path().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

TEST(RecordingsOfTheTree, HaveTheSumsAndPeaksOfTheirFiles) {
  int compared = 0;
  for (const std::string& file : recordings_of_the_tree()) {
    const Recording recording = read_recording_file(file);
    if (recording.ops.empty()) continue;
    const RecordedTotals totals = recording.totals;
    const std::unique_ptr<AnalyticModel> model = model_of_recording(recording, "r");
    const Evaluation run = evaluate(*model);
    const Cost& cost = run.rollup().total();
    EXPECT_EQ(cost.kernels, totals.kernels) << file;
    EXPECT_EQ(cost.flops_torch(), totals.flops) << file;
    EXPECT_EQ(cost.bytes_read, totals.read) << file;
    EXPECT_EQ(cost.bytes_written, totals.write) << file;
    EXPECT_EQ(run.rollup().peak_live_bytes(run.trace()), totals.peak_live) << file;
    EXPECT_EQ(model->parameter_bytes(), totals.param_bytes) << file;
    ++compared;
  }
  EXPECT_GT(compared, 20);
}

Machine h100() {
  const config::Repository repository(std::string(MODELMETER_SOURCE_DIR) + "/configs");
  return {load_device(repository, "h100_sxm"), load_kernel_stack(repository, "torch_2_11"),
          load_host(repository, "virtual_16_cores")};
}

std::unique_ptr<AnalyticModel> of_zoo(const std::string& name) {
  const std::string file = std::string(MODELMETER_SOURCE_DIR) + "/tests/reference/zoo/" + name + ".json.gz";
  return model_of_recording(read_recording_file(file), name);
}

// Of models without a twin: every kernel has a time, the stages are the file's, the allocator holds what is alive.
TEST(RecordingsOfTheTree, OfTheZooRunOnAMachineAndAnAllocator) {
  const Machine machine = h100();
  const std::pair<const char*, std::vector<std::string>> zoo[] = {
      {"llama-layer", {"forward"}},
      {"llama-training", {"forward", "backward", "optimizer"}},
      {"resnet-18", {"forward"}}};
  for (const auto& [name, stages] : zoo) {
    const std::unique_ptr<AnalyticModel> model = of_zoo(name);
    const Evaluation run = evaluate(*model);
    const RunTime time = time_run(run, machine);
    ASSERT_EQ(time.stages.size(), stages.size()) << name;
    for (size_t i = 0; i < stages.size(); ++i) {
      EXPECT_EQ(time.stages[i].stage, stages[i]) << name;
      EXPECT_GT(time.stages[i].part.device, 0) << name;
    }
    for (size_t i = 0; i < run.trace().ops.size(); ++i) {
      EXPECT_EQ(time.ops[i] > 0, launches(run.trace(), run.trace().ops[i])) << name << " op " << i;
    }
    const RunReplay replay = replay_run(*model, default_stack());
    const Count live = run.rollup().peak_live_bytes(run.trace());
    EXPECT_GE(Count(replay.peak_allocated), live) << name;
    EXPECT_LT(static_cast<double>(replay.peak_allocated), 1.05 * static_cast<double>(live) + (64 << 20)) << name;
  }
}

// A stage by itself is the same kernels as in the run, on what the others left.
TEST(RecordingsOfTheTree, AStageByItselfIsThatOfTheRun) {
  const std::unique_ptr<AnalyticModel> model = of_zoo("llama-training");
  const Evaluation run = evaluate(*model);
  int64_t highest = 0;
  size_t ops = 0;
  for (const auto& stage : model->stages()) {
    const Evaluation alone = evaluate_forward(*stage);
    ops += alone.trace().ops.size();
    highest = std::max(highest, alone.rollup().peak_live_bytes(alone.trace()));
  }
  EXPECT_EQ(ops, run.trace().ops.size());
  EXPECT_EQ(highest, run.rollup().peak_live_bytes(run.trace()));
}

// What trace writes of one is the same recording: operands in the same memory, the same peaks.
TEST(RecordingsOfTheTree, AreWrittenAsTheyWereRead) {
  for (const char* name : {"llama-layer", "llama-training", "resnet-18"}) {
    const std::unique_ptr<AnalyticModel> model = of_zoo(name);
    Recording written = full_recording_of(*model);
    model->describe(*model->stages().front(), written);
    const Recording read = read_recording(write_recording(written), "written.json");
    const Comparison same = compare(read, written, "read");
    EXPECT_TRUE(same.equal()) << differences_of(same);
    ASSERT_EQ(read.storages.size(), written.storages.size());
    const std::unique_ptr<AnalyticModel> again = model_of_recording(read, name);
    const RunReplay a = replay_run(*model, default_stack()), b = replay_run(*again, default_stack());
    EXPECT_EQ(a.peak_allocated, b.peak_allocated) << name;
    EXPECT_EQ(a.peak_reserved, b.peak_reserved) << name;
  }
}

// A module whose parameters its parent takes, as MultiheadAttention does those of out_proj, counts once.
TEST(RecordingsOfTheTree, ParametersOfModulesThatAreNotCalledCountOnceOverStages) {
  const std::unique_ptr<AnalyticModel> model = model_of_recording(read_recording(R"({
   "schema": "modelmeter.reference/1", "code": "mine", "implementation": "Net",
   "totals": {"params": 8, "param_bytes": 32, "kernels": 2, "flops": 0, "read": 32, "write": 32, "live_at_start": 32,
              "peak_live": 64},
   "modules": [
    {"name": "", "class": "Net", "calls": 1, "params": 8, "param_bytes": 32, "flops": 0, "read": 32, "write": 32, "kernels": 2},
    {"name": "a", "class": "Attention", "calls": 1, "params": 8, "param_bytes": 32, "flops": 0, "read": 32, "write": 32, "kernels": 2},
    {"name": "a.out", "class": "Linear", "calls": 0, "params": 4, "param_bytes": 16, "flops": 0, "read": 0, "write": 0, "kernels": 0}],
   "parameters": [["a.weight", [4], "f32"], ["a.out.weight", [4], "f32"]],
   "storages": [[16, -1, -1], [16, -1, -1], [16, 0, -1], [16, 1, -1]],
   "stages": [{"name": "forward", "sections": 1}, {"name": "backward", "sections": 1}],
   "sections": [
    {"section": "", "ops": [["aten.neg", "a", [[[4], "f32", 0]], [[[4], "f32", 2]], 0, 16, 16, 16]]},
    {"section": "", "ops": [["aten.neg", "a", [[[4], "f32", 1]], [[[4], "f32", 3]], 0, 16, 16, 32]]}]})",
                                                                                 "r.json"),
                                                                  "r");
  const Report report = build_report(*model, "r");
  EXPECT_EQ(report.totals.weight_bytes, 32);
}

}  // namespace
}  // namespace modelmeter
