#include "model/deepseek_ocr/decoder_architecture.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr {
namespace {

using config::View;

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
  d.n_routed_experts = config.has("n_routed_experts") ? config.get_non_negative<int64_t>("n_routed_experts", config::max_layers) : 0;
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

}  // namespace modelmeter::deepseek_ocr
