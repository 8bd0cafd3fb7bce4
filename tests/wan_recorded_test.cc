// What `modelmeter trace` writes is verified by the way of every recording: its header makes a configuration, and what
// that builds runs the same kernels. Every stage of every code base, with settings that a header must carry.
#include <gtest/gtest.h>

#include "testing/models.h"
#include "verify/comparison.h"

namespace modelmeter {
namespace {

constexpr char t2v[] = "config: {dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 3, freq_dim: 16, text_dim: 24}";
constexpr char ti2v[] =
    "config: {model_type: ti2v, in_dim: 48, out_dim: 48, dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}, "
    "variant: ti2v-5B";
constexpr char i2v[] = "config: {model_type: i2v, in_dim: 36, dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}";
constexpr char flf2v[] = "config: {model_type: flf2v, in_dim: 36, dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}";
constexpr char i2v2[] =
    "config: {model_type: i2v, in_dim: 36, dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}, generation: wan2.2";
constexpr char vace[] =
    "config: {model_type: vace, vace_layers: [0, 1], vace_in_dim: 96, dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 3}";
constexpr char two_experts[] = "config: {dim: 32, ffn_dim: 48, num_heads: 4, num_layers: 2}, variant: t2v-A14B";

const char* const all = "text_encoder, sampling, diffusion, vae_decode";
const char* const from_image = "text_encoder, image_encoder, vae_encode, sampling, diffusion, vae_decode";

struct Spec {
  const char* name;
  const char* hf;
  const char* stages;
  const char* runtime;   // after the implementation
  const char* workload;  // after the batch
  const char* parts;     // further nodes
};

void PrintTo(const Spec& s, std::ostream* out) { *out << s.name; }

std::unique_ptr<AnalyticModel> model_of(const Spec& s, const std::string& implementation) {
  config::Node node = config::parse_yaml(
      fmt::format("hf: {{model_id: test/wan, model_variant: small, {}}}\n"
                  "runtime: {{implementation: {}, allow_unsupported: true{}}}\n"
                  "workload: {{profile_id: test, num_inference_steps: 2, text_len: 16, prompt_tokens: 5{}}}\n"
                  "transformer: {{}}\n"
                  "model: {{_target_: modelmeter.wan2_1.Wan2_1Model, stages: [{}]}}\n",
                  s.hf, implementation, s.runtime, s.workload, s.stages),
      "test.yaml");
  const bool second_vae = std::string(s.hf) == ti2v || std::string(s.name) == "SecondAutoencoder";
  testing_models::add_wan_groups(node, s.parts, second_vae);
  return build_model(config::View(node), {});
}

const char* const video = ", batch_size: 1, num_frames: 5, height: 32, width: 64";

class Header : public testing::TestWithParam<std::tuple<Spec, std::string>> {};

TEST_P(Header, BuildsWhatWasTraced) {
  const auto& [spec, implementation] = GetParam();
  const auto model = model_of(spec, implementation);
  for (const auto& stage : model->stages()) {
    Recording ours = recording_of(*stage);
    model->describe(*stage, ours);
    ours.code = "modelmeter " + stage->id();
    ours.variant = "small";
    const Recording read = read_recording(write_recording(ours), "trace.json");
    const std::shared_ptr<const Stage> rebuilt = stage_of_recording(read);
    EXPECT_EQ(rebuilt->id().substr(0, 10), stage->id().substr(0, 10));  // of an expert, of a reference image
    const Comparison comparison = compare(recording_of(*rebuilt), read);
    EXPECT_TRUE(comparison.equal()) << stage->id() << "\n" << table_of(comparison, read);
  }
}

const auto name_of = [](const auto& test) {
  return std::string(std::get<0>(test.param).name) + "_" + std::get<1>(test.param);
};

INSTANTIATE_TEST_SUITE_P(
    OfEither, Header,
    testing::Combine(
        testing::Values(
            Spec{"T2v", t2v, "sampling, diffusion, vae_decode", ", attention: flash", video,
                 "vae: {num_res_blocks: 1}\n"},
            Spec{"NoGuidance", t2v, all, ", attention: flash, cfg: false", video,
                 "text_encoder: {num_layers: 2, dim: 24}\n"},
            Spec{"I2v", i2v, from_image, ", attention: flash", video,
                 "text_encoder: {num_layers: 1}\nvae: {num_res_blocks: 1}\n"},
            Spec{"Flf2v", flf2v, "image_encoder, sampling, diffusion", ", attention: flash, residency: offload", video,
                 "image_encoder: {weight_dtype: bfloat16}\n"},
            Spec{"Vace", vace, "vae_encode, sampling, diffusion", ", attention: flash, weight_dtype: float16", video,
                 ""},
            Spec{"Ti2v", ti2v, "sampling, diffusion, vae_decode", ", attention: flash", video, ""},
            Spec{
                "TimeStepsOfSamples", ti2v, "diffusion", ", attention: flash",
                ", token_timesteps: false, timestep_dtype: float32, batch_size: 1, num_frames: 5, height: 32, width: 64",
                ""},
            Spec{"FromAnImage", ti2v, "vae_encode, sampling, diffusion", ", attention: flash",
                 ", image: true, batch_size: 2, num_frames: 5, height: 32, width: 64", ""},
            Spec{"I2vOfWan22", i2v2, "sampling, diffusion", ", attention: flash", video, ""},
            Spec{"Experts", two_experts, "sampling, diffusion", ", attention: flash", video, ""},
            Spec{"Batch", t2v, "sampling, diffusion, vae_decode", ", attention: flash",
                 ", batch_size: 2, latent: [16, 2, 4, 6]", "text_encoder: {weight_dtype: float32}\n"},
            Spec{"SecondAutoencoder", "notes: ''", "vae_decode", ", attention: flash",
                 ", batch_size: 1, latent: [48, 2, 4, 6]", "vae: {num_res_blocks: 1}\n"}),
        testing::Values("official", "diffusers")),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    OfOfficial, Header,
    testing::Combine(
        testing::Values(
            Spec{"DpmSolver", t2v, "sampling", ", attention: flash, scheduler: dpm++, t5_cpu: true", video, ""},
            Spec{"PaddedWithoutAutocast", t2v, "diffusion", ", attention: flash, autocast: false",
                 ", seq_len: 20, batch_size: 1, num_frames: 5, height: 32, width: 64", ""},
            Spec{"Float16", i2v, "diffusion", ", attention: flash, autocast_dtype: float16, weight_dtype: bfloat16",
                 ", image_dtype: float32, batch_size: 1, num_frames: 5, height: 32, width: 64", ""},
            Spec{"References", vace, "vae_encode, sampling, diffusion", ", attention: flash",
                 ", src_ref_images: 2, batch_size: 1, num_frames: 5, height: 32, width: 64", ""},
            Spec{"SharedPositions", t2v, "text_encoder", ", attention: flash", video,
                 "text_encoder: {shared_pos: true, num_layers: 2, dim: 24, dim_attn: 64}\n"}),
        testing::Values("official")),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    OfDiffusers, Header,
    testing::Combine(
        testing::Values(
            Spec{"Math", i2v, "image_encoder, diffusion, vae_decode", ", attention: math", video, ""},
            Spec{"TilesAndSlices", t2v, "vae_decode", ", attention: flash, vae_tiling: true, vae_slicing: true",
                 ", batch_size: 2, num_frames: 1, height: 512, width: 512", "vae: {dim: 16, weight_dtype: bfloat16}\n"},
            Spec{"Tokens", t2v, "diffusion", ", attention: flash",
                 ", token_timesteps: true, batch_size: 1, num_frames: 5, height: 32, width: 64", ""},
            Spec{"References", vace, "vae_encode, sampling, diffusion", ", attention: flash",
                 ", reference_images: 2, batch_size: 1, num_frames: 5, height: 32, width: 64", ""},
            Spec{"SmallText", t2v, "text_encoder", ", attention: math", video,
                 "text_encoder: {num_layers: 2, dim: 24, dim_attn: 32, num_heads: 2, vocab: 100}\n"}),
        testing::Values("diffusers")),
    name_of);

}  // namespace
}  // namespace modelmeter
