#include "model/wan2_1/model.h"

#include <fmt/format.h>

#include "base/checked.h"

namespace modelmeter::wan2_1 {
namespace {

GeometryRules wan_vae_rules(const Architecture& a) {
  GeometryRules rules;
  rules.patch_size = a.patch_size;
  rules.rope_positions = a.rope_max_seq_len;
  return rules;
}

// The official forward takes a list of samples and runs part of its kernels on each of them; a trace holds that many
// operands of one kernel.
constexpr int64_t most_samples = 255;

// Says what would overflow, or take too long to trace, before anything is traced.
void check_batch(const config::View& batch_size, const Geometry& g, const Architecture& a, const Runtime& runtime,
                 int64_t forwards) {
  const auto samples = batch_size.as<int64_t>();
  // A part of all FLOPs: attention's 4 for each pair of tokens and each channel.
  int64_t flops = checked_mul(samples, g.tokens, "the number of tokens");
  for (int64_t factor : {g.tokens, int64_t{4}, a.dim, a.num_layers, forwards}) {
    flops = checked_mul(flops, factor, "the number of FLOPs");
  }
  if (runtime.implementation == Implementation::official && samples > most_samples) {
    throw batch_size.error(fmt::format("the official implementation is traced for at most {} samples, got {}",
                                       most_samples, samples),
                           {"runtime.implementation=diffusers has no such limit"});
  }
}

}  // namespace

Wan2_1Model::Wan2_1Model(const config::View& config, const DataFiles& files) {
  const config::View hf = config.child("hf");
  hf.require_known_keys({"model_id", "model_variant", "config_path", "notes"});
  model_id_ = hf.get<std::string>("model_id");
  model_variant_ = hf.get<std::string>("model_variant");
  model_notes_ = hf.get_or<std::string>("notes", "");
  config_path_ = files.find(hf.at("config_path"));
  const config::Node metadata = read_data_file(config_path_);
  architecture_ = read_architecture(config::View(metadata));

  const config::View transformer = config.child("transformer");
  transformer.require_known_keys({"_target_", "num_layers"});
  if (transformer.has("num_layers")) {
    architecture_.num_layers = transformer.get_positive<int64_t>("num_layers");
    notes_.push_back(fmt::format("the depth is set to {} blocks by transformer.num_layers", architecture_.num_layers));
  }

  runtime_ = Runtime::read(config.child("runtime"));
  workload_ = Workload::read(config.child("workload"));
  architecture_.text_len = workload_.text_len;
  geometry_ = geometry({workload_.num_frames, workload_.height, workload_.width}, wan_vae_rules(architecture_));
  notes_.insert(notes_.end(), geometry_.notes.begin(), geometry_.notes.end());

  DiTWorkload dit;
  dit.batch = workload_.batch_size;
  dit.latent = geometry_.latent;
  dit.seq_len = geometry_.seq_len;
  dit.text_len = workload_.text_len;
  dit.prompt_tokens = workload_.prompt_tokens;
  dit.forwards = checked_mul(workload_.num_inference_steps, runtime_.cfg ? 2 : 1, "the number of forwards");
  check_batch(config.child("workload").at("batch_size"), geometry_, architecture_, runtime_, dit.forwards);
  stages_.push_back(std::make_unique<DiTStage>(architecture_, runtime_, dit));
}

Fields Wan2_1Model::model_fields() const {
  const Architecture& a = architecture_;
  return {{"model_id", model_id_},
          {"model_variant", model_variant_},
          {"config_path", config_path_},
          {"hidden_size", a.dim},
          {"num_layers", a.num_layers},
          {"num_attention_heads", a.num_heads},
          {"head_dim", a.head_dim()},
          {"mlp_intermediate_size", a.ffn_dim},
          {"vae_downsample_factor", int64_t{8}},
          {"vae_temporal_downsample_factor", int64_t{4}},
          {"patch_size", a.patch_size[1]},
          {"patch_size_temporal", a.patch_size[0]},
          {"latent_channels", geometry_.latent[0]},
          {"text_dim", a.text_dim},
          {"freq_dim", a.freq_dim},
          {"notes", model_notes_}};
}

Fields Wan2_1Model::workload_fields() const {
  return {{"profile_id", workload_.profile_id},
          {"description", workload_.description},
          {"batch_size", workload_.batch_size},
          {"num_frames", workload_.num_frames},
          {"height", workload_.height},
          {"width", workload_.width},
          {"num_inference_steps", workload_.num_inference_steps},
          {"text_len", workload_.text_len},
          {"prompt_tokens", workload_.prompt_tokens},
          {"guidance_branches", int64_t{runtime_.cfg ? 2 : 1}},
          {"latent_frames", geometry_.latent[1]},
          {"latent_height", geometry_.latent[2]},
          {"latent_width", geometry_.latent[3]},
          {"tokens", geometry_.tokens}};
}

std::vector<OperatorCategory> Wan2_1Model::categories() const {
  const std::vector<std::string> attention = {"WanSelfAttention", "WanT2VCrossAttention", "WanI2VCrossAttention",
                                              "WanAttention"};
  return {
      {"attention_core", "Attention core", "Scores, softmax and weighted sum, with the casts and copies around the kernel",
       {"core"}, {}},
      {"rope", "Rotary embedding", "Rotary position embedding of queries and keys", {"rope", "WanRotaryPosEmbed"}, {}},
      {"attention_proj", "Attention projections", "Query, key, value and output projections, with their weight casts",
       {"Linear"}, attention},
      {"mlp_proj", "MLP projections", "The two matrix products of the feed-forward layers, with their weight casts",
       {"Linear"}, {"ffn"}},
      {"conv", "Convolution", "Patch embedding", {"Conv3d", "Conv2d"}, {}},
      {"embedding", "Embeddings and head", "Text and time embedding, output projection", {"Linear"}, {}},
      {"norm", "Normalisation", "Layer norms and RMS norms",
       {"WanLayerNorm", "WanRMSNorm", "FP32LayerNorm", "LayerNorm", "RMSNorm"}, {}},
      {"activation", "Activation", "GELU and SiLU", {"GELU", "SiLU"}, {}},
      {"modulation", "Modulation and residuals", "Scale, shift, gate and the residual additions", {"modulation"}, {}},
      {"other", "Other", "Everything else: padding, time features, unpatchify", {}, {}},
  };
}

ReportNames Wan2_1Model::names() const {
  const bool official = runtime_.implementation == Implementation::official;
  return {official ? "wan.modules.model." : "diffusers.models.transformers.transformer_wan.",
          {{"blocks", "block"},
           {"self_attn", "attn/self_attn"},
           {"cross_attn", "attn/cross_attn"},
           {"attn1", "attn/self_attn"},
           {"attn2", "attn/cross_attn"},
           {"ffn", "mlp"}},
          {{"WanAttentionBlock", "modulation"}, {"WanTransformerBlock", "modulation"}, {"Head", "modulation"}}};
}

}  // namespace modelmeter::wan2_1
