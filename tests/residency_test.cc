// Memory over time: what `modelmeter memory` adds up, what is resident when, and the published figures that it
// explains.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "config/compose.h"
#include "cost/rollup.h"
#include "memory/memory_report.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

std::unique_ptr<AnalyticModel> model_of(const std::string& config, const std::vector<std::string>& overrides) {
  const std::string source = MODELMETER_SOURCE_DIR;
  const config::Repository repository(source + "/configs", {});
  const config::Node node = config::resolve(config::compose(repository, config, overrides));
  return build_model(config::View(node), {source});
}

MemoryReport memory_of(const std::string& config, const std::vector<std::string>& overrides) {
  const auto model = model_of(config, overrides);
  return build_memory_report(*model, evaluate(*model));
}

// --- what is resident ------------------------------------------------------------------------------------------------

using Names = std::vector<std::string>;

Names residents_of(const MemoryReport& report, const std::string& stage) {
  for (const StageMemory& s : report.stages) {
    if (s.id != stage) continue;
    Names out;
    for (const Resident& r : s.residents.list) out.push_back(r.what);
    return out;
  }
  ADD_FAILURE() << "no stage " << stage;
  return {};
}

const char* const t5 = "text_encoder/umt5";
const char* const clip = "image_encoder/clip";
const char* const clip_text = "image_encoder/clip (text tower, not used)";
const char* const encode = "vae/encode";
const char* const decode = "vae/decode";
const char* const dit = "diffusion/dit";
const char* const high = "diffusion/dit_high_noise";
const char* const low = "diffusion/dit_low_noise";

TEST(Residency, OfficialT2vKeepsTheTransformerWhileItEncodes) {
  const MemoryReport r = memory_of("wan2_1_t2v_14b_pipeline", {"runtime.residency=offload"});
  EXPECT_EQ(residents_of(r, t5), (Names{t5, dit, decode}));
  EXPECT_EQ(residents_of(r, dit), (Names{dit, decode}));
  EXPECT_EQ(residents_of(r, decode), (Names{decode}));
}

TEST(Residency, OfficialI2vBringsTheTransformerForDenoising) {
  const MemoryReport r = memory_of("wan2_1_i2v_14b_720p_pipeline", {"runtime.residency=offload"});
  EXPECT_EQ(residents_of(r, t5), (Names{t5, clip, clip_text, encode}));
  EXPECT_EQ(residents_of(r, clip), (Names{clip, clip_text, encode}));
  EXPECT_EQ(residents_of(r, encode), (Names{encode}));
  EXPECT_EQ(residents_of(r, dit), (Names{encode, dit}));
  EXPECT_EQ(residents_of(r, decode), (Names{encode}));
}

TEST(Residency, OfficialI2vWithoutOffloadKeepsWhatCame) {
  const MemoryReport r = memory_of("wan2_1_i2v_14b_720p_pipeline", {});
  EXPECT_EQ(residents_of(r, t5), (Names{t5, clip, clip_text, encode}));
  EXPECT_EQ(residents_of(r, encode), (Names{t5, clip, clip_text, encode}));
  EXPECT_EQ(residents_of(r, decode), (Names{t5, clip, clip_text, encode, dit}));
}

TEST(Residency, OfficialVaceEncodesBesideTheTransformer) {
  const MemoryReport r = memory_of("wan2_1_vace_1_3b_pipeline", {"runtime.residency=offload"});
  EXPECT_EQ(residents_of(r, encode), (Names{encode, dit}));
  EXPECT_EQ(residents_of(r, decode), (Names{encode}));
}

// _prepare_model_for_timestep moves the other expert to the CPU even without offload_model: init_on_cpu is true.
TEST(Residency, OfficialExpertsAreNeverBothOnOneGpu) {
  const MemoryReport all = memory_of("wan2_2_t2v_a14b_pipeline", {});
  EXPECT_EQ(residents_of(all, t5), (Names{t5, decode}));
  EXPECT_EQ(residents_of(all, high), (Names{t5, high, decode}));
  EXPECT_EQ(residents_of(all, low), (Names{t5, low, decode}));
  EXPECT_EQ(residents_of(all, decode), (Names{t5, low, decode}));
  const MemoryReport offload = memory_of("wan2_2_t2v_a14b_pipeline", {"runtime.residency=offload"});
  EXPECT_EQ(residents_of(offload, t5), (Names{t5, decode}));
  EXPECT_EQ(residents_of(offload, high), (Names{high, decode}));
  EXPECT_EQ(residents_of(offload, decode), (Names{decode}));
}

TEST(Residency, ATextEncoderOnTheCpuTakesNothingOfTheDevice) {
  const MemoryReport r = memory_of("wan2_1_t2v_14b_pipeline", {"runtime.t5_cpu=true"});
  EXPECT_EQ(residents_of(r, t5), (Names{dit, decode}));
  EXPECT_FALSE(r.stages[0].residents.on_device);
  EXPECT_EQ(r.stages[0].activation_bytes, 0);
  EXPECT_EQ(r.stages[0].input_bytes, 0);
}

// accelerate's chain: a model that is called sends off the one before it in the sequence, and no other.
TEST(Residency, DiffusersOffloadFollowsTheChainOfHooks) {
  const std::vector<std::string> offload = {"runtime=diffusers", "runtime.residency=offload"};
  const MemoryReport t2v = memory_of("wan2_1_t2v_14b_pipeline", offload);
  EXPECT_EQ(residents_of(t2v, t5), (Names{t5}));
  EXPECT_EQ(residents_of(t2v, dit), (Names{dit}));
  EXPECT_EQ(residents_of(t2v, decode), (Names{decode}));
  const MemoryReport experts = memory_of("wan2_2_t2v_a14b_pipeline", offload);
  EXPECT_EQ(residents_of(experts, high), (Names{high}));
  EXPECT_EQ(residents_of(experts, low), (Names{low}));
  // The autoencoder is called out of turn: the text encoder stays beside it, and it stays beside the transformer.
  const MemoryReport i2v = memory_of("wan2_2_i2v_a14b_pipeline", offload);
  EXPECT_EQ(residents_of(i2v, encode), (Names{t5, encode}));
  EXPECT_EQ(residents_of(i2v, high), (Names{encode, high}));
  EXPECT_EQ(residents_of(i2v, low), (Names{encode, low}));
  EXPECT_EQ(residents_of(i2v, decode), (Names{encode}));
}

TEST(Residency, DiffusersAllIsAll) {
  const MemoryReport r = memory_of("wan2_2_t2v_a14b_pipeline", {"runtime=diffusers"});
  for (const char* stage : {t5, high, low, decode}) EXPECT_EQ(residents_of(r, stage), (Names{t5, high, low, decode}));
}

TEST(Residency, SequentialHoldsTheRunningModuleAndThoseAroundIt) {
  const MemoryReport r = memory_of("wan2_1_t2v_14b_pipeline", {"runtime=diffusers", "runtime.residency=sequential"});
  for (const StageMemory& s : r.stages) {
    EXPECT_EQ(residents_of(r, s.id), (Names{dit}));  // the transformer's buffers alone: accelerate leaves them there
    EXPECT_EQ(s.residents.bytes(), 2 * 1024 * 128 * 4) << s.id;
  }
  // The embedding table of the text encoder, 256384 x 4096 in bfloat16, outweighs its activations.
  EXPECT_EQ(r.stages[0].streamed_bytes, 256384 * 4096 * 2);
}

// --- what moves ------------------------------------------------------------------------------------------------------

// Names what a stage moves: bytes to the device, bytes to the host.
std::pair<Count, Count> moves(const MemoryReport& r, const std::string& stage) {
  const auto at = std::find_if(r.stages.begin(), r.stages.end(), [&](const StageMemory& s) { return s.id == stage; });
  return {at->transfers.to_device, at->transfers.to_host};
}

TEST(Transfers, AnExpertComesWhenTheOtherGoes) {
  const auto model = model_of("wan2_2_t2v_a14b_pipeline", {"runtime.residency=offload"});
  const MemoryReport r = build_memory_report(*model, evaluate(*model));
  std::map<std::string, int64_t> bytes;
  for (const auto& stage : model->stages()) bytes[stage->id()] = stage->weight_and_buffer_bytes();
  EXPECT_EQ(moves(r, t5), std::pair(Count(bytes[t5] + bytes[decode]), Count(0)));  // the autoencoder is there first
  EXPECT_EQ(moves(r, high), std::pair(Count(bytes[high]), Count(bytes[t5])));
  EXPECT_EQ(moves(r, low), std::pair(Count(bytes[low]), Count(bytes[high])));
  EXPECT_EQ(moves(r, decode), std::pair(Count(0), Count(bytes[low])));
  EXPECT_EQ(moves(r, "diffusion/sampling"), std::pair(Count(0), Count(0)));
}

TEST(Transfers, NothingMovesAfterTheFirstStageWhereAllIsThere) {
  const MemoryReport r = memory_of("wan2_2_t2v_a14b_pipeline", {"runtime=diffusers"});
  for (const char* stage : {high, low, decode}) EXPECT_EQ(moves(r, stage), std::pair(Count(0), Count(0)));
}

// Every module's weights come each time that it runs: the whole transformer in each of its forwards.
TEST(Transfers, SequentialOffloadStreamsAllWeightsInEveryForward) {
  const auto model = model_of("wan2_1_t2v_14b_pipeline", {"runtime=diffusers", "runtime.residency=sequential"});
  const MemoryReport r = build_memory_report(*model, evaluate(*model));
  for (const auto& stage : model->stages()) {
    if (stage->id() != t5 && stage->id() != dit) continue;
    const Count first = stage->id() == t5 ? 2 * 1024 * 128 * 4 : 0;  // the transformer's buffers, which stay
    EXPECT_EQ(moves(r, stage->id()).first - first, Count(stage->parameter_bytes()) * stage->forwards());
    EXPECT_EQ(moves(r, stage->id()).second, Count(0));
  }
}

// --- sums ------------------------------------------------------------------------------------------------------------

struct Run {
  std::string config;
  std::vector<std::string> overrides;
};

class MemoryOf : public testing::TestWithParam<Run> {};

TEST_P(MemoryOf, IsTheRollupsPeakAndAddsUp) {
  const auto model = model_of(GetParam().config, GetParam().overrides);
  const Evaluation run = evaluate(*model);
  const MemoryReport r = build_memory_report(*model, run);
  EXPECT_EQ(r.peak().live_bytes(), run.rollup().peak_live_bytes(run.trace()));
  int64_t alive = 0;
  for (const AliveRow& row : r.alive) {
    alive += row.bytes;
    EXPECT_NE(row.kind, AliveRow::Kind::other) << row.bytes << " bytes have grown with no tensor's name";
  }
  EXPECT_EQ(alive, r.peak().live_bytes());
  EXPECT_EQ(r.device.live, r.peaks_while_loading() ? r.loading.live_bytes : alive);
  EXPECT_GE(r.device.nvidia_smi(), r.device.max_memory_allocated());
  for (const StageMemory& s : r.stages) {
    ASSERT_EQ(s.live.size(), s.held.size());
    for (size_t i = 0; i < s.live.size(); ++i) {
      EXPECT_GE(s.live[i], s.held[i]);
      EXPECT_LE(s.live[i], s.live_bytes());
    }
    if (s.residents.on_device) {
      EXPECT_EQ(s.live[static_cast<size_t>(s.peak.index - s.first_op)], s.live_bytes());
      EXPECT_GE(s.with_workspace_bytes, s.live_bytes());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Runs, MemoryOf,
    testing::Values(
        Run{"wan2_1_t2v_14b", {}}, Run{"wan2_1_t2v_14b_pipeline", {"runtime.residency=offload"}},
        Run{"wan2_1_t2v_1_3b_pipeline",
            {"workload=wan2-1-480p-81f", "runtime.residency=offload", "runtime.t5_cpu=true"}},
        Run{"wan2_1_i2v_14b_480p_pipeline", {}}, Run{"wan2_1_vace_1_3b_pipeline", {"runtime.residency=offload"}},
        Run{"wan2_2_ti2v_5b_pipeline", {"runtime.residency=offload"}},
        Run{"wan2_1_t2v_14b_pipeline", {"runtime=diffusers", "runtime.residency=sequential"}},
        Run{"wan2_1_t2v_1_3b_pipeline", {"runtime=diffusers", "runtime.residency=offload", "workload=wan2-1-480p-81f"}},
        Run{"wan2_1_t2v_1_3b_pipeline", {"runtime=diffusers", "runtime.vae_tiling=true", "workload=wan2-1-480p-81f"}},
        Run{"deepseek_ocr", {}}, Run{"deepseek_ocr", {"runtime.sampling=true"}}),
    [](const auto& test) { return test.param.config + "_" + std::to_string(test.index); });

// Keys and values of 12 layers, 10 heads of 128, in bfloat16, for 512 tokens of prompt and 511 decoded: where the peak
// is, in the last step, one layer holds its old keys beside the new.
TEST(MemoryOfDecoding, NamesItsKvCache) {
  const MemoryReport r = memory_of("deepseek_ocr", {});
  const StageMemory& s = r.stages.back();
  ASSERT_EQ(s.id, "decode");
  ASSERT_EQ(s.roles.size(), 1u);
  EXPECT_EQ(s.roles[0].name, "KV cache");
  const int64_t token = 10 * 128 * 2;  // of keys or values, in one layer
  const int64_t before = 512 + 510, after = before + 1;
  EXPECT_EQ(s.roles[0].bytes, token * (4 * after + 20 * before + before));
}

TEST(MemoryOfTheDecoder, NamesItsFeatureCaches) {
  const MemoryReport r = memory_of("wan2_1_t2v_14b_pipeline", {});
  const StageMemory& s = r.stages.back();
  ASSERT_EQ(s.id, decode);
  ASSERT_EQ(s.roles.size(), 1u);
  EXPECT_EQ(s.roles[0].name, "feature cache");
  // 33 convolutions keep two frames of their input, 8.72 GB in all; where the peak is, one of them holds both its old
  // frames and the new ones.
  EXPECT_GT(s.roles[0].bytes, 8'720'000'000);
  EXPECT_LT(s.roles[0].bytes, 9'500'000'000);
}

// --- published figures -----------------------------------------------------------------------------------------------

// Peak memory of one GPU in the official tables (GiB, printed as GB): Wan-Video/Wan2.1 @9737cba and Wan2.2 @42bf4cf,
// assets/comp_effic.png and the notes under it in README.md. 81 frames are the default.
struct Published {
  const char* name;
  double gibibytes;
  double tolerance;  // of torch.cuda.max_memory_allocated: held state and what kernels ask for are not all modelled
  Run run;
};

class PublishedMemory : public testing::TestWithParam<Published> {};

TEST_P(PublishedMemory, IsExplained) {
  const MemoryReport r = memory_of(GetParam().run.config, GetParam().run.overrides);
  const double expected = static_cast<double>(r.device.max_memory_allocated()) / (1 << 30);
  const double error = expected / GetParam().gibibytes - 1;
  EXPECT_LT(std::abs(error), GetParam().tolerance) << expected << " GiB for " << GetParam().gibibytes;
}

const std::vector<Published> published = {
    {"T2V_14B_720p", 69.1, 0.03, {"wan2_1_t2v_14b_pipeline", {"runtime.residency=offload"}}},
    {"T2V_1_3B_480p",
     8.19,
     0.03,
     {"wan2_1_t2v_1_3b_pipeline", {"workload=wan2-1-480p-81f", "runtime.residency=offload", "runtime.t5_cpu=true"}}},
    {"T2V_A14B_480p",
     41.3,
     0.03,
     {"wan2_2_t2v_a14b_pipeline",
      {"workload=wan2-1-480p-81f", "runtime.residency=offload", "runtime.weight_dtype=bfloat16"}}},
    {"T2V_A14B_720p",
     59.8,
     0.03,
     {"wan2_2_t2v_a14b_pipeline", {"runtime.residency=offload", "runtime.weight_dtype=bfloat16"}}},
};

// One forward of diffusers' transformer in bfloat16, max_memory_allocated: huggingface.co/datasets/diffusers/benchmarks
// (benchmarks/benchmarking_wan.py of diffusers has the inputs; one decimal).
const Published diffusers_forward = {
    "T2V_14B_480p_diffusers", 30.2, 0.003, {"wan2_1_t2v_14b", {"runtime=diffusers", "workload=wan2-1-480p-81f"}}};
INSTANTIATE_TEST_SUITE_P(Benchmarks, PublishedMemory, testing::Values(diffusers_forward),
                         [](const auto& test) { return std::string(test.param.name); });

// kijai/ComfyUI-WanVideoWrapper#1272: "Total memory used by transformer blocks: 13409.26MB" of T2V-14B, matrices in
// float8, the rest in bfloat16. diffusers' layerwise casting keeps biases in float8 and tables in float32.
TEST(PublishedWeights, OfBlocksInFloat8AreThoseOfLayerwiseCasting) {
  const auto model = model_of("wan2_1_t2v_14b", {"runtime=diffusers", "transformer.weight_format=fp8_e4m3"});
  double bytes = 0;
  for (const BaseLayer::Child& child : model->stages().front()->layer().children()) {
    if (child.name == "blocks") bytes += static_cast<double>(child.count * child.layer->parameter_bytes());
  }
  EXPECT_NEAR(bytes / (1 << 20) / 13409.26, 1, 0.001) << bytes;
}

INSTANTIATE_TEST_SUITE_P(Tables, PublishedMemory, testing::ValuesIn(published),
                         [](const auto& test) { return std::string(test.param.name); });

// Wan-Video/Wan2.1#161 (2025-03): T2V-1.3B at 832 x 480 with offload and T5 on the CPU ran out of memory in F.pad of
// the decoder with 6.68 GiB allocated, asking for 884 MiB more: 7.54 GiB where we have the decoder's peak.
TEST(PublishedMemoryOfTheDecoder, IsWhatAnOutOfMemoryReportSays) {
  const MemoryReport r = memory_of("wan2_1_t2v_1_3b_pipeline",
                                   {"workload=wan2-1-480p-81f", "runtime.residency=offload", "runtime.t5_cpu=true"});
  const StageMemory& s = r.stages.back();
  EXPECT_EQ(s.peak.kernel, "aten.new_empty");
  EXPECT_NEAR(static_cast<double>(s.live_bytes()) / (1 << 30) / (6.68 + 884.0 / 1024), 1, 0.01);
}

// invoke-ai/InvokeAI#9305 (2026-06): max_memory_allocated of decoding one frame in float16 on an RTX 4090, by height
// and width. Ours runs in float32, all of it twice as large; in float16 a convolution's workspace is input and output.
TEST(PublishedMemoryOfTheDecoder, IsWhatOneFrameTakes) {
  struct Row {
    int64_t height, width;
    double gibibytes;
  };
  for (const Row& row :
       {Row{512, 512, 1.274}, Row{768, 768, 2.563}, Row{832, 1248, 4.331}, Row{1024, 1024, 4.369},
        Row{1280, 1280, 6.693}, Row{1088, 1920, 8.468}, Row{1536, 1536, 9.532}, Row{2048, 2048, 16.754}}) {
    const MemoryReport r =
        memory_of("wan2_1_t2i_14b_pipeline",
                  {"runtime=diffusers", "model.stages=[vae_decode]", "runtime.allow_unsupported=true",
                   "workload.height=" + std::to_string(row.height), "workload.width=" + std::to_string(row.width)});
    const StageMemory& s = r.stages.back();
    EXPECT_EQ(s.peak.kernel, "aten.convolution");
    // 96 channels of three frames come in, one goes out.
    const int64_t output = 4 * 96 * row.height * row.width;
    const double ours = static_cast<double>(s.with_workspace_bytes + output) / 2 / (1 << 30);
    EXPECT_NEAR(ours / row.gibibytes, 1, 0.01) << row.height << " x " << row.width;
  }
}

}  // namespace
}  // namespace modelmeter
