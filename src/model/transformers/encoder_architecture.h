// The sizes of encoders that several families use, by default as in Wan's published code: the UMT5-XXL text encoder and
// the CLIP ViT-H/14 image encoder. Source: Wan-Video/Wan2.1 @9737cba, wan/modules/t5.py (umt5_xxl) and clip.py
// (clip_xlm_roberta_vit_h_14). A configuration names them as that code does or as transformers' config.json.
#pragma once

#include <cstdint>
#include <string>

#include "model/config_fields.h"

namespace modelmeter::transformers {

struct TextEncoderArchitecture {
  int64_t vocab = 256384;
  int64_t dim = 4096;
  int64_t dim_attn = 4096;  // of all heads
  int64_t dim_ffn = 10240;
  int64_t num_heads = 64;
  int64_t num_layers = 24;
  int64_t num_buckets = 32;  // of relative positions
  bool shared_pos = false;   // one table of relative positions for all layers; else one per layer

  int64_t head_dim() const { return dim_attn / num_heads; }
};

struct ImageEncoderArchitecture {
  int64_t image_size = 224;
  int64_t patch_size = 14;
  int64_t dim = 1280;
  int64_t mlp_ratio = 4;
  int64_t out_dim = 1024;
  int64_t num_heads = 16;
  int64_t num_layers = 32;
  bool pre_norm = true;
  std::string activation = "gelu";  // gelu, quick_gelu

  int64_t head_dim() const { return dim / num_heads; }
  int64_t num_patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  int64_t tokens() const { return num_patches() + 1; }  // with the class token
};

// The keys of a node that names its sizes, after `keys`.
std::vector<std::string> text_encoder_keys(std::vector<std::string> keys, KeyNames names);
std::vector<std::string> image_encoder_keys(std::vector<std::string> keys, KeyNames names);

// Sets what the node names. transformers has d_kv (width of a head) and intermediate_size for dim_attn and mlp_ratio.
// Errors at the key as read_fields; where heads do not divide the width, or patches the image.
void read_architecture(const config::View& view, KeyNames names, TextEncoderArchitecture& a);
void read_architecture(const config::View& view, KeyNames names, ImageEncoderArchitecture& a);

// The same from a published config.json, whose other keys are known and decide nothing, or are refused. Errors as
// above, and for another model type, quantised weights, an MLP that is not gated by tanh-GELU.
void read_published(const config::View& view, TextEncoderArchitecture& a);   // UMT5EncoderModel
void read_published(const config::View& view, ImageEncoderArchitecture& a);  // CLIPVisionModel

nlohmann::ordered_json json_of(const TextEncoderArchitecture& a, KeyNames names);
nlohmann::ordered_json json_of(const ImageEncoderArchitecture& a, KeyNames names);

}  // namespace modelmeter::transformers
