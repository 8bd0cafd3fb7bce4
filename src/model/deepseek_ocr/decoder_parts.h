// Layers and functions of the decoder that DeepSeek-OCR's own code (modeling_deepseekv2.py, and transformers 4.46.3's
// Llama) and transformers' DeepSeek-OCR-2 write in the same way, under other names.
#pragma once

#include <string_view>

#include "layer/activation.h"
#include "layer/linear.h"

namespace modelmeter::deepseek_ocr {

// x with the rotary embedding applied: one of the two halves of apply_rotary_pos_emb().
Tensor rotated(const Tensor& x, const Tensor& cos, const Tensor& sin);
// Each head of x [b, heads, s, d] n_rep times.
Tensor repeat_kv(const Tensor& x, int64_t n_rep);

class DeepseekV2RMSNorm : public Module<DeepseekV2RMSNorm> {
 public:
  static constexpr bool pure = true;

  DeepseekV2RMSNorm(const BuildContext& context, int64_t hidden_size,
                    std::string_view class_name = "DeepseekV2RMSNorm");
  Tensor forward(Tensor hidden_states) const;
};

class DeepseekV2MLP : public Module<DeepseekV2MLP> {
 public:
  static constexpr bool pure = true;

  DeepseekV2MLP(const BuildContext& context, int64_t hidden_size, int64_t intermediate_size,
                std::string_view class_name = "DeepseekV2MLP", std::string_view activation = "SiLU");
  Tensor forward(Tensor x) const;

 private:
  Linear gate_proj_, up_proj_, down_proj_;
  SiLU act_fn_;
};

}  // namespace modelmeter::deepseek_ocr
