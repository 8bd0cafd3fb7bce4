#include "model/deepseek_ocr/decoder_architecture.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "model/model_files.h"

namespace modelmeter::deepseek_ocr {
namespace {

using config::View;

// Of the published config.json: the decoder's at its top level, and what decides nothing there.
const std::vector<std::string>& published_keys() {
  static const std::vector<std::string> keys = {"architectures",
                                                "attention_bias",
                                                "attention_dropout",
                                                "auto_map",
                                                "aux_loss_alpha",
                                                "bos_token_id",
                                                "candidate_resolutions",
                                                "dtype",
                                                "eos_token_id",
                                                "ep_size",
                                                "first_k_dense_replace",
                                                "global_view_pos",
                                                "hidden_act",
                                                "hidden_size",
                                                "initializer_range",
                                                "intermediate_size",
                                                "kv_lora_rank",
                                                "language_config",
                                                "lm_head",
                                                "max_position_embeddings",
                                                "model_type",
                                                "moe_intermediate_size",
                                                "moe_layer_freq",
                                                "n_group",
                                                "n_routed_experts",
                                                "n_shared_experts",
                                                "norm_topk_prob",
                                                "num_attention_heads",
                                                "num_experts_per_tok",
                                                "num_hidden_layers",
                                                "num_key_value_heads",
                                                "pad_token_id",
                                                "pretraining_tp",
                                                "projector_config",
                                                "q_lora_rank",
                                                "qk_nope_head_dim",
                                                "qk_rope_head_dim",
                                                "rm_head",
                                                "rms_norm_eps",
                                                "rope_scaling",
                                                "rope_theta",
                                                "routed_scaling_factor",
                                                "scoring_func",
                                                "seq_aux",
                                                "tie_word_embeddings",
                                                "tile_tag",
                                                "topk_group",
                                                "topk_method",
                                                "torch_dtype",
                                                "transformers_version",
                                                "use_cache",
                                                "use_mla",
                                                "v_head_dim",
                                                "vision_config",
                                                "vocab_size"};
  return keys;
}

// What the remote code would run otherwise has no twin here.
void require_known_code(const View& config) {
  if (config.get_or<bool>("use_mla", true)) {
    throw(config.has("use_mla") ? config.at("use_mla") : config)
        .error("multi-head latent attention (use_mla) is not modelled; DeepSeek-OCR has it off");
  }
  for (const char* key : {"attention_bias", "tie_word_embeddings"}) {
    if (config.get_or<bool>(key, false)) throw config.at(key).error("is not modelled; DeepSeek-OCR has it off");
  }
  if (config.get_or<int64_t>("ep_size", 1) != 1) {
    throw config.at("ep_size").error("experts on several devices are not modelled");
  }
  if (config.has("rope_scaling")) throw config.at("rope_scaling").error("is not modelled; DeepSeek-OCR has none");
  if (config.has("topk_method")) config.get_choice("topk_method", {"greedy"});
  if (config.has("scoring_func")) config.get_choice("scoring_func", {"softmax"});
  if (config.has("hidden_act")) config.get_choice("hidden_act", {"silu"});
}

void check(const DecoderArchitecture& d, int64_t n_embed, const View& config) {
  if (d.hidden_size % d.num_attention_heads != 0) {
    throw config.at("num_attention_heads")
        .error(fmt::format("{} heads do not divide the width {}", d.num_attention_heads, d.hidden_size));
  }
  if (d.num_attention_heads % d.num_key_value_heads != 0) {
    throw config.at("num_key_value_heads")
        .error(
            fmt::format("{} key and value heads do not divide {} heads", d.num_key_value_heads, d.num_attention_heads));
  }
  if (d.head_dim() % 2 != 0) {
    throw config.at("hidden_size")
        .error(fmt::format("the head size {} is odd; the rotary embedding turns pairs", d.head_dim()));
  }
  if (d.n_routed_experts > 0 && d.num_experts_per_tok > d.n_routed_experts) {
    throw config.at("num_experts_per_tok")
        .error(fmt::format("{} experts per token of {}", d.num_experts_per_tok, d.n_routed_experts));
  }
  if (d.hidden_size != n_embed) {
    throw config.at("hidden_size")
        .error(
            fmt::format("{} values a token do not go with image tokens of {}, which are a constant of the model's code",
                        d.hidden_size, n_embed));
  }
}

}  // namespace

DecoderArchitecture read_decoder(const View& config, int64_t n_embed) {
  if (!config.node().is(config::Kind::map)) throw config.expected("a model configuration (a JSON object)");
  require_known_published_keys(config, published_keys(), "DeepSeek-OCR's config.json");
  require_known_code(config);
  DecoderArchitecture d;
  d.vocab_size = config.get_positive<int64_t>("vocab_size");
  d.hidden_size = config.get_positive<int64_t>("hidden_size");
  d.intermediate_size = config.get_positive<int64_t>("intermediate_size");
  d.num_hidden_layers = config.get_positive<int64_t>("num_hidden_layers", config::max_layers);
  d.num_attention_heads = config.get_positive<int64_t>("num_attention_heads");
  d.num_key_value_heads =
      config.has("num_key_value_heads") ? config.get_positive<int64_t>("num_key_value_heads") : d.num_attention_heads;
  d.max_position_embeddings = config.get_positive<int64_t>("max_position_embeddings");
  d.n_routed_experts =
      config.has("n_routed_experts") ? config.get_non_negative<int64_t>("n_routed_experts", config::max_layers) : 0;
  if (d.n_routed_experts > 0) {
    d.moe_intermediate_size = config.get_positive<int64_t>("moe_intermediate_size");
    d.num_experts_per_tok = config.get_positive<int64_t>("num_experts_per_tok");
    d.n_shared_experts = config.has("n_shared_experts") ? config.get_non_negative<int64_t>("n_shared_experts") : 0;
    d.first_k_dense_replace =
        config.has("first_k_dense_replace") ? config.get_non_negative<int64_t>("first_k_dense_replace") : 0;
    d.moe_layer_freq = config.has("moe_layer_freq") ? config.get_positive<int64_t>("moe_layer_freq") : 1;
    d.norm_topk_prob = config.get_or<bool>("norm_topk_prob", false);
  }
  check(d, n_embed, config);
  return d;
}

void require_model(const View& config, const std::vector<std::string>& classes, std::string_view vision) {
  if (!config.node().is(config::Kind::map)) throw config.expected("a model configuration (a JSON object)");
  const std::string klass = class_name_of(config);
  if (!klass.empty() && std::find(classes.begin(), classes.end(), klass) == classes.end()) {
    const std::string what = what_it_is(config.node());
    throw(config.has("architectures") ? config.at("architectures") : config)
        .error(what.empty() ? fmt::format("the class {} is not modelled here", klass) : "this is " + what,
               {fmt::format("this entry is of {}", fmt::join(classes, ", "))});
  }
  if (!config.has("vision_config")) return;
  const View encoder = config.child("vision_config");
  if (encoder.has("model_name") && encoder.get<std::string>("model_name") != vision) {
    throw encoder.at("model_name")
        .error(fmt::format("the vision encoder '{}' is another model's; this entry has {}",
                           encoder.get<std::string>("model_name"), vision));
  }
}

}  // namespace modelmeter::deepseek_ocr
