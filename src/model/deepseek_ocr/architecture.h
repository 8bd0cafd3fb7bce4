// The hyper-parameters of DeepSeek-OCR (deepseek-ai/DeepSeek-OCR).
//
// The decoder's come from config.json, whose top level the remote code reads (configuration_deepseek_v2.py has the
// defaults). Those of the two image encoders and the projector are constants of deepencoder.py and
// modeling_deepseekocr.py, which do not look at the config's vision_config; so they are constants here.
#pragma once

#include <cstdint>
#include <vector>

#include "base/dtype.h"
#include "config/access.h"

namespace modelmeter::deepseek_ocr {

// build_sam_vit_b
struct SamArchitecture {
  int64_t img_size = 1024;  // pixels that the position tables are made for
  int64_t patch_size = 16;
  int64_t in_chans = 3;
  int64_t embed_dim = 768;
  int64_t depth = 12;
  int64_t num_heads = 12;
  int64_t mlp_ratio = 4;
  int64_t window_size = 14;
  std::vector<int64_t> global_attn_indexes{2, 5, 8, 11};  // blocks that attend to the whole image, not to windows
  int64_t out_chans = 256;                                // of the neck
  int64_t net_2_chans = 512;                              // of the two convolutions of stride 2 behind it
  int64_t net_3_chans = 1024;

  int64_t grid() const { return img_size / patch_size; }
  bool is_global(int64_t block) const;
};

// build_clip_l
struct ClipArchitecture {
  int64_t num_layers = 24;
  int64_t hidden_size = 1024;
  int64_t num_attention_heads = 16;
  int64_t ffn_hidden_size = 4096;
  int64_t image_size = 224;  // pixels that the position table is made for
  int64_t patch_size = 14;

  int64_t grid() const { return image_size / patch_size; }
  int64_t num_positions() const { return grid() * grid() + 1; }
};

enum class AttentionImplementation : uint8_t { eager, flash_attention_2 };

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

struct Architecture {
  SamArchitecture sam;
  ClipArchitecture clip;
  int64_t projector_input_dim = 2048;  // CLIP's features beside SAM's
  int64_t n_embed = 1280;              // width of an image token
  DecoderArchitecture decoder;
};

// Errors name the file and the field: a missing or mistyped one, sizes that are not positive, heads that do not divide
// the width, and what the code here has no twin of (multi-head latent attention, other ways to choose experts).
Architecture read_architecture(const config::View& config);

// The decoder alone; it may have no layers.
DecoderArchitecture read_decoder(const config::View& config);

}  // namespace modelmeter::deepseek_ocr
