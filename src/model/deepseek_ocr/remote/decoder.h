// The twin of DeepSeek-OCR's decoder layers: modeling_deepseekv2.py, with LlamaAttention and LlamaFlashAttention2 of
// transformers 4.46.3 (models/llama/modeling_llama.py), to be read beside them.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "layer/activation.h"
#include "layer/linear.h"
#include "model/deepseek_ocr/decoder_parts.h"
#include "model/deepseek_ocr/dynamic_cache.h"
#include "model/deepseek_ocr/remote/architecture.h"

namespace modelmeter::deepseek_ocr::remote {

// How many tokens each expert gets in a forward: `assignments` (tokens x experts per token) spread evenly, the first
// experts having one more where it does not come out.
std::vector<int64_t> even_routing(int64_t assignments, int64_t experts);

class LlamaRotaryEmbedding : public Module<LlamaRotaryEmbedding> {
 public:
  LlamaRotaryEmbedding(const BuildContext& context, int64_t dim);
  // Cosines and sines [b, tokens, head_dim] for position_ids [b, tokens], in the type of x.
  std::array<Tensor, 2> forward(Tensor x, Tensor position_ids) const;
};

// What all layers of one forward are given.
struct LayerArguments {
  Tensor attention_mask;  // eager: [b, 1, new tokens, all tokens], added to the scores; flash: undefined
  Tensor position_ids;    // [b, new tokens] int64
  DynamicCache* cache;
  std::vector<int64_t> tokens_per_expert;
};

// LlamaAttention, or LlamaFlashAttention2.
class LlamaAttention : public Module<LlamaAttention> {
 public:
  LlamaAttention(const BuildContext& context, const DecoderArchitecture& a, AttentionImplementation implementation);
  Tensor forward(Tensor hidden_states, const LayerArguments& args, int64_t layer) const;

 private:
  Tensor eager_weights(const Tensor& q, const Tensor& k, const Tensor& attention_mask) const;
  Tensor flash(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& position_ids) const;

  int64_t num_heads_, num_key_value_heads_, head_dim_;
  AttentionImplementation implementation_;
  Linear q_proj_, k_proj_, v_proj_, o_proj_;
  LlamaRotaryEmbedding rotary_emb_;
};

// The best num_experts_per_tok experts of each token by softmax, computed in float32 but for what autocast narrows.
class MoEGate : public Module<MoEGate> {
 public:
  MoEGate(const BuildContext& context, const DecoderArchitecture& a);
  torch::TopK forward(Tensor hidden_states) const;  // weights float32 and expert numbers int64, [tokens, k]

 private:
  int64_t top_k_;
  bool norm_topk_prob_;
};

class DeepseekV2MoE : public Module<DeepseekV2MoE> {
 public:
  DeepseekV2MoE(const BuildContext& context, const DecoderArchitecture& a);
  Tensor forward(Tensor hidden_states, const std::vector<int64_t>& tokens_per_expert) const;

 private:
  Tensor moe_infer(Tensor x, Tensor topk_ids, Tensor topk_weight, const std::vector<int64_t>& tokens_per_expert) const;
  std::vector<Tensor> run_experts(const Tensor& sorted_tokens, const std::vector<int64_t>& tokens_per_expert) const;

  int64_t n_routed_experts_;
  DeepseekV2MLP experts_;
  MoEGate gate_;
  std::optional<DeepseekV2MLP> shared_experts_;
};

class DeepseekV2DecoderLayer : public Module<DeepseekV2DecoderLayer> {
 public:
  DeepseekV2DecoderLayer(const BuildContext& context, const DecoderArchitecture& a,
                         AttentionImplementation implementation, bool moe);
  Tensor forward(Tensor hidden_states, const LayerArguments& args, int64_t layer) const;

 private:
  LlamaAttention self_attn_;
  std::optional<DeepseekV2MLP> mlp_;
  std::optional<DeepseekV2MoE> moe_;
  DeepseekV2RMSNorm input_layernorm_, post_attention_layernorm_;
};

}  // namespace modelmeter::deepseek_ocr::remote
