// The hyper-parameters of DeepSeek-OCR-2, by either form of its config.json:
//
// - transformers' (DeepseekOcr2Config, transformers 5.23: `text_config`, `vision_config.sam_config` and
//   `.encoder_config`), with the defaults of its classes for what a file leaves out;
// - the published one (deepseek-ai/DeepSeek-OCR-2), whose remote code has the sizes of the two image encoders as
//   constants and does not look at the config's vision_config. The sizes here are those constants.
#pragma once

#include "model/deepseek_ocr/decoder_architecture.h"

namespace modelmeter::deepseek_ocr::transformers {

// DeepseekOcr2SamVisionConfig
struct SamArchitecture {
  int64_t hidden_size = 768;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t num_channels = 3;
  int64_t image_size = 1024;  // pixels that the position tables are made for
  int64_t patch_size = 16;
  int64_t window_size = 14;
  int64_t mlp_dim = 3072;
  std::vector<int64_t> global_attn_indexes{2, 5, 8, 11};  // layers that attend to the whole image, not to windows
  int64_t output_channels = 256;                          // of the neck
  std::vector<int64_t> downsample_channels{512, 896};     // of the two convolutions of stride 2 behind it

  int64_t grid() const { return image_size / patch_size; }
  bool is_global(int64_t layer) const;
};

// DeepseekOcr2VisionEncoderConfig: Qwen2-0.5B's body.
struct EncoderArchitecture {
  int64_t hidden_size = 896;
  int64_t intermediate_size = 4864;
  int64_t num_hidden_layers = 24;
  int64_t num_attention_heads = 14;
  int64_t num_key_value_heads = 2;

  int64_t head_dim() const { return hidden_size / num_attention_heads; }
};

enum class AttentionImplementation : uint8_t { sdpa, eager };

struct Architecture {
  SamArchitecture sam;
  EncoderArchitecture encoder;
  DecoderArchitecture decoder;
};

// Learned queries of the vision encoder: for tiles of 768 pixels and for pages of 1024.
inline constexpr int64_t tile_queries = 144, page_queries = 256;

// Errors name the file and the field: a missing or mistyped one, sizes that do not fit together, and what there is no
// twin of (sliding windows, biases in the decoder, other ways to choose experts, dense layers behind those with
// experts).
Architecture read_architecture(const config::View& config);

}  // namespace modelmeter::deepseek_ocr::transformers
