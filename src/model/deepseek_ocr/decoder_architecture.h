// The hyper-parameters of the decoder of DeepSeek-OCR and DeepSeek-OCR-2, which is DeepSeek-V2's with plain attention.
//
// They come from config.json, whose top level the remote code reads (configuration_deepseek_v2.py has the defaults).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/dtype.h"
#include "config/access.h"

namespace modelmeter::deepseek_ocr {

// DeepseekV2Config
struct DecoderArchitecture {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;      // of the dense MLP
  int64_t moe_intermediate_size = 0;  // of one expert
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t n_routed_experts = 0;
  int64_t n_shared_experts = 0;  // run as one MLP of their summed width
  int64_t num_experts_per_tok = 0;
  int64_t first_k_dense_replace = 0;  // layers before it are dense
  int64_t moe_layer_freq = 1;         // of those behind, every so many has experts
  int64_t max_position_embeddings = 0;
  bool norm_topk_prob = false;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
  // Keys and values of all layers; 61,440 as published, in bfloat16.
  int64_t kv_cache_bytes_per_token(DType dtype) const {
    return 2 * num_hidden_layers * num_key_value_heads * head_dim() * size_of(dtype);
  }
  bool is_moe(int64_t layer) const {
    return n_routed_experts > 0 && layer >= first_k_dense_replace && layer % moe_layer_freq == 0;
  }
};

// Reads the published form of config.json. Errors name the file and the field: a missing or mistyped one, sizes that
// are not positive, heads that do not divide the width, a width that is not that of image tokens (`n_embed`), and what
// there is no twin of (multi-head latent attention, biases of attention, tied embeddings, scaled rotary positions,
// other ways to choose experts).
DecoderArchitecture read_decoder(const config::View& config, int64_t n_embed);

// Error where a config.json is of another model than this code's: its class is none of these (where it names one), or
// its vision encoder is not `vision`, by vision_config.model_name.
void require_model(const config::View& config, const std::vector<std::string>& classes, std::string_view vision);

}  // namespace modelmeter::deepseek_ocr
