// The twin of DeepSeek-OCR-2's mixture of experts: transformers 5.23, modeling_deepseek_ocr2.py (DeepseekOcr2TextMoe)
// with integrations/moe.py, to be read beside them.
//
// The experts' weights are two tensors. generate() has a prompt's tokens run by grouped_mm: sorted by expert, one
// product for all. In a decode step it has them run by batched_mm: the weights are copied for each token and expert.
// Neither reads back how the tokens are distributed, so that costs do not depend on it.
#pragma once

#include "model/deepseek_ocr/decoder_architecture.h"
#include "model/deepseek_ocr/decoder_parts.h"

namespace modelmeter::deepseek_ocr::transformers {

enum class ExpertsImplementation : uint8_t { grouped_mm, batched_mm };

struct Routing {
  Tensor logits;   // [tokens, experts] float32
  Tensor weights;  // [tokens, k] float32
  Tensor indices;  // [tokens, k] int64
};

class TextTopkRouter : public Module<TextTopkRouter> {
 public:
  TextTopkRouter(const BuildContext& context, const DecoderArchitecture& a);
  Routing forward(Tensor hidden_states) const;

 private:
  int64_t top_k_;
};

class TextExperts : public Module<TextExperts> {
 public:
  TextExperts(const BuildContext& context, const DecoderArchitecture& a);
  // hidden_states [tokens, hidden_size]
  Tensor forward(Tensor hidden_states, Tensor top_k_index, Tensor top_k_weights,
                 ExpertsImplementation implementation) const;

 private:
  Tensor grouped_mm(const Tensor& hidden_states, const Tensor& top_k_index, const Tensor& top_k_weights) const;
  Tensor batched_mm(const Tensor& hidden_states, const Tensor& top_k_index, const Tensor& top_k_weights) const;
  Tensor apply_gate(const Tensor& gate_up_out) const;

  int64_t num_experts_;
  SiLU act_fn_;
};

class TextMoe : public Module<TextMoe> {
 public:
  TextMoe(const BuildContext& context, const DecoderArchitecture& a);
  Tensor forward(Tensor hidden_states, ExpertsImplementation implementation) const;

 private:
  TextExperts experts_;
  TextTopkRouter gate_;
  DeepseekV2MLP shared_experts_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
