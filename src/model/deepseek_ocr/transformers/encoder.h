// The twin of DeepSeek-OCR-2's vision: transformers 5.23, modeling_deepseek_ocr2.py, DeepseekOcr2VisionModel and
// DeepseekOcr2VisionEncoder, to be read beside them.
//
// SAM's features and as many learned queries run through Qwen2's layers as one sequence: features see each other, a
// query sees all features and the queries before it. What comes out at the queries are the image tokens.
#pragma once

#include "layer/embedding.h"
#include "model/deepseek_ocr/transformers/sam.h"

namespace modelmeter::deepseek_ocr::transformers {

class VisionEncoderLayer : public Module<VisionEncoderLayer> {
 public:
  VisionEncoderLayer(const BuildContext& context, const EncoderArchitecture& a, AttentionImplementation implementation);
  Tensor forward(Tensor hidden_states, const AttentionArguments& args, int64_t layer_idx) const;

 private:
  Attention self_attn_;
  DeepseekV2MLP mlp_;
  DeepseekV2RMSNorm input_layernorm_, post_attention_layernorm_;
};

class VisionEncoder : public Module<VisionEncoder> {
 public:
  VisionEncoder(const BuildContext& context, const EncoderArchitecture& a, AttentionImplementation implementation);
  // num_patches: how many of the tokens are features; queries follow.
  Tensor forward(Tensor inputs_embeds, int64_t num_patches) const;

 private:
  EncoderArchitecture a_;
  AttentionImplementation implementation_;
  VisionEncoderLayer layers_;
  DeepseekV2RMSNorm norm_;
  RotaryEmbedding rotary_emb_;
};

class VisionModel : public Module<VisionModel> {
 public:
  VisionModel(const BuildContext& context, const Architecture& a, AttentionImplementation implementation);
  // [b, 3, n, n] -> [b, queries, 896], strided: a view of what came out at all tokens.
  Tensor forward(Tensor pixel_values) const;

  const SamVisionEncoder& sam_encoder() const { return sam_encoder_; }
  const VisionEncoder& vision_encoder() const { return vision_encoder_; }

 private:
  SamVisionEncoder sam_encoder_;
  VisionEncoder vision_encoder_;
  Embedding query_768_resolution_, query_1024_resolution_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
