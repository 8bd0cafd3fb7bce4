#include "model/deepseek_ocr/transformers/architecture.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/config_fields.h"
#include "model/model_files.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

constexpr int64_t n_embed = 1280;  // width of an image token, a constant of the remote code

using config::View;

int64_t positive_or(const View& config, std::string_view key, int64_t otherwise) {
  return config.has(key) ? config.get_positive<int64_t>(key, most_of(key)) : otherwise;
}

void require_off(const View& config, std::initializer_list<std::string_view> switches) {
  for (const std::string_view key : switches) {
    if (config.get_or<bool>(key, false)) throw config.at(key).error("is not modelled");
  }
}

void require_on(const View& config, std::initializer_list<std::string_view> switches) {
  for (const std::string_view key : switches) {
    if (!config.get_or<bool>(key, true)) throw config.at(key).error("is modelled only where it is on");
  }
}

// `size` heads make up `key`; the error is at the number of heads, or at the width where that is left out.
void check_heads(const View& config, int64_t size, int64_t heads, int64_t key_value_heads) {
  const View at = config.has("num_attention_heads") ? config.at("num_attention_heads") : config;
  if (size % heads != 0) throw at.error(fmt::format("{} heads do not divide the width {}", heads, size));
  if (size / heads % 2 != 0) {
    throw at.error(fmt::format("the head size {} is odd; the rotary embedding turns pairs", size / heads));
  }
  if (heads % key_value_heads != 0) {
    throw at.error(fmt::format("{} key and value heads do not divide {} heads", key_value_heads, heads));
  }
}

// Every config of transformers has these, and they decide nothing here.
std::vector<std::string> with_common(std::vector<std::string> keys) {
  for (const char* key : {"architectures",
                          "attention_dropout",
                          "bos_token_id",
                          "chunk_size_feed_forward",
                          "dtype",
                          "eos_token_id",
                          "hidden_act",
                          "id2label",
                          "initializer_range",
                          "is_encoder_decoder",
                          "label2id",
                          "model_type",
                          "output_attentions",
                          "output_hidden_states",
                          "pad_token_id",
                          "problem_type",
                          "return_dict",
                          "tie_word_embeddings",
                          "torch_dtype",
                          "transformers_version",
                          "use_cache"}) {
    keys.emplace_back(key);
  }
  return keys;
}

void require_keys(const View& config, std::vector<std::string> keys) {
  require_known_published_keys(config, with_common(std::move(keys)), "transformers' DeepseekOcr2Config");
}

SamArchitecture read_sam(const View& config) {
  require_keys(
      config, {"downsample_channels", "global_attn_indexes", "hidden_size", "image_size", "layer_norm_eps", "mlp_dim",
               "mlp_ratio", "num_attention_heads", "num_channels", "num_hidden_layers", "output_channels", "patch_size",
               "qkv_bias", "scale", "use_abs_pos", "use_rel_pos", "window_size"});
  SamArchitecture a;
  a.hidden_size = positive_or(config, "hidden_size", a.hidden_size);
  a.num_hidden_layers = positive_or(config, "num_hidden_layers", a.num_hidden_layers);
  a.num_attention_heads = positive_or(config, "num_attention_heads", a.num_attention_heads);
  a.num_channels = positive_or(config, "num_channels", a.num_channels);
  a.image_size = positive_or(config, "image_size", a.image_size);
  a.patch_size = positive_or(config, "patch_size", a.patch_size);
  a.window_size = positive_or(config, "window_size", a.window_size);
  const double mlp_dim = static_cast<double>(a.hidden_size) * config.get_or<double>("mlp_ratio", 4.0);
  if (!(mlp_dim >= 1 && mlp_dim <= static_cast<double>(most_of("mlp_dim")))) {
    throw config.at("mlp_ratio").error(fmt::format("makes mlp_dim {}, of at most {}", mlp_dim, most_of("mlp_dim")));
  }
  a.mlp_dim = positive_or(config, "mlp_dim", static_cast<int64_t>(mlp_dim));
  a.output_channels = positive_or(config, "output_channels", a.output_channels);
  if (config.has("global_attn_indexes")) {
    a.global_attn_indexes = config.get<std::vector<int64_t>>("global_attn_indexes");
  }
  if (config.has("downsample_channels")) {
    a.downsample_channels = config.get<std::vector<int64_t>>("downsample_channels");
    if (a.downsample_channels.size() != 2) throw config.at("downsample_channels").expected("two integers");
  }
  require_on(config, {"qkv_bias", "use_abs_pos", "use_rel_pos"});
  if (config.has("hidden_act")) config.get_choice("hidden_act", {"gelu"});
  if (a.hidden_size % a.num_attention_heads != 0) {
    throw config.at("num_attention_heads")
        .error(fmt::format("{} heads do not divide the width {}", a.num_attention_heads, a.hidden_size));
  }
  return a;
}

EncoderArchitecture read_encoder(const View& config) {
  require_keys(config,
               {"hidden_size", "intermediate_size", "layer_types", "max_position_embeddings", "max_window_layers",
                "num_attention_heads", "num_hidden_layers", "num_key_value_heads", "rms_norm_eps", "rope_parameters",
                "rope_theta", "sliding_window", "use_sliding_window", "vocab_size"});
  EncoderArchitecture a;
  a.hidden_size = positive_or(config, "hidden_size", 4096);
  a.intermediate_size = positive_or(config, "intermediate_size", 22016);
  a.num_hidden_layers = positive_or(config, "num_hidden_layers", 32);
  a.num_attention_heads = positive_or(config, "num_attention_heads", 32);
  a.num_key_value_heads = positive_or(config, "num_key_value_heads", a.num_attention_heads);
  require_off(config, {"use_sliding_window"});
  if (config.has("hidden_act")) config.get_choice("hidden_act", {"silu"});
  check_heads(config, a.hidden_size, a.num_attention_heads, a.num_key_value_heads);
  return a;
}

// The layers before those with experts: `mlp_layer_types` says of each layer which it is.
int64_t dense_layers(const View& config, int64_t num_hidden_layers) {
  if (!config.has("mlp_layer_types")) return config.get_non_negative<int64_t>("first_k_dense_replace");
  const std::vector<View> types = config.at("mlp_layer_types").items();
  if (static_cast<int64_t>(types.size()) != num_hidden_layers) {
    throw config.at("mlp_layer_types").error(fmt::format("{} types for {} layers", types.size(), num_hidden_layers));
  }
  int64_t dense = 0;
  bool sparse = false;
  for (const View& type : types) {
    const auto name = type.as<std::string>();
    if (name != "dense" && name != "sparse") throw type.expected("\"dense\" or \"sparse\"");
    if (name == "dense" && sparse) throw type.error("dense layers behind those with experts are not modelled");
    sparse = name == "sparse";
    dense += sparse ? 0 : 1;
  }
  return dense;
}

DecoderArchitecture read_decoder(const View& config) {
  require_keys(config, {"attention_bias",
                        "first_k_dense_replace",
                        "head_dim",
                        "hidden_size",
                        "intermediate_size",
                        "max_position_embeddings",
                        "mlp_bias",
                        "mlp_layer_types",
                        "moe_intermediate_size",
                        "n_group",
                        "n_routed_experts",
                        "n_shared_experts",
                        "num_attention_heads",
                        "num_experts_per_tok",
                        "num_hidden_layers",
                        "num_key_value_heads",
                        "output_router_logits",
                        "pretraining_tp",
                        "rms_norm_eps",
                        "rope_parameters",
                        "rope_theta",
                        "routed_scaling_factor",
                        "topk_group",
                        "topk_method",
                        "vocab_size"});
  DecoderArchitecture d;
  d.vocab_size = positive_or(config, "vocab_size", 102400);
  d.hidden_size = positive_or(config, "hidden_size", 4096);
  d.intermediate_size = positive_or(config, "intermediate_size", 11008);
  d.moe_intermediate_size = positive_or(config, "moe_intermediate_size", 1407);
  d.num_hidden_layers = positive_or(config, "num_hidden_layers", 32);
  d.num_attention_heads = positive_or(config, "num_attention_heads", 32);
  d.num_key_value_heads = positive_or(config, "num_key_value_heads", d.num_attention_heads);
  d.max_position_embeddings = positive_or(config, "max_position_embeddings", 2048);
  d.n_routed_experts = positive_or(config, "n_routed_experts", 64);
  d.n_shared_experts = positive_or(config, "n_shared_experts", 2);
  d.first_k_dense_replace = dense_layers(config, d.num_hidden_layers);
  d.num_experts_per_tok = config.get_positive<int64_t>("num_experts_per_tok");
  require_off(config, {"attention_bias", "mlp_bias"});
  if (config.has("hidden_act")) config.get_choice("hidden_act", {"silu"});
  if (config.has("topk_method")) config.get_choice("topk_method", {"greedy"});
  check_heads(config, d.hidden_size, d.num_attention_heads, d.num_key_value_heads);
  if (d.num_experts_per_tok > d.n_routed_experts) {
    throw config.at("num_experts_per_tok")
        .error(fmt::format("{} experts per token of {}", d.num_experts_per_tok, d.n_routed_experts));
  }
  return d;
}

Architecture read_transformers(const View& config) {
  Architecture a;
  require_keys(config, {"image_token_id", "text_config", "vision_config"});
  a.decoder = read_decoder(config.child("text_config"));
  const View vision = config.child("vision_config");
  require_keys(vision, {"encoder_config", "sam_config"});
  a.sam = read_sam(vision.child("sam_config"));
  a.encoder = read_encoder(vision.child("encoder_config"));
  if (a.sam.downsample_channels[1] != a.encoder.hidden_size) {
    throw vision.child("encoder_config")
        .error(fmt::format("hidden_size {} is not that of SAM's features, {}", a.encoder.hidden_size,
                           a.sam.downsample_channels[1]));
  }
  return a;
}

}  // namespace

bool SamArchitecture::is_global(int64_t layer) const {
  return std::find(global_attn_indexes.begin(), global_attn_indexes.end(), layer) != global_attn_indexes.end();
}

Architecture read_architecture(const View& config) {
  require_model(config, {"DeepseekOCR2ForCausalLM", "DeepseekOcr2ForConditionalGeneration"}, "deepencoderv2");
  if (config.node().is(config::Kind::map) && config.has("text_config")) return read_transformers(config);
  Architecture a;
  a.decoder = deepseek_ocr::read_decoder(config, n_embed);
  if (a.decoder.n_shared_experts == 0 || a.decoder.moe_layer_freq != 1 || a.decoder.norm_topk_prob) {
    throw config.error("experts without shared ones, in some layers only, or of normalised weights are not modelled");
  }
  return a;
}

}  // namespace modelmeter::deepseek_ocr::transformers
