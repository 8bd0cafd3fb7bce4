// Offloading: the order in which weights come and go against diffusers' own hooks, recorded on a transformer of the
// published widths with few blocks (tools/offload/record_offload.py); what it takes of memory, time and the bus.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "cost/weight_transfers.h"
#include "entries.h"
#include "hardware/catalog.h"
#include "memory/memory_report.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

using nlohmann::json;

// --- the order -------------------------------------------------------------------------------------------------------

// ["in", bytes, ...], ["out", ...]: what follows on each other, as the recording has it.
class Moves {
 public:
  void add(const std::string& what, int64_t bytes) {
    if (out_.empty() || out_.back().front() != what) out_.push_back(json::array({what}));
    out_.back().push_back(bytes);
  }
  const json& all() const { return out_; }

 private:
  json out_ = json::array();
};

// Weights that come on a stream are dropped, before the op that then runs; others are copied back.
json moves_of(const Trace& trace) {
  std::map<int32_t, std::vector<int64_t>> dropped;
  Moves out;
  const auto drop = [&](int32_t op) {
    for (const int64_t bytes : dropped[op]) out.add("drop", bytes);
  };
  for (size_t i = 0; i < trace.ops.size(); ++i) {
    const Op& op = trace.ops[i];
    drop(static_cast<int32_t>(i));
    if (!is_weight_transfer(trace, op)) continue;
    const bool comes = trace.transfer_of(op) == Transfer::to_device, beside = op.stream == copy_stream;
    out.add(comes ? beside ? "in stream" : "in" : "out", trace.output(op, 0).bytes);
    if (comes && beside) dropped[trace.output(op, 0).storage->died].push_back(trace.output(op, 0).bytes);
  }
  drop(static_cast<int32_t>(trace.ops.size()));
  return out.all();
}

struct Way {
  const char* recorded;
  std::vector<std::string> overrides;
};

class GroupOffload : public testing::TestWithParam<Way> {};

TEST_P(GroupOffload, MovesWhatDiffusersMovesInItsOrder) {
  std::ifstream file(entries::source + "/tests/offload_copies/wan_transformer.json");
  const json recorded = json::parse(file);
  entries::Overrides overrides = {"runtime=diffusers", "runtime.residency=group", "runtime.cfg=false",
                                  "workload.num_inference_steps=1",
                                  "transformer.num_layers=" + std::to_string(recorded["layers"].get<int>())};
  overrides.insert(overrides.end(), GetParam().overrides.begin(), GetParam().overrides.end());
  const auto model = entries::model("wan2_1_t2v_1_3b", overrides);
  Tracer tracer;
  tracer.folds = false;
  model->stages().front()->trace_forward(tracer);
  EXPECT_EQ(moves_of(tracer.trace()), recorded[GetParam().recorded]);
}

INSTANTIATE_TEST_SUITE_P(
    Ways, GroupOffload,
    testing::Values(Way{"block_level 1", {}}, Way{"block_level 2", {"runtime.group_offload.num_blocks_per_group=2"}},
                    Way{"block_level stream", {"runtime.group_offload.use_stream=true"}},
                    Way{"leaf_level", {"runtime.group_offload.offload_type=leaf_level"}},
                    Way{"leaf_level stream",
                        {"runtime.group_offload.offload_type=leaf_level", "runtime.group_offload.use_stream=true"}}),
    [](const auto& test) {
      std::string name = test.param.recorded;
      std::replace(name.begin(), name.end(), ' ', '_');
      return name;
    });

// --- memory, bytes, time ---------------------------------------------------------------------------------------------

constexpr char entry[] = "wan2_1_t2v_1_3b";

struct Offloaded {
  explicit Offloaded(entries::Overrides overrides, const std::string& config = entry)
      : model(entries::model(config, overrides)), run(evaluate(*model)) {}

  const StageMemory& dit(const MemoryReport& report) const {
    return *std::find_if(report.stages.begin(), report.stages.end(),
                         [](const StageMemory& s) { return s.id.rfind("diffusion/dit", 0) == 0; });
  }
  const BaseLayer& layer() const { return model->stages().front()->layer(); }
  int64_t block_bytes() const {
    for (const BaseLayer::Child& child : layer().children()) {
      if (child.name == "blocks") return child.layer->parameter_bytes() + child.layer->buffer_bytes();
    }
    return 0;
  }

  std::unique_ptr<AnalyticModel> model;
  Evaluation run;
};

constexpr char small[] = "workload=wan2-1-ci-tiny";

TEST(BlockSwap, TheLastBlocksComeInEveryForwardAndGoBack) {
  const Offloaded all({"runtime=diffusers", small}), swapped({"runtime=diffusers", small, "runtime.block_swap=20"});
  const MemoryReport report = build_memory_report(*swapped.model, swapped.run);
  const StageMemory& dit = swapped.dit(report);
  const int64_t block = swapped.block_bytes(), forwards = swapped.model->stages().front()->forwards();
  EXPECT_EQ(dit.residents.bytes(), all.model->stages().front()->weight_and_buffer_bytes() - 20 * block);
  EXPECT_EQ(dit.streamed_bytes % block, 0);
  EXPECT_EQ(dit.transfers.to_device, Count(dit.residents.bytes()) + Count(20 * block) * forwards);
  EXPECT_EQ(dit.transfers.to_host, Count(20 * block) * forwards);
  EXPECT_EQ(report.host.running, 20 * block);
}

TEST(BlockSwap, PrefetchedBlocksAreThereBesideTheOneThatRuns) {
  const auto peak = [](int blocks) {
    const Offloaded run(
        {"runtime=diffusers", small, "runtime.block_swap=30", "runtime.prefetch_blocks=" + std::to_string(blocks)});
    return run.dit(build_memory_report(*run.model, run.run)).streamed_bytes / run.block_bytes();
  };
  EXPECT_EQ(peak(0), 1);
  EXPECT_EQ(peak(2), 3);
}

// The run with a stream holds two blocks where the one without holds one.
TEST(GroupOffloadMemory, AStreamBringsTheNextBlockBeforeTheOneThatRunsIsDone) {
  const auto streamed = [](const char* stream) {
    const Offloaded run({"runtime=diffusers", small, "runtime.residency=group",
                         std::string("runtime.group_offload.use_stream=") + stream});
    return run.dit(build_memory_report(*run.model, run.run)).streamed_bytes;
  };
  EXPECT_EQ(streamed("true") - streamed("false"), Offloaded({"runtime=diffusers", small}).block_bytes());
}

double wall(const Offloaded& run) {
  const config::Repository configs(entries::source + "/configs", {});
  static const Machine machine(load_device(configs, "rtx_4090"), load_kernel_stack(configs, "torch_2_11"),
                               load_host(configs, "virtual_16_cores"));
  return time_run(run.run, machine).total().wall;
}

TEST(OffloadTime, AStreamHidesCopiesBehindKernels) {
  const entries::Overrides large = {"runtime=diffusers", "workload=wan2-1-480p-81f"};
  const auto with = [&](std::initializer_list<const char*> more) {
    entries::Overrides all = large;
    all.insert(all.end(), more.begin(), more.end());
    return wall(Offloaded(all));
  };
  const double there = with({}), plain = with({"runtime.residency=group"});
  const double hidden = with({"runtime.residency=group", "runtime.group_offload.use_stream=true"});
  EXPECT_GT(plain, there * 1.05);
  EXPECT_GT(hidden, there);
  EXPECT_LT(hidden - there, (plain - there) / 10);
}

// 0.9 us of fixed time and more a tensor aside, what is copied is at the rate of pageable memory, and waited for.
TEST(OffloadTime, SequentialOffloadAddsItsCopies) {
  const Offloaded all({"runtime=diffusers", "workload=wan2-1-480p-81f"});
  const Offloaded sequential({"runtime=diffusers", "workload=wan2-1-480p-81f", "runtime.residency=sequential"});
  const int64_t forwards = all.model->stages().front()->forwards();
  const double copies = static_cast<double>(all.model->parameter_bytes()) * static_cast<double>(forwards) / 9.6e9;
  EXPECT_NEAR((wall(sequential) - wall(all)) / copies, 1, 0.1);
}

// --- loading ---------------------------------------------------------------------------------------------------------

// The README's recipe: 13,344,424,960 bytes of float32 on the device before the first forward, and the embedding in 16
// bits beside them at the first cast.
TEST(Loading, DeepSeekOcrIsCastOnTheDevice) {
  const Offloaded readme({"workload=dsocr-gundam"}, "deepseek_ocr");
  const MemoryReport report = build_memory_report(*readme.model, readme.run);
  constexpr int64_t buffers = 5128;  // position ids
  EXPECT_EQ(report.loading.live_bytes, 13'344'424'960 + buffers + 129'280LL * 1280 * 2);
  EXPECT_TRUE(report.peaks_while_loading());
  EXPECT_GE(report.device.max_memory_allocated(), report.loading.live_bytes);
  const Offloaded direct({"workload=dsocr-gundam", "runtime.torch_dtype=bfloat16"}, "deepseek_ocr");
  const MemoryReport in_16_bits = build_memory_report(*direct.model, direct.run);
  EXPECT_FALSE(in_16_bits.peaks_while_loading());
  EXPECT_EQ(in_16_bits.peak().live_bytes(), report.peak().live_bytes());
  const Offloaded quantised({"workload=dsocr-gundam", "decoder.weight_format=awq_int4"}, "deepseek_ocr");
  EXPECT_FALSE(build_memory_report(*quantised.model, quantised.run).peaks_while_loading());
}

// An RTX 3060 of 12 GiB ends while it loads.
TEST(Loading, ADeviceTooSmallForItEndsThere) {
  const auto model = entries::model("deepseek_ocr", {"workload=dsocr-gundam"});
  AllocatorSettings settings;
  settings.capacity = int64_t{12} << 30;
  const RunReplay replay = replay_run(*model, default_stack(), settings);
  ASSERT_EQ(replay.failed.size(), 1u);
  EXPECT_EQ(replay.failed.front().stage.rfind("loading", 0), 0u);
  EXPECT_TRUE(replay.stages.empty());
}

// T5's .pth is read whole beside the model: 2 x 11.36 GB; then the transformer in float32 beside it.
TEST(Loading, OfficialWanNeedsHostMemory) {
  const auto model = entries::model("wan2_1_t2v_1_3b_pipeline", {});
  const HostMemory host = host_memory(*model);
  int64_t t5 = 0, dit = 0;
  for (const auto& stage : model->stages()) {
    if (stage->id() == "text_encoder/umt5") t5 = stage->weight_and_buffer_bytes();
    if (stage->id() == "diffusion/dit") dit = stage->weight_and_buffer_bytes();
  }
  EXPECT_EQ(host.loading, std::max(2 * t5, t5 + dit));
  EXPECT_EQ(host.loading_what, "text_encoder/umt5");
  EXPECT_EQ(host.pinned, 0);
}

}  // namespace
}  // namespace modelmeter
