// Settings of Wan that a configuration may have: each works, or is refused at its key.
#include "model/wan/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "config/yaml.h"
#include "cost/rollup.h"
#include "model/registry.h"
#include "model/wan/diffusers/scheduler.h"
#include "model/wan/official/flow_scheduler.h"
#include "testing/wan_groups.h"

namespace modelmeter::wan {
namespace {

using testing::HasSubstr;

// A small model, its nodes by name; `set` replaces or adds keys of them.
class Settings {
 public:
  explicit Settings(std::string stages, std::string implementation = "official")
      : node_(config::parse_yaml(
            "hf: {model_id: test, model_variant: small, config: {dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}}\n"
            "runtime: {implementation: " +
                std::move(implementation) +
                ", attention: flash}\n"
                "workload: {profile_id: test, batch_size: 1, num_frames: 5, height: 32, width: 48, num_inference_steps: 2, "
                "text_len: 16, prompt_tokens: 5}\n"
                "transformer: {block: {}}\nimage_encoder: {}\n" +
                testing_models::umt5_xxl + testing_models::wan2_1_vae +
                "model: {_target_: modelmeter.wan2_1.Wan2_1Model, stages: [" + std::move(stages) + "]}\n",
            "test.yaml")) {}

  // "vae.dim", "32": a value in YAML, as an override has it.
  Settings& set(const std::string& path, const std::string& value) {
    config::Node* group = &node_;
    size_t begin = 0;
    for (size_t dot = path.find('.'); dot != std::string::npos; dot = path.find('.', begin)) {
      group = group->find(path.substr(begin, dot - begin));
      begin = dot + 1;
    }
    config::Node parsed = config::parse_yaml("value: " + value + "\n", "<command line>");
    group->set(path.substr(begin), *parsed.find("value"));
    return *this;
  }
  std::unique_ptr<AnalyticModel> build() const { return build_model(config::View(node_), {}); }
  std::string error() const {
    try {
      build();
      return "no error";
    } catch (const Error& error) {
      return error.message();
    }
  }

 private:
  config::Node node_;
};

struct Figures {
  int64_t parameters, bytes;
  Count kernels, traffic;
  bool operator==(const Figures&) const = default;
};

Figures figures_of(const Settings& settings) {
  const auto model = settings.build();
  Tracer tracer;
  model->trace(tracer);
  const Cost cost = roll_up(tracer.trace()).total();
  return {model->parameter_count(), model->parameter_bytes(), cost.kernels, cost.bytes()};
}

struct Setting {
  const char* stages;
  const char* implementation;
  const char* path;
  const char* value;
};

void PrintTo(const Setting& s, std::ostream* out) { *out << s.implementation << " " << s.path << "=" << s.value; }

class Works : public testing::TestWithParam<Setting> {};

// It changes what is counted.
TEST_P(Works, AsASetting) {
  const Setting& s = GetParam();
  Settings settings(s.stages, s.implementation);
  if (std::string(s.stages) == "image_encoder" || std::string(s.stages) == "vae_encode") {
    settings.set("hf.config", "null").set("hf.variant", "i2v-14B").set("runtime.allow_unsupported", "true");
  }
  const Figures before = figures_of(settings);
  EXPECT_FALSE(figures_of(settings.set(s.path, s.value)) == before);
}

INSTANTIATE_TEST_SUITE_P(
    Wan, Works,
    testing::Values(Setting{"text_encoder", "official", "text_encoder.vocab", "1000"},
                    Setting{"text_encoder", "official", "text_encoder.dim_attn", "128"},
                    Setting{"text_encoder", "official", "text_encoder.dim_ffn", "128"},
                    Setting{"text_encoder", "official", "text_encoder.num_layers", "2"},
                    Setting{"text_encoder", "official", "text_encoder.num_buckets", "16"},
                    Setting{"text_encoder", "official", "text_encoder.shared_pos", "true"},
                    Setting{"text_encoder", "official", "text_encoder.weight_dtype", "float32"},
                    Setting{"text_encoder", "diffusers", "text_encoder.vocab", "1000"},
                    Setting{"text_encoder", "diffusers", "text_encoder.dim_attn", "2048"},
                    Setting{"text_encoder", "diffusers", "text_encoder.dim_ffn", "128"},
                    Setting{"text_encoder", "diffusers", "text_encoder.num_heads", "8"},
                    Setting{"image_encoder", "official", "image_encoder.num_layers", "3"},
                    Setting{"image_encoder", "official", "image_encoder.mlp_ratio", "2"},
                    Setting{"image_encoder", "official", "image_encoder.image_size", "112"},
                    Setting{"image_encoder", "official", "image_encoder.patch_size", "28"},
                    Setting{"image_encoder", "official", "image_encoder.pre_norm", "false"},
                    Setting{"image_encoder", "official", "image_encoder.activation", "quick_gelu"},
                    Setting{"image_encoder", "official", "image_encoder.weight_dtype", "float32"},
                    Setting{"image_encoder", "official", "image_encoder.batch_size", "2"},
                    Setting{"image_encoder", "diffusers", "image_encoder.hidden_size", "640"},
                    Setting{"image_encoder", "diffusers", "image_encoder.intermediate_size", "2560"},
                    Setting{"image_encoder", "diffusers", "image_encoder.num_hidden_layers", "3"},
                    Setting{"image_encoder", "diffusers", "image_encoder.hidden_act", "quick_gelu"},
                    Setting{"vae_decode", "official", "vae.dim", "32"},
                    Setting{"vae_decode", "official", "vae.num_res_blocks", "1"},
                    Setting{"vae_decode", "official", "vae.dim_mult", "[1, 2, 2, 4]"},
                    Setting{"vae_encode", "official", "vae.temperal_downsample", "[true, true, false]"},
                    Setting{"vae_decode", "diffusers", "vae.dim", "32"},
                    Setting{"vae_decode", "diffusers", "vae.dec_dim", "32"},
                    Setting{"vae_decode", "diffusers", "vae.weight_dtype", "bfloat16"},
                    Setting{"diffusion", "official", "runtime.autocast", "false"},
                    Setting{"diffusion", "official", "runtime.autocast_dtype", "float16"},
                    Setting{"diffusion", "official", "runtime.weight_dtype", "bfloat16"},
                    Setting{"diffusion", "official", "workload.seq_len", "16"},
                    Setting{"diffusion", "official", "workload.timestep_dtype", "float32"},
                    Setting{"diffusion", "diffusers", "workload.token_timesteps", "true"},
                    Setting{"diffusion", "official", "hf.generation", "wan2.2"},
                    Setting{"diffusion", "official", "text_encoder.weight_dtype", "float32"},
                    Setting{"diffusion", "official", "transformer.num_layers", "1"},
                    Setting{"diffusion", "official", "transformer.block.dim", "64"},
                    Setting{"diffusion", "diffusers", "transformer.block.ffn_dim", "64"},
                    Setting{"diffusion", "official", "transformer.block.num_heads", "2"},
                    Setting{"diffusion", "diffusers", "transformer.block.cross_attn_norm", "false"},
                    Setting{"diffusion", "official", "transformer.block.qk_norm", "false"}));

TEST(Settings, ALatentStandsInPlaceOfTheVideo) {
  Settings latent("text_encoder, sampling, diffusion, vae_decode");
  const Figures by_video = figures_of(latent);
  for (const char* key : {"workload.num_frames", "workload.height", "workload.width"}) latent.set(key, "null");
  EXPECT_TRUE(figures_of(latent.set("workload.latent", "[16, 2, 4, 6]")) == by_video);
  EXPECT_FALSE(figures_of(latent.set("workload.latent", "[16, 2, 4, 8]")) == by_video);
}

TEST(Settings, ImageFeaturesHaveTheEncodersDtypeUnlessSet) {
  Settings settings("diffusion");
  settings.set("hf.config", "{dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2, model_type: i2v, in_dim: 36}");
  const Figures usual = figures_of(settings);
  EXPECT_TRUE(figures_of(Settings(settings).set("workload.image_dtype", "float16")) == usual);
  const Figures set = figures_of(Settings(settings).set("workload.image_dtype", "float32"));
  EXPECT_FALSE(set == usual);
  EXPECT_TRUE(figures_of(Settings(settings).set("image_encoder.weight_dtype", "float32")) == set);
}

TEST(Settings, VaceLayersAreThoseThatTakeAHint) {
  Settings settings("diffusion");
  settings.set(
      "hf.config",
      "{dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 3, model_type: vace, vace_layers: [0, 1], vace_in_dim: 96}");
  const Figures two = figures_of(settings);
  EXPECT_TRUE(figures_of(Settings(settings).set("transformer.vace_layers", "[0, 2]")) == two);
  EXPECT_GT(two.parameters, figures_of(Settings(settings).set("transformer.vace_layers", "[0]")).parameters);
  EXPECT_THAT(Settings(settings).set("transformer.vace_layers", "[1, 2]").error(), HasSubstr("ascending from 0"));
  EXPECT_THAT(Settings(settings).set("transformer.vace_layers", "[0, 3]").error(), HasSubstr("has 3 blocks"));
}

struct Refused {
  Setting setting;
  const char* message;
};

class IsRefused : public testing::TestWithParam<Refused> {};

TEST_P(IsRefused, AtItsKey) {
  const Setting& s = GetParam().setting;
  const std::string error = Settings(s.stages, s.implementation).set(s.path, s.value).error();
  EXPECT_THAT(error, HasSubstr(GetParam().message)) << s.path;
  EXPECT_THAT(error, HasSubstr(s.path)) << error;
}

INSTANTIATE_TEST_SUITE_P(
    Wan, IsRefused,
    testing::Values(
        Refused{{"diffusion", "official", "text_encoder.d_model", "64"}, "is text_encoder.dim by its other"},
        Refused{{"diffusion", "official", "text_encoder.d_kv", "64"}, "is text_encoder.dim_attn by its"},
        Refused{{"diffusion", "official", "text_encoder.dims", "64"}, "unknown key"},
        Refused{{"diffusion", "official", "text_encoder.num_heads", "63"}, "63 heads do not divide"},
        Refused{{"diffusion", "diffusers", "text_encoder.shared_pos", "true"}, "a table of positions"},
        Refused{{"diffusion", "diffusers", "image_encoder.pre_norm", "false"}, "always has it"},
        Refused{{"text_encoder", "official", "text_encoder", "null"}, "vocab is not given"},
        Refused{{"vae_decode", "official", "vae", "null"}, "dim is not given"},
        Refused{{"vae_decode", "official", "vae.patch_size", "2"}, "12 channels"},
        Refused{{"vae_decode", "diffusers", "vae.in_channels", "4"}, "in_channels is 4"},
        Refused{{"vae_decode", "official", "vae.is_residual", "true"}, "patches of 2"},
        Refused{{"text_encoder", "diffusers", "text_encoder.num_buckets", "3"}, "at least 4"},
        Refused{{"vae_decode", "official", "vae.num_res_blocks", "257"}, "at most 256"},
        Refused{{"vae_decode", "official", "vae.dim_mult", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"}, "at most 16"},
        Refused{{"vae_decode", "official", "vae.temperal_downsample", "[true]"}, "each of the 4 levels"},
        Refused{{"diffusion", "official", "transformer.block.dims", "64"}, "unknown key"},
        Refused{{"diffusion", "official", "transformer.block.dim", "0"}, "above 0"},
        Refused{{"diffusion", "official", "transformer.block.num_heads", "3"}, "3 heads do not divide"},
        Refused{{"diffusion", "official", "text_encoder.weight_dtype", "float16"}, "unknown value"},
        Refused{{"diffusion", "official", "text_encoder.dim", "64"}, "the transformer's is 4096"},
        Refused{{"diffusion", "official", "text_encoder.num_layers", "0"}, "above 0"},
        Refused{{"diffusion", "official", "image_encoder.activation", "relu"}, "unknown value"},
        Refused{{"diffusion", "diffusers", "image_encoder.intermediate_size", "7"}, "a multiple of the width"},
        Refused{{"diffusion", "official", "vae.dec_dim", "64"}, "one width"},
        Refused{{"diffusion", "official", "vae.z_dim", "32"}, "the transformer's is 16"},
        Refused{{"diffusion", "official", "vae.weight_dtype", "bfloat16"}, "runs in float32"},
        Refused{{"diffusion", "official", "vae.dim_mult", "[]"}, "at least one level"},
        Refused{{"diffusion", "official", "runtime.attention", "math"}, "flash attention only"},
        Refused{{"diffusion", "official", "runtime.residency", "sequential"}, "no sequential offload"},
        Refused{{"diffusion", "official", "runtime.vae_tiling", "true"}, "has no tiling"},
        Refused{{"diffusion", "official", "runtime.vae_slicing", "true"}, "has no slicing"},
        Refused{{"diffusion", "official", "runtime.scheduler", "euler"}, "official has unipc, dpm++"},
        Refused{{"diffusion", "official", "runtime.attention", "sdpa"}, "runs flash_attn"},
        Refused{{"diffusion", "official", "runtime.weight_dtype", "fp8"}, "unknown value"},
        Refused{{"diffusion", "official", "runtime.shift", "0"}, "above 0"},
        Refused{{"diffusion", "official", "runtime.boundary", "0.9"}, "one transformer"},
        Refused{{"diffusion", "official", "runtime.expert_steps", "[1, 1]"}, "one transformer"},
        Refused{{"diffusion", "official", "runtime.expert_steps", "[1]"}, "two numbers of steps"},
        Refused{{"diffusion", "official", "runtime.guidance_scale", "[1, 2, 3]"}, "one scale"},
        Refused{{"diffusion", "diffusers", "runtime.vae_tile_size", "128"}, "vae_tiling=true"},
        Refused{{"diffusion", "diffusers", "runtime.autocast", "true"}, "without autocast"},
        Refused{{"diffusion", "official", "runtime.implementation", "oficial"}, "unknown value"},
        Refused{{"diffusion", "official", "workload.batch_size", "256"}, "at most 255 samples"},
        Refused{{"diffusion", "official", "workload.seq_len", "11"}, "12 tokens do not fit"},
        Refused{{"diffusion", "diffusers", "workload.seq_len", "16"}, "does not pad"},
        Refused{{"diffusion", "diffusers", "workload.image_dtype", "float32"}, "converts the features"},
        Refused{{"diffusion", "official", "workload.token_timesteps", "true"}, "per sample"},
        Refused{{"diffusion", "official", "workload.latent", "[16, 2, 4, 6]"}, "in place of num_frames"},
        Refused{{"diffusion", "official", "workload.timestep_dtype", "bfloat16"}, "unknown value"},
        Refused{{"diffusion", "official", "transformer.vace_layers", "[0]"}, "no VACE blocks"}));

TEST(Settings, ATransformersStageNeedsItsMetadata) {
  EXPECT_THAT(Settings("diffusion").set("hf.config", "null").error(), HasSubstr("must say which transformer"));
  EXPECT_EQ(Settings("text_encoder").set("hf.config", "null").error(), "no error");
}

TEST(Settings, GenerationAndVariantGoTogether) {
  Settings settings("diffusion");
  settings.set("runtime.allow_unsupported", "true").set("hf.variant", "t2v-14B");
  EXPECT_EQ(Settings(settings).set("hf.generation", "wan2.1").error(), "no error");
  EXPECT_THAT(Settings(settings).set("hf.generation", "wan2.2").error(), HasSubstr("other generation"));
}

// By stage, in their order.
std::vector<std::pair<std::string, int64_t>> forwards_of(const Settings& settings) {
  std::vector<std::pair<std::string, int64_t>> out;
  const auto model = settings.build();
  for (const auto& stage : model->stages()) out.emplace_back(stage->id(), stage->forwards());
  return out;
}

using Forwards = std::vector<std::pair<std::string, int64_t>>;

TEST(Forwards, AreStepsTimesBranchesOfGuidance) {
  Settings settings("text_encoder, sampling, diffusion, vae_decode");
  settings.set("workload.num_inference_steps", "7");
  EXPECT_EQ(forwards_of(settings),
            (Forwards{{"text_encoder/umt5", 2}, {"diffusion/sampling", 1}, {"diffusion/dit", 14}, {"vae/decode", 1}}));
  settings.set("runtime.cfg", "false").set("workload.batch_size", "3");
  EXPECT_EQ(forwards_of(settings), (Forwards{{"text_encoder/umt5", 1},
                                             {"diffusion/sampling", 3},  // one video at a time
                                             {"diffusion/dit", 7},
                                             {"vae/decode", 1}}));
  settings.set("runtime.implementation", "diffusers");
  EXPECT_EQ(forwards_of(settings)[1].second, 1);
}

TEST(Forwards, OfExpertsSplitAtTheBoundary) {
  Settings settings("diffusion");
  settings.set("hf.variant", "t2v-A14B").set("runtime.allow_unsupported", "true");
  settings.set("workload.num_inference_steps", "40");
  EXPECT_EQ(forwards_of(settings),
            (Forwards{{"diffusion/dit_high_noise", 52}, {"diffusion/dit_low_noise", 28}}));  // 26 and 14 steps
}

// Steps at and above a boundary, of 0.875 and of 0.9.
struct Split {
  int64_t steps;
  double shift;
  struct {
    int64_t t2v, i2v;
  } unipc, dpm_solver;
  struct {
    int64_t t2v, i2v;
  } euler;
};

int64_t above(const std::vector<double>& timesteps, double boundary) {
  return std::count_if(timesteps.begin(), timesteps.end(), [&](double t) { return t >= 1000 * boundary; });
}

// Counted from the time steps of the real schedulers: wan/utils of Wan2.2 @42bf4cf, diffusers 0.42.1.
TEST(Schedules, SplitAtTheBoundaryAsTheRealOnesDo) {
  const std::vector<Split> official = {
      {4, 3, {2, 1}, {2, 2}, {}},      {4, 5, {2, 2}, {2, 2}, {}},      {4, 12, {3, 3}, {3, 3}, {}},
      {8, 3, {3, 2}, {3, 3}, {}},      {8, 5, {4, 3}, {4, 3}, {}},      {8, 12, {6, 5}, {6, 5}, {}},
      {20, 3, {6, 5}, {6, 6}, {}},     {20, 5, {9, 8}, {9, 8}, {}},     {20, 12, {13, 12}, {13, 12}, {}},
      {40, 3, {12, 10}, {12, 11}, {}}, {40, 5, {17, 15}, {17, 15}, {}}, {40, 12, {26, 23}, {26, 23}, {}},
      {50, 3, {15, 13}, {15, 13}, {}}, {50, 5, {21, 18}, {21, 18}, {}}, {50, 12, {32, 29}, {32, 29}, {}}};
  const std::vector<Split> diffusers = {{4, 3, {2, 2}, {2, 1}, {1, 1}},         {4, 5, {2, 2}, {2, 2}, {2, 2}},
                                        {4, 12, {3, 3}, {3, 3}, {2, 2}},        {8, 3, {3, 3}, {3, 2}, {3, 2}},
                                        {8, 5, {4, 3}, {4, 3}, {3, 3}},         {8, 12, {6, 5}, {6, 5}, {5, 5}},
                                        {20, 3, {7, 6}, {6, 5}, {6, 5}},        {20, 5, {9, 8}, {9, 8}, {8, 7}},
                                        {20, 12, {13, 12}, {13, 12}, {13, 11}}, {40, 3, {13, 11}, {12, 10}, {12, 10}},
                                        {40, 5, {17, 15}, {17, 15}, {17, 14}},  {40, 12, {26, 23}, {26, 23}, {25, 23}},
                                        {50, 3, {16, 13}, {15, 13}, {15, 13}},  {50, 5, {21, 18}, {21, 18}, {21, 18}},
                                        {50, 12, {32, 29}, {32, 29}, {32, 29}}};
  for (const Split& s : official) {
    const auto unipc = official::noise_timesteps(Scheduler::unipc, s.steps, s.shift);
    const auto dpm = official::noise_timesteps(Scheduler::dpm_solver, s.steps, s.shift);
    EXPECT_EQ(above(unipc, 0.875), s.unipc.t2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(unipc, 0.9), s.unipc.i2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(dpm, 0.875), s.dpm_solver.t2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(dpm, 0.9), s.dpm_solver.i2v) << s.steps << " " << s.shift;
  }
  for (const Split& s : diffusers) {
    const auto steps = [&](Scheduler scheduler) { return diffusers::noise_timesteps(scheduler, s.steps, s.shift); };
    EXPECT_EQ(above(steps(Scheduler::unipc), 0.875), s.unipc.t2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(steps(Scheduler::unipc), 0.9), s.unipc.i2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(steps(Scheduler::dpm_solver), 0.875), s.dpm_solver.t2v) << s.steps << " " << s.shift;
    EXPECT_EQ(above(steps(Scheduler::dpm_solver), 0.9), s.dpm_solver.i2v) << s.steps << " " << s.shift;
    for (const Scheduler scheduler : {Scheduler::euler, Scheduler::lcm}) {
      EXPECT_EQ(above(steps(scheduler), 0.875), s.euler.t2v) << s.steps << " " << s.shift;
      EXPECT_EQ(above(steps(scheduler), 0.9), s.euler.i2v) << s.steps << " " << s.shift;
    }
  }
}

// An expert's forwards: the code base's own shift, then what is set.
TEST(Schedules, DecideTheExpertsSteps) {
  Settings settings("diffusion", "diffusers");
  settings.set("hf.variant", "t2v-A14B").set("runtime.allow_unsupported", "true");
  settings.set("workload.num_inference_steps", "40").set("runtime.cfg", "false");
  const auto high = [](const Settings& s) { return forwards_of(s).front().second; };
  EXPECT_EQ(high(settings), 13);
  EXPECT_EQ(high(Settings(settings).set("runtime.shift", "5")), 17);
  EXPECT_EQ(high(Settings(settings).set("runtime.boundary", "0.9")), 11);
  EXPECT_EQ(high(Settings(settings).set("runtime.scheduler", "euler")), 12);
  EXPECT_EQ(high(Settings(settings).set("runtime.expert_steps", "[30, 10]")), 30);
  EXPECT_THAT(Settings(settings).set("runtime.expert_steps", "[30, 11]").error(), HasSubstr("30 + 11 steps are not"));
  EXPECT_THAT(Settings(settings).set("runtime.boundary", "1.5").error(), HasSubstr("at most 1"));
}

TEST(Schedules, DiffusersGuidesAboveAScaleOfOne) {
  Settings settings("diffusion", "diffusers");
  EXPECT_EQ(forwards_of(Settings(settings).set("runtime.guidance_scale", "1")), (Forwards{{"diffusion/dit", 2}}));
  EXPECT_EQ(forwards_of(Settings(settings).set("runtime.guidance_scale", "[1, 5]")), (Forwards{{"diffusion/dit", 2}}));
  EXPECT_EQ(forwards_of(Settings(settings).set("runtime.guidance_scale", "3.5")), (Forwards{{"diffusion/dit", 4}}));
  settings.set("runtime.implementation", "official");
  EXPECT_EQ(forwards_of(settings.set("runtime.guidance_scale", "1")), (Forwards{{"diffusion/dit", 4}}));
}

// WanPipeline of diffusers 0.42.1, run on a tiny model: num_frames // 4 * 4 + 1. text2video.py: (num_frames - 1) // 4 +
// 1 latent frames.
TEST(Workloads, FramesAreThoseOfTheCodeBase) {
  const auto latent_frames = [](const char* implementation, int64_t frames) {
    Settings settings("diffusion", implementation);
    const auto model = settings.set("workload.num_frames", std::to_string(frames)).build();
    for (const auto& [name, value] : model->workload_fields()) {
      if (name == "latent_frames") return std::get<int64_t>(value);
    }
    return int64_t{0};
  };
  const std::vector<std::array<int64_t, 3>> known = {{1, 1, 1},  {2, 1, 1},  {3, 1, 1},    {4, 1, 2},   {15, 4, 4},
                                                     {16, 4, 5}, {17, 5, 5}, {80, 20, 21}, {81, 21, 21}};
  for (const auto& [frames, official, diffusers] : known) {
    EXPECT_EQ(latent_frames("official", frames), official) << frames;
    EXPECT_EQ(latent_frames("diffusers", frames), diffusers) << frames;
  }
}

TEST(Workloads, WhatTheCodeFailsOnIsRefused) {
  const auto error = [](const char* variant, const char* implementation, const char* frames) {
    Settings settings("sampling", implementation);
    settings.set("hf.config", "null").set("hf.variant", variant).set("runtime.allow_unsupported", "true");
    return settings.set("workload.num_frames", frames).error();
  };
  EXPECT_THAT(error("flf2v-14B", "official", "1"), HasSubstr("at least 3, not 1"));
  EXPECT_EQ(error("flf2v-14B", "official", "81"), "no error");
  Settings published("sampling");
  published.set("hf.config", "null").set("hf.variant", "flf2v-14B").set("workload.num_frames", "17");
  EXPECT_THAT(published.error(), HasSubstr("a mask of 81 frames"));
  EXPECT_THAT(error("flf2v-14B", "diffusers", "1"), HasSubstr("at least 2, not 1"));
  EXPECT_EQ(error("flf2v-14B", "diffusers", "4"), "no error");  // makes 5
  EXPECT_THAT(error("i2v-14B", "official", "16"), HasSubstr("does not divide into latent frames"));
  EXPECT_EQ(error("i2v-14B", "diffusers", "16"), "no error");
  EXPECT_EQ(error("t2v-14B", "official", "16"), "no error");
  Settings vace("diffusion", "diffusers");
  vace.set("hf.config", "{dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2, vace_layers: [0], vace_in_dim: 96}");
  EXPECT_THAT(vace.set("workload.batch_size", "2").error(), HasSubstr("makes one video"));
}

// Each a latent frame before the video's, and an encoding of its own; each code base has its name for them.
TEST(Images, ReferencesAreFramesOfTheTransformer) {
  const char* metadata =
      "{dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2, model_type: vace, vace_layers: [0], vace_in_dim: 96}";
  for (const auto& [implementation, key] :
       {std::pair("official", "workload.src_ref_images"), std::pair("diffusers", "workload.reference_images")}) {
    Settings settings("vae_encode, sampling, diffusion", implementation);
    settings.set("hf.config", metadata).set("hf.variant", "vace-14B").set("runtime.allow_unsupported", "true");
    settings.set(key, "2");
    EXPECT_EQ(
        forwards_of(settings),
        (Forwards{{"vae/encode", 2}, {"vae/encode_reference", 2}, {"diffusion/sampling", 1}, {"diffusion/dit", 4}}));
    Settings longer("diffusion", implementation);
    longer.set("hf.config", metadata).set("workload.num_frames", "13");
    Settings with("diffusion", implementation);
    with.set("hf.config", metadata).set(key, "2");
    EXPECT_TRUE(figures_of(longer) == figures_of(with));  // 2 + 2 latent frames
    EXPECT_THAT(Settings(settings).set(key, "3").error(), HasSubstr("3 reference images are more than the video's 2"));
  }
  Settings settings("diffusion");
  settings.set("hf.config", metadata);
  EXPECT_THAT(settings.set("workload.reference_images", "1").error(), HasSubstr("official calls them src_ref_images"));
  EXPECT_THAT(Settings("diffusion").set("workload.src_ref_images", "1").error(),
              HasSubstr("takes no reference images"));
}

TEST(Images, AreTi2vsToAskFor) {
  Settings settings("sampling, vae_decode");
  settings.set("hf.config", "null").set("hf.variant", "ti2v-5B").set("runtime.allow_unsupported", "true");
  for (const auto& [key, value] :
       {std::pair("vae.z_dim", "48"), std::pair("vae.dim", "16"), std::pair("vae.dec_dim", "16"),
        std::pair("vae.is_residual", "true"), std::pair("vae.patch_size", "2"), std::pair("vae.in_channels", "12"),
        std::pair("vae.out_channels", "12"), std::pair("workload.height", "64"), std::pair("workload.width", "64")}) {
    settings.set(key, value);
  }
  EXPECT_EQ(forwards_of(settings), (Forwards{{"diffusion/sampling", 1}, {"vae/decode", 1}}));
  settings.set("workload.image", "true");
  EXPECT_EQ(forwards_of(settings), (Forwards{{"vae/encode", 1}, {"diffusion/sampling", 1}, {"vae/decode", 1}}));
  EXPECT_THAT(Settings("diffusion").set("workload.image", "true").error(), HasSubstr("takes no image"));
  Settings always("sampling");
  always.set("hf.config", "null").set("hf.variant", "i2v-14B").set("runtime.allow_unsupported", "true");
  EXPECT_EQ(Settings(always).set("workload.image", "true").error(), "no error");
  EXPECT_THAT(Settings(always).set("workload.image", "false").error(), HasSubstr("always goes on from an image"));
}

// Each is padded by itself; who makes one video after another has a run for each.
TEST(Prompts, MayBeOfSeveralLengths) {
  Settings two("diffusion");
  two.set("workload.batch_size", "2");
  EXPECT_FALSE(figures_of(Settings(two).set("workload.prompt_tokens", "[5, 9]")) == figures_of(two));
  EXPECT_TRUE(figures_of(Settings(two).set("workload.prompt_tokens", "[5, 5]")) == figures_of(two));
  EXPECT_THAT(Settings(two).set("workload.prompt_tokens", "[5]").error(), HasSubstr("for each of batch_size 2"));
  EXPECT_THAT(Settings(two).set("workload.prompt_tokens", "[5, 0]").error(), HasSubstr("numbers above 0"));
  EXPECT_THAT(Settings(two).set("workload.prompt_tokens", "[5, 17]").error(), HasSubstr("17 tokens do not fit"));
  EXPECT_TRUE(Settings(two).set("workload.prompt_tokens", "[5, 9]").build()->settings().empty());
  Settings official("sampling", "official"), diffusers("sampling", "diffusers");
  official.set("workload.batch_size", "2").set("workload.prompt_tokens", "[5, 9]");
  diffusers.set("workload.batch_size", "2").set("workload.prompt_tokens", "[5, 9]");
  EXPECT_THAT(official.error(), HasSubstr("one video after another"));
  EXPECT_EQ(diffusers.error(), "no error");
}

// diffusers encodes one image for all of a batch; official makes one video after another.
TEST(Images, OfABatchAreEncodedAsTheCodeBaseDoes) {
  const auto encode = [](const char* implementation, const char* batch) {
    Settings settings("vae_encode, sampling", implementation);
    settings.set("hf.config", "null").set("hf.variant", "i2v-14B").set("runtime.allow_unsupported", "true");
    const auto model = settings.set("workload.batch_size", batch).build();
    Tracer tracer;
    model->stages()[0]->trace_forward(tracer);
    return roll_up(tracer.trace()).total().flops_tensor;
  };
  EXPECT_EQ(encode("diffusers", "3"), encode("diffusers", "1"));
  EXPECT_EQ(encode("official", "3"), encode("official", "1") + encode("official", "1") + encode("official", "1"));
}

// As people write them.
TEST(Settings, HaveTheAliasesThatPeopleUse) {
  const Figures bf16 = figures_of(Settings("diffusion").set("runtime.weight_dtype", "bfloat16"));
  for (const char* name : {"bf16", "torch.bfloat16"}) {
    EXPECT_TRUE(figures_of(Settings("diffusion").set("runtime.weight_dtype", name)) == bf16) << name;
  }
  const Figures fp16 = figures_of(Settings("diffusion").set("runtime.weight_dtype", "float16"));
  for (const char* name : {"fp16", "half", "torch.half"}) {
    EXPECT_TRUE(figures_of(Settings("diffusion").set("runtime.weight_dtype", name)) == fp16) << name;
  }
  const Figures flash = figures_of(Settings("diffusion", "diffusers"));
  EXPECT_TRUE(figures_of(Settings("diffusion", "diffusers").set("runtime.attention", "sdpa")) == flash);
}

TEST(Forwards, VaceEncodesWhatChangesAndWhatStays) {
  Settings settings("vae_encode, vae_decode");
  settings.set("hf.config", "null").set("hf.variant", "vace-14B").set("runtime.allow_unsupported", "true");
  EXPECT_EQ(forwards_of(settings), (Forwards{{"vae/encode", 2}, {"vae/decode", 1}}));
  settings.set("hf.variant", "i2v-14B");
  EXPECT_EQ(forwards_of(settings), (Forwards{{"vae/encode", 1}, {"vae/decode", 1}}));
}

TEST(Stages, TheAutoencoderIsOneForBothDirections) {
  Settings settings("vae_encode, vae_decode");
  settings.set("hf.config", "null").set("hf.variant", "i2v-14B").set("runtime.allow_unsupported", "true");
  const auto model = settings.build();  // of the published sizes
  EXPECT_EQ(&model->stages()[0]->layer(), &model->stages()[1]->layer());
  EXPECT_EQ(model->parameter_count(), 126'892'531);
}

// With five levels wan/modules/vae.py raises "Invalid channel dimensions"; diffusers' autoencoder has 166,787,827
// parameters on the meta device.
TEST(Settings, LevelsOfAnAutoencoderAreThoseThatItsCodeCanHave) {
  for (const auto& [implementation, works] : {std::pair("official", false), std::pair("diffusers", true)}) {
    Settings settings("vae_decode", implementation);
    settings.set("workload.width", "64").set("vae.dim_mult", "[1, 2, 4, 4, 4]");
    settings.set("vae.temperal_downsample", "[false, true, true, false]");
    if (!works) {
      EXPECT_THAT(settings.error(), HasSubstr("vae.dim_mult: vae.py's decoder fits four levels"));
      continue;
    }
    EXPECT_EQ(settings.build()->parameter_count(), 166'787'827);
  }
}

// A group that no stage runs may be missing; the latent is then that of the published autoencoder.
TEST(Settings, GroupsThatNothingRunsMayBeMissing) {
  const Figures with = figures_of(Settings("diffusion"));
  EXPECT_TRUE(figures_of(Settings("diffusion").set("vae", "null").set("text_encoder", "null")) == with);
}

TEST(Settings, AnOptionsWidthMattersWhereTheEncoderRuns) {
  const char* narrow = "{dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2, text_dim: 24}";
  EXPECT_EQ(Settings("diffusion").set("hf.config", narrow).error(), "no error");
  EXPECT_THAT(Settings("diffusion, text_encoder").set("hf.config", narrow).error(),
              HasSubstr("the transformer's is 24"));
}

TEST(Settings, TheAutoencoderIsTheTransformers) {
  Settings settings("diffusion");
  settings.set("hf.variant", "t2v-14B").set("runtime.allow_unsupported", "true").set("vae.z_dim", "48");
  EXPECT_EQ(settings.error(), "vae.z_dim: the autoencoder's latents have 48 channels, but the transformer gives 16");
}

// What the block or the depth is set to is in the model's name.
TEST(Settings, OfTheTransformerAreInTheModelsName) {
  Settings settings("diffusion");
  settings.set("transformer.num_layers", "1").set("transformer.block.ffn_dim", "64");
  const Fields fields = settings.build()->model_fields();
  EXPECT_EQ(std::get<std::string>(fields[1].second), "small+num_layers=1+ffn_dim=64");
}

TEST(Settings, MetadataIsGivenOnce) {
  EXPECT_THAT(Settings("diffusion").set("hf.config_path", "config.json").error(),
              HasSubstr("hf.config: stands in place of config_path"));
}

TEST(Settings, TilesAndSlicesAreDiffusers) {
  Settings settings("vae_decode", "diffusers");
  settings.set("workload.num_frames", "1").set("workload.height", "512").set("workload.width", "512");
  settings.set("workload.batch_size", "2").set("vae.dim", "16");
  const Figures whole = figures_of(settings);
  EXPECT_GT(figures_of(Settings(settings).set("runtime.vae_slicing", "true")).kernels, whole.kernels);
  settings.set("runtime.vae_tiling", "true");
  const Figures tiled = figures_of(settings);
  EXPECT_GT(tiled.kernels, whole.kernels);
  EXPECT_TRUE(figures_of(Settings(settings).set("runtime.vae_tile_size", "256")) == tiled);
  EXPECT_GT(figures_of(Settings(settings).set("runtime.vae_tile_stride", "[64, 192]")).kernels, tiled.kernels);
  EXPECT_THAT(Settings(settings).set("runtime.vae_tile_stride", "257").error(), HasSubstr("leave gaps"));
  EXPECT_THAT(Settings(settings).set("runtime.vae_tile_stride", "7").error(), HasSubstr("at least 8"));
}

TEST(Settings, InlineMetadataHasNoUnknownKeys) {
  EXPECT_THAT(Settings("diffusion").set("hf.config", "{dim: 32, ffn_dim: 48, num_heads: 4, num_layer: 2}").error(),
              HasSubstr("hf.config.num_layer: unknown key"));
}

}  // namespace
}  // namespace modelmeter::wan
