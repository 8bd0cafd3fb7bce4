// The twin of DeepSeek-OCR-2 whole: transformers 5.23, modeling_deepseek_ocr2.py, from DeepseekOcr2TextDecoderLayer to
// DeepseekOcr2ForConditionalGeneration, to be read beside it. Written for what generate() runs: the images are encoded
// first, the prompt's forward is given what came out, and logits are made of the last token only.
#pragma once

#include "model/deepseek_ocr/decoder_layers.h"
#include "model/deepseek_ocr/transformers/encoder.h"
#include "model/deepseek_ocr/transformers/moe.h"

namespace modelmeter::deepseek_ocr::transformers {

struct TextArguments : AttentionArguments {
  ExpertsImplementation experts = ExpertsImplementation::grouped_mm;
};

class TextDecoderLayer : public Module<TextDecoderLayer> {
 public:
  TextDecoderLayer(const BuildContext& context, const DecoderArchitecture& a, AttentionImplementation implementation,
                   bool sparse);
  Tensor forward(Tensor hidden_states, const TextArguments& args, int64_t layer_idx) const;

 private:
  Attention self_attn_;
  std::optional<DeepseekV2MLP> mlp_;
  std::optional<TextMoe> moe_;
  DeepseekV2RMSNorm input_layernorm_, post_attention_layernorm_;
};

class TextModel : public Module<TextModel> {
 public:
  TextModel(const BuildContext& context, const DecoderArchitecture& a, AttentionImplementation implementation);
  Tensor forward(Tensor inputs_embeds, Tensor position_ids, DynamicCache* past_key_values,
                 ExpertsImplementation experts) const;

  const Embedding& embed_tokens() const { return embed_tokens_; }

 private:
  AttentionImplementation implementation_;
  Embedding embed_tokens_;
  DecoderLayers<TextDecoderLayer> layers_;
  DeepseekV2RMSNorm norm_;
  RotaryEmbedding rotary_emb_;
};

// The pages of a batch, and the tiles of all of them.
struct PixelValues {
  Tensor global;      // [b, 3, n, n]
  Tensor local;       // [b x tiles, 3, m, m]; undefined without tiles
  int64_t tiles = 0;  // of each page
};

// What get_image_features() returns; generate() holds it to the end.
struct ImageFeatures {
  Tensor last_hidden_state, local_last_hidden_state;  // of the encoder at the queries, views of those at all tokens
  TensorList pooler_output;                           // for each page [image tokens, hidden_size]
};

struct OcrInputs {
  Tensor input_ids;                      // [b, new tokens] int64
  Tensor position_ids;                   // [b, new tokens] int64
  const ImageFeatures* image = nullptr;  // of the prompt
  DynamicCache* past_key_values = nullptr;
  ExpertsImplementation experts = ExpertsImplementation::grouped_mm;
};

class OcrModel : public Module<OcrModel> {
 public:
  OcrModel(const BuildContext& context, const Architecture& a, AttentionImplementation implementation);
  Tensor forward(const OcrInputs& in) const;  // hidden states [b, new tokens, hidden_size]
  ImageFeatures get_image_features(const PixelValues& pixels) const;

  const VisionModel& vision_tower() const { return vision_tower_; }

 private:
  VisionModel vision_tower_;
  Linear multi_modal_projector_;
  TextModel language_model_;
};

class OcrForConditionalGeneration : public Module<OcrForConditionalGeneration> {
 public:
  OcrForConditionalGeneration(const BuildContext& context, const Architecture& a,
                              AttentionImplementation implementation);
  Tensor forward(const OcrInputs& in) const;  // logits of the last token [b, 1, vocab_size]
  ImageFeatures get_image_features(const PixelValues& pixels) const;

  const Architecture& architecture() const { return a_; }
  AttentionImplementation implementation() const { return implementation_; }
  const OcrModel& model() const { return model_; }
  DType dtype() const { return dtype_; }

 private:
  Architecture a_;
  AttentionImplementation implementation_;
  DType dtype_;
  OcrModel model_;
  Linear lm_head_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
