// The sizes of encoders that several families use: the UMT5 text encoder, whose sizes are those of the configuration's
// group text_encoder, and the CLIP image encoder, by default ViT-H/14 as in Wan's published code. Names:
// Wan-Video/Wan2.1
// @9737cba, wan/modules/t5.py (umt5_xxl) and clip.py (clip_xlm_roberta_vit_h_14), or transformers' config.json.
#pragma once

#include <cstdint>
#include <string>

#include "model/config_fields.h"

namespace modelmeter::transformers {

// 0: not given.
struct TextEncoderArchitecture {
  int64_t vocab = 0;
  int64_t dim = 0;
  int64_t dim_attn = 0;  // of all heads
  int64_t dim_ffn = 0;
  int64_t num_heads = 0;
  int64_t num_layers = 0;
  int64_t num_buckets = 32;  // of relative positions; UMT5Config's default
  bool shared_pos = false;   // one table of relative positions for all layers; else one per layer

  bool operator==(const TextEncoderArchitecture&) const = default;
  int64_t head_dim() const { return num_heads > 0 ? dim_attn / num_heads : 0; }
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

  bool operator==(const ImageEncoderArchitecture&) const = default;
  int64_t head_dim() const { return dim / num_heads; }
  int64_t num_patches() const { return (image_size / patch_size) * (image_size / patch_size); }
  int64_t tokens() const { return num_patches() + 1; }  // with the class token
};

// The keys of a group that names its sizes, after `keys`: of the original code and of transformers.
std::vector<std::string> text_encoder_keys(std::vector<std::string> keys);
std::vector<std::string> image_encoder_keys(std::vector<std::string> keys);

// Sets what the node names. transformers has d_kv (width of a head) and intermediate_size for dim_attn and mlp_ratio.
// Errors at the key as read_fields.
void read_architecture(const config::View& view, TextEncoderArchitecture& a);
void read_architecture(const config::View& view, ImageEncoderArchitecture& a);

// Errors, at the key that says so or at the node: heads that do not divide the width, patches that do not divide the
// image, an unknown activation.
void check_architecture(const config::View& view, const TextEncoderArchitecture& a);
void check_architecture(const config::View& view, const ImageEncoderArchitecture& a);
// Error where a size is not given: nothing can be built.
void require_sizes(const config::View& view, const TextEncoderArchitecture& a);

// The same from a published config.json, whose other keys are known and decide nothing, or are refused. Errors as
// above, and for another model type, quantised weights, an MLP that is not gated by tanh-GELU.
void read_published(const config::View& view, TextEncoderArchitecture& a);   // UMT5EncoderModel
void read_published(const config::View& view, ImageEncoderArchitecture& a);  // CLIPVisionModel

nlohmann::ordered_json json_of(const TextEncoderArchitecture& a, KeyNames names);
nlohmann::ordered_json json_of(const ImageEncoderArchitecture& a, KeyNames names);

}  // namespace modelmeter::transformers
