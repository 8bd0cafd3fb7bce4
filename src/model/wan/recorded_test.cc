#include "model/wan/recorded.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/yaml.h"
#include "model/registry.h"

namespace modelmeter::wan {
namespace {

using config::Node;
using testing::HasSubstr;

Recording header(const std::string& implementation, const std::string& config, const std::string& workload) {
  Recording out;
  out.implementation = implementation;
  out.attention = "flash";
  out.variant = "small";
  out.config = config;
  out.workload = workload;
  return out;
}

// The value at a path of a configuration ("workload.latent"), as YAML in one line; "-" where there is none.
std::string at(const Node& node, const std::string& path) {
  const size_t dot = path.find('.');
  const Node* found = node.find(path.substr(0, dot));
  if (found == nullptr) return "-";
  if (dot != std::string::npos) return at(*found, path.substr(dot + 1));
  if (found->is(config::Kind::boolean)) return found->as_bool() ? "true" : "false";
  if (found->is(config::Kind::integer)) return std::to_string(found->as_int());
  if (found->is(config::Kind::string)) return found->as_string();
  std::string out;
  for (const Node& item : found->items()) {
    out +=
        (out.empty() ? "" : ",") + (item.is(config::Kind::integer) ? std::to_string(item.as_int()) : item.as_string());
  }
  return out;
}

constexpr char dit_config[] = R"({"dim": 64, "ffn_dim": 96, "num_heads": 4, "num_layers": 2, "text_len": 64})";
constexpr char dit_workload[] = R"({"batch_size": 2, "num_frames": 4, "height": 256, "width": 256, "text_len": 32,
    "latent": [16, 1, 32, 32], "prompt_tokens": 20, "seq_len": 264})";

struct Case {
  const char* name;
  const char* klass;
  std::function<void(Recording&)> change;  // of the header
  const char* path;                        // in the configuration
  const char* before;                      // its value without the change
  const char* after;
};

// Each field of a header decides one key of the configuration.
class HeaderField : public testing::TestWithParam<Case> {
 protected:
  static Recording base(const std::string& klass) {
    if (klass == "WanModel") return header("official", dit_config, dit_workload);
    if (klass == "WanTransformer3DModel") {
      return header("diffusers",
                    R"({"num_attention_heads": 4, "attention_head_dim": 16, "ffn_dim": 96, "num_layers": 2,
                        "in_channels": 36, "out_channels": 16})",
                    R"({"batch_size": 1, "text_len": 64, "latent": [1, 36, 1, 32, 32]})");
    }
    if (klass == "T5Encoder") {
      return header("official", R"({"vocab": 1000, "dim": 128, "dropout": 0.1})",
                    R"({"batch_size": 1, "text_len": 40})");
    }
    if (klass == "UMT5EncoderModel") {
      return header("transformers", R"({"vocab_size": 1000, "d_model": 128, "feed_forward_proj": "gated-gelu"})",
                    R"({"batch_size": 1, "text_len": 40})");
    }
    if (klass == "VisionTransformer") {
      return header("official", R"({"dim": 128, "pool_type": "token", "post_norm": false})", R"({"batch_size": 1})");
    }
    if (klass == "CLIPVisionModel") return header("transformers", R"({"hidden_size": 128})", R"({"batch_size": 1})");
    if (klass == "WanVAE_" || klass == "AutoencoderKLWan") {
      return header(klass == "WanVAE_" ? "official" : "diffusers", R"({"attn_scales": [], "dropout": 0.0})",
                    R"({"direction": "encode", "latent": [16, 3, 8, 12]})");
    }
    return header(klass == "WanT2V" ? "official" : "diffusers", R"({"task": "t2v"})",
                  R"({"latent": [16, 2, 8, 12], "text_len": 64, "prompt_tokens": 60, "num_inference_steps": 5})");
  }
};

// Replaces `from` in a JSON text, which has it.
void replace(std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << text;
  text.replace(at, from.size(), to);
}

// Adds a field to a JSON text.
void add(std::string& text, const std::string& field) { text.insert(1, field + ", "); }

TEST_P(HeaderField, LandsInItsKey) {
  const Case& c = GetParam();
  Recording recording = base(c.klass);
  EXPECT_EQ(at(configuration_of(recording, c.klass), c.path), c.before);
  c.change(recording);
  EXPECT_EQ(at(configuration_of(recording, c.klass), c.path), c.after);
}

const Case cases[] = {
    {"Attention", "WanTransformer3DModel", [](Recording& r) { r.attention = "math"; }, "runtime.attention", "flash",
     "math"},
    {"Variant", "WanModel", [](Recording& r) { r.variant = "large"; }, "hf.model_variant", "small", "large"},
    {"Generation", "WanModel", [](Recording& r) { r.generation = "2.2"; }, "hf.generation", "wan2.1", "wan2.2"},
    {"Weights", "WanModel", [](Recording& r) { r.weights = "bf16"; }, "runtime.weight_dtype", "-", "bfloat16"},
    {"Dim", "WanModel", [](Recording& r) { replace(r.config, "64", "32"); }, "hf.config.dim", "64", "32"},
    {"Batch", "WanModel", [](Recording& r) { replace(r.workload, "2", "3"); }, "workload.batch_size", "2", "3"},
    {"Latent", "WanModel", [](Recording& r) { replace(r.workload, "[16, 1, 32", "[16, 2, 32"); }, "workload.latent",
     "16,1,32,32", "16,2,32,32"},
    {"TextLen", "WanModel", [](Recording& r) { replace(r.workload, R"("text_len": 32)", R"("text_len": 33)"); },
     "workload.text_len", "32", "33"},
    {"TextLenOfConfig", "WanModel", [](Recording& r) { replace(r.workload, R"("text_len": 32,)", ""); },
     "workload.text_len", "32", "64"},
    {"PromptTokens", "WanModel", [](Recording& r) { replace(r.workload, "20", "21"); }, "workload.prompt_tokens", "20",
     "21"},
    {"AllPromptTokens", "WanModel", [](Recording& r) { replace(r.workload, R"("prompt_tokens": 20, )", ""); },
     "workload.prompt_tokens", "20", "32"},
    {"SeqLen", "WanModel", [](Recording& r) { replace(r.workload, "264", "268"); }, "workload.seq_len", "264", "268"},
    {"TokenTimesteps", "WanModel", [](Recording& r) { add(r.workload, R"("token_timesteps": true)"); },
     "workload.token_timesteps", "-", "true"},
    {"TimestepDtype", "WanModel", [](Recording& r) { add(r.workload, R"("timestep_dtype": "f32")"); },
     "workload.timestep_dtype", "-", "float32"},
    {"ImageDtype", "WanModel", [](Recording& r) { add(r.workload, R"("image_dtype": "bf16")"); },
     "workload.image_dtype", "-", "bfloat16"},
    {"Autocast", "WanModel", [](Recording& r) { add(r.workload, R"("autocast": false)"); }, "runtime.autocast", "-",
     "false"},
    {"AutocastDtype", "WanModel", [](Recording& r) { add(r.workload, R"("autocast_dtype": "f16")"); },
     "runtime.autocast_dtype", "-", "float16"},
    // The input of diffusers' transformer holds what conditions it; the latent has the channels of the output.
    {"LatentOfDiffusers", "WanTransformer3DModel",
     [](Recording& r) { replace(r.config, R"("out_channels": 16)", R"("out_channels": 8)"); }, "workload.latent",
     "16,1,32,32", "8,1,32,32"},
    {"Vocab", "T5Encoder", [](Recording& r) { replace(r.config, "1000", "1001"); }, "text_encoder.vocab", "1000",
     "1001"},
    {"TextWeights", "T5Encoder", [](Recording& r) { r.weights = "f32"; }, "text_encoder.weight_dtype", "-", "float32"},
    {"TextLenOfEncoder", "T5Encoder", [](Recording& r) { replace(r.workload, "40", "41"); }, "workload.text_len", "40",
     "41"},
    {"Width", "UMT5EncoderModel", [](Recording& r) { replace(r.config, "128", "64"); }, "text_encoder.d_model", "128",
     "64"},
    {"ImageWidth", "VisionTransformer", [](Recording& r) { replace(r.config, "128", "64"); }, "image_encoder.dim",
     "128", "64"},
    {"ImageWeights", "CLIPVisionModel", [](Recording& r) { r.weights = "bf16"; }, "image_encoder.weight_dtype", "-",
     "bfloat16"},
    {"Images", "CLIPVisionModel", [](Recording& r) { replace(r.workload, "1", "2"); }, "image_encoder.batch_size", "1",
     "2"},
    {"Direction", "WanVAE_", [](Recording& r) { replace(r.workload, "encode", "decode"); }, "model.stages",
     "vae_encode", "vae_decode"},
    {"VaeDim", "WanVAE_", [](Recording& r) { add(r.config, R"("dim": 32)"); }, "vae.dim", "-", "32"},
    {"VaeWeights", "AutoencoderKLWan", [](Recording& r) { r.weights = "bf16"; }, "vae.weight_dtype", "-", "bfloat16"},
    {"VaeOfWan22", "WanVAE_", [](Recording& r) { r.variant = "wan-vae-2.2"; }, "vae.is_residual", "-", "true"},
    {"Tiling", "AutoencoderKLWan", [](Recording& r) { add(r.workload, R"("tiling": true)"); }, "runtime.vae_tiling",
     "-", "true"},
    {"Slicing", "AutoencoderKLWan", [](Recording& r) { add(r.workload, R"("slicing": true)"); }, "runtime.vae_slicing",
     "-", "true"},
    {"Task", "WanT2V", [](Recording& r) { replace(r.config, "t2v", "flf2v"); }, "hf.variant", "t2v-14B", "flf2v-14B"},
    {"TaskTi2v", "WanT2V", [](Recording& r) { replace(r.config, "t2v", "ti2v"); }, "hf.variant", "t2v-14B", "ti2v-5B"},
    {"SamplingGeneration", "WanT2V", [](Recording& r) { r.generation = "2.2"; }, "hf.variant", "t2v-14B", "t2v-A14B"},
    {"Experts", "WanPipeline", [](Recording& r) { add(r.config, R"("experts": 2)"); }, "hf.variant", "t2v-14B",
     "t2v-A14B"},
    {"Scheduler", "WanT2V", [](Recording& r) { add(r.config, R"("scheduler": "dpm++")"); }, "runtime.scheduler", "-",
     "dpm++"},
    {"Guidance", "WanPipeline", [](Recording& r) { add(r.config, R"("guidance": false)"); }, "runtime.cfg", "-",
     "false"},
    {"SamplingDtype", "WanPipeline", [](Recording& r) { add(r.config, R"("dtype": "f16")"); }, "runtime.weight_dtype",
     "-", "float16"},
    {"Offload", "WanT2V", [](Recording& r) { add(r.config, R"("offload_model": true)"); }, "runtime.residency", "-",
     "offload"},
    {"T5Cpu", "WanT2V", [](Recording& r) { add(r.config, R"("t5_cpu": true)"); }, "runtime.t5_cpu", "-", "true"},
    {"ControlLayers", "WanPipeline", [](Recording& r) { add(r.config, R"("control_layers": 3)"); },
     "transformer.vace_layers", "-", "0,1,2"},
    {"TextDim", "WanPipeline", [](Recording& r) { add(r.config, R"("text_dim": 24)"); }, "text_encoder.d_model", "-",
     "24"},
    {"Steps", "WanT2V", [](Recording& r) { replace(r.workload, "5", "6"); }, "workload.num_inference_steps", "5", "6"},
};

INSTANTIATE_TEST_SUITE_P(Recorded, HeaderField, testing::ValuesIn(cases),
                         [](const auto& test) { return std::string(test.param.name); });

// Every class of every code base is known, and its stage is built.
TEST(Configuration, IsOfOneStage) {
  for (const auto& [klass, stage] :
       std::vector<std::pair<std::string, std::string>>{{"WanModel", "diffusion/dit"},
                                                        {"WanTransformer3DModel", "diffusion/dit"},
                                                        {"T5Encoder", "text_encoder/umt5"},
                                                        {"VisionTransformer", "image_encoder/clip"},
                                                        {"WanVAE_", "vae/decode"},
                                                        {"WanT2V", "diffusion/sampling"}}) {
    EXPECT_THAT(recorded_classes(), testing::Contains(klass));
    Recording recording = header("official", dit_config, dit_workload);
    if (klass == "WanTransformer3DModel") {
      recording.config = R"({"num_attention_heads": 4, "attention_head_dim": 16, "ffn_dim": 96, "num_layers": 2})";
    } else if (klass != "WanModel") {
      recording.config = "{}";
      if (klass == "WanT2V") recording.config = R"({"task": "t2v"})";
      if (klass == "T5Encoder") {
        recording.config = R"({"vocab": 100, "dim": 8, "dim_attn": 8, "dim_ffn": 16, "num_heads": 2, "num_layers": 1})";
      }
      if (klass == "WanVAE_") {
        recording.config =
            R"({"dim": 8, "z_dim": 16, "dim_mult": [1], "num_res_blocks": 1, "temperal_downsample": []})";
      }
    }
    const Node node = configuration_of(recording, klass);
    const std::unique_ptr<AnalyticModel> model = build_model(config::View(node), {});
    ASSERT_EQ(model->stages().size(), 1u);
    EXPECT_EQ(model->stages().front()->id(), stage);
  }
}

// Older recordings say in `code` alone which way the autoencoder ran.
TEST(Configuration, TheDirectionOfOlderRecordingsIsInTheirCode) {
  Recording recording = header("official", "{}", R"({"latent": [16, 3, 8, 12]})");
  recording.code = "Wan2.1 @9737cba wan/modules/vae.py WanVAE.encode (fp32)";
  EXPECT_EQ(at(configuration_of(recording, "WanVAE_"), "model.stages"), "vae_encode");
  recording.code = "Wan2.1 @9737cba wan/modules/vae.py WanVAE.decode (fp32)";
  EXPECT_EQ(at(configuration_of(recording, "WanVAE_"), "model.stages"), "vae_decode");
}

std::string error_of(const Recording& recording, const std::string& klass) {
  try {
    const Node node = configuration_of(recording, klass);
    build_model(config::View(node), {});
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Configuration, WhatNoKeyIsForIsAnError) {
  EXPECT_THAT(error_of(header("official", R"({"dimm": 64})", R"({"text_len": 8})"), "T5Encoder"), HasSubstr("dimm"));
  EXPECT_THAT(error_of(header("official", dit_config, R"({"latent": [16, 32, 32]})"), "WanModel"),
              HasSubstr("four or five sizes"));
  EXPECT_THAT(error_of(header("official", dit_config, R"({"latent": [16, 1, 32, 32]})"), "WanModel"),
              HasSubstr("seq_len"));
  EXPECT_THAT(error_of(header("official", R"({"task": "t2w"})", "{}"), "WanT2V"), HasSubstr("t2w"));
  EXPECT_THAT(error_of(header("official", R"({"window_size": [4, 4]})", dit_workload), "WanModel"),
              HasSubstr("window"));
}

}  // namespace
}  // namespace modelmeter::wan
