// The hyper-parameters of DeepSeek-OCR (deepseek-ai/DeepSeek-OCR).
//
// Those of the two image encoders and the projector are constants of deepencoder.py and modeling_deepseekocr.py, which
// do not look at the config's vision_config; so they are constants here.
#pragma once

#include <cstdint>
#include <vector>

#include "model/deepseek_ocr/decoder_architecture.h"

namespace modelmeter::deepseek_ocr::remote {

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

struct Architecture {
  SamArchitecture sam;
  ClipArchitecture clip;
  int64_t projector_input_dim = 2048;  // CLIP's features beside SAM's
  int64_t n_embed = 1280;              // width of an image token
  DecoderArchitecture decoder;
};

// The decoder's from config.json, with its errors (read_decoder).
Architecture read_architecture(const config::View& config);

}  // namespace modelmeter::deepseek_ocr::remote
