// The twin of DeepseekOCRModel and DeepseekOCRForCausalLM (modeling_deepseekocr.py, modeling_deepseekv2.py): a page and
// a prompt, or the next token, to logits.
#pragma once

#include "model/deepseek_ocr/decoder_layers.h"
#include "model/deepseek_ocr/remote/decoder.h"
#include "model/deepseek_ocr/remote/vision.h"

namespace modelmeter::deepseek_ocr::remote {

struct OcrInputs {
  Tensor input_ids;                // [b, new tokens] int64
  Tensor attention_mask;           // [b, all tokens] int64, of ones
  Tensor position_ids;             // [b, new tokens] int64
  std::vector<PageImages> images;  // one page per sample; looked at where there is more than one new token
  Tensor images_seq_mask;          // [b, prompt tokens] bool: where the image tokens are
  DynamicCache* past_key_values;
  std::vector<int64_t> tokens_per_expert;
  bool last_logits_only = false;  // as serving engines do; the original computes logits of every position
};

class DeepseekOCRModel : public Module<DeepseekOCRModel> {
 public:
  DeepseekOCRModel(const BuildContext& context, const Architecture& a, AttentionImplementation implementation);
  Tensor forward(const OcrInputs& in) const;  // hidden states [b, new tokens, hidden_size]

  const ImageEncoderViT& sam_model() const { return sam_model_; }
  const VitModel& vision_model() const { return vision_model_; }
  const MlpProjector& projector() const { return projector_; }
  const DeepseekV2DecoderLayer& layer(int64_t i) const { return layers_[i]; }

 private:
  Tensor attention_mask(const OcrInputs& in, const Tensor& inputs_embeds) const;
  Tensor decode(const OcrInputs& in, const Tensor& inputs_embeds) const;  // DeepseekV2Model.forward

  AttentionImplementation implementation_;
  Embedding embed_tokens_;
  DecoderLayers<DeepseekV2DecoderLayer> layers_;
  DeepseekV2RMSNorm norm_;
  ImageEncoderViT sam_model_;
  VitModel vision_model_;
  MlpProjector projector_;
};

class DeepseekOCRForCausalLM : public Module<DeepseekOCRForCausalLM> {
 public:
  DeepseekOCRForCausalLM(const BuildContext& context, const Architecture& a, AttentionImplementation implementation);
  Tensor forward(const OcrInputs& in) const;  // logits [b, new tokens, vocab_size] float32
  Tensor head(const Tensor& hidden_states) const;

  const Architecture& architecture() const { return a_; }
  const DeepseekOCRModel& model() const { return model_; }
  DType dtype() const { return dtype_; }  // of the weights

 private:
  Architecture a_;
  DType dtype_;
  DeepseekOCRModel model_;
  Linear lm_head_;
};

}  // namespace modelmeter::deepseek_ocr::remote
