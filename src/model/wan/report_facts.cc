// What reports say of Wan: facts of model, workload and runtime, the names of nodes, the categories of operators.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/wan/model.h"

namespace modelmeter::wan {

Fields Wan2_1Model::model_fields() const {
  const Architecture& a = architecture_;
  return {{"model_id", metadata_.model_id},
          {"model_variant", metadata_.model_variant},
          {"config_path", metadata_.config_path},
          {"hidden_size", a.dim},
          {"num_layers", a.num_layers},
          {"num_attention_heads", a.num_heads},
          {"head_dim", metadata_.has_transformer ? a.head_dim() : 0},
          {"mlp_intermediate_size", a.ffn_dim},
          {"vae_downsample_factor", vae_.spatial_compression()},
          {"vae_temporal_downsample_factor", vae_.temporal_compression()},
          {"patch_size", a.patch_size[1]},
          {"patch_size_temporal", a.patch_size[0]},
          {"latent_channels", geometry_.latent[0]},
          {"text_dim", a.text_dim},
          {"freq_dim", a.freq_dim},
          {"notes", metadata_.notes_text}};
}

std::string Wan2_1Model::description() const {
  const Workload& w = workload_;
  std::string out = w.description;
  if (out.empty()) return out;
  if (w.num_frames != 0 && w.num_frames != video_.frames) {
    out += fmt::format("; {} makes {}", runtime_.code_base->name, video_.frames);
  }
  if (w.reference_images > 0) {
    out += fmt::format("; {} reference image{}", w.reference_images, w.reference_images == 1 ? "" : "s");
  }
  if (!w.prompts.empty()) out += fmt::format("; prompts of {} tokens", fmt::join(w.prompts, ", "));
  if (from_one_image()) out += "; from an image";
  return out;
}

Fields Wan2_1Model::workload_fields() const {
  return {{"profile_id", workload_.profile_id},
          {"description", description()},
          {"batch_size", workload_.batch_size},
          {"num_frames", video_.frames},
          {"height", video_.height},
          {"width", video_.width},
          {"num_inference_steps", workload_.num_inference_steps},
          {"text_len", workload_.text_len},
          {"prompt_tokens", workload_.prompt_tokens},
          {"guidance_branches", int64_t{runtime_.cfg ? 2 : 1}},
          {"latent_frames", geometry_.latent[1]},
          {"latent_height", geometry_.latent[2]},
          {"latent_width", geometry_.latent[3]},
          {"tokens", geometry_.tokens}};
}

Fields Wan2_1Model::runtime_fields() const {
  Fields out = runtime_.fields();
  for (const auto& [name, storage] :
       {std::pair("transformer", &transformer_.storage), std::pair("text_encoder", &text_encoder_.storage),
        std::pair("image_encoder", &image_encoder_.storage)}) {
    if (!storage->name().empty()) out.emplace_back(fmt::format("{}.weight_format", name), storage->name());
    if (storage->lora_rank > 0) out.emplace_back(fmt::format("{}.lora.rank", name), storage->lora_rank);
  }
  for (auto& field : plan_.fields()) out.push_back(std::move(field));
  if (sampling_ != nullptr) {
    out.emplace_back("scheduler", std::string(name_of(scheduler())));
  }
  return out;
}

std::vector<OperatorCategory> Wan2_1Model::categories() const {
  const std::vector<std::string> attention = {"WanSelfAttention", "WanT2VCrossAttention", "WanI2VCrossAttention",
                                              "WanAttention",     "T5Attention",          "ClipSelfAttention",
                                              "UMT5Attention",    "CLIPAttention",        "SelfAttention"};
  std::vector<OperatorCategory> out = {
      {"attention_core",
       "Attention core",
       "Scores, softmax and weighted sum, with the casts and copies around the kernel",
       {"core"},
       {}},
      {"rope", "Rotary embedding", "Rotary position embedding of queries and keys", {"rope", "WanRotaryPosEmbed"}, {}},
      {"attention_proj",
       "Attention projections",
       "Query, key, value and output projections, with their weight casts",
       {"Linear"},
       attention},
      {"mlp_proj",
       "MLP projections",
       "The two matrix products of the feed-forward layers, with their weight casts",
       {"Linear"},
       {"ffn", "mlp", "UMT5LayerFF", "CLIPMLP"}},
      {"conv",
       "Convolution",
       "Patch embedding; all of the autoencoder's convolutions",
       {"Conv3d", "Conv2d", "CausalConv3d", "WanCausalConv3d"},
       {}},
      {"embedding",
       "Embeddings and head",
       "Text and time embedding, output projection, token table",
       {"Linear", "Embedding"},
       {}},
      {"norm",
       "Normalisation",
       "Layer norms and RMS norms",
       {"WanLayerNorm", "WanRMSNorm", "FP32LayerNorm", "LayerNorm", "RMSNorm", "T5LayerNorm", "UMT5LayerNorm",
        "RMS_norm", "WanRMS_norm"},
       {}},
      {"activation",
       "Activation",
       "GELU and SiLU",
       {"GELU", "SiLU", "QuickGELU", "NewGELUActivation", "GELUActivation"},
       {}},
      {"modulation", "Modulation and residuals", "Scale, shift, gate and the residual additions", {"modulation"}, {}},
      {"sampling",
       "Sampling",
       "Around the models: guidance, scheduler, conditions, transfers between host and device",
       {},
       {"WanT2V", "WanI2V", "WanFLF2V", "WanVace", "WanTI2V", "WanPipeline", "WanImageToVideoPipeline",
        "WanVACEPipeline"}},
      {"other", "Other", "Everything else: padding, time features, unpatchify", {}, {}},
  };
  if (!plan_.one_rank()) {
    out.insert(out.begin(), {"communication",
                             "Communication",
                             "Collectives, with the copies before and after them",
                             {"all_to_all", "all_gather"},
                             {}});
  }
  return out;
}

ReportNames Wan2_1Model::names() const {
  ReportNames out;
  out.modules = {{"blocks[]", "block"},
                 {"self_attn", "attn/self_attn"},
                 {"cross_attn", "attn/cross_attn"},
                 {"attn1", "attn/self_attn"},
                 {"attn2", "attn/cross_attn"},
                 {"ffn", "mlp"},
                 {"token_embedding", "embedding"},
                 // of transformers' UMT5
                 {"block[]", "block"},
                 {"layer.0", "attn"},
                 {"layer.1", "mlp"},
                 {"SelfAttention", "self_attention"},
                 {"DenseReluDense", "dense"}};
  out.own = {{"WanAttentionBlock", "modulation"}, {"WanTransformerBlock", "modulation"}, {"Head", "modulation"}};
  runtime_.code_base->name_classes(vae_, out);
  return out;
}

}  // namespace modelmeter::wan
