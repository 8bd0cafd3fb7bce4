// The twin of the text encoder that diffusers' pipeline runs: transformers 5.23.0, models/umt5/modeling_umt5.py
// (UMT5EncoderModel), masking_utils.py and integrations/sdpa_attention.py, to be read beside them.
//
// bf16 weights; F.scaled_dot_product_attention with the mask and the bias of relative positions as one added mask,
// which excludes flash attention.
#pragma once

#include "layer/embedding.h"
#include "layer/linear.h"
#include "model/transformers/encoder_architecture.h"

namespace modelmeter::transformers {

class UMT5LayerNorm : public Module<UMT5LayerNorm> {
 public:
  static constexpr bool pure = true;

  UMT5LayerNorm(const BuildContext& context, int64_t dim) : Module("UMT5LayerNorm") {
    register_parameter("weight", {dim}, context);
  }
  Tensor forward(Tensor hidden_states) const;
};

// gelu_new: the tanh form in eight kernels.
class NewGELUActivation : public Module<NewGELUActivation> {
 public:
  static constexpr bool pure = true;

  NewGELUActivation() : Module("NewGELUActivation") {}
  Tensor forward(Tensor input) const;
};

class UMT5DenseGatedActDense : public Module<UMT5DenseGatedActDense> {
 public:
  static constexpr bool pure = true;

  UMT5DenseGatedActDense(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  Linear wi_0_, wi_1_, wo_;
  NewGELUActivation act_;
};

class UMT5LayerFF : public Module<UMT5LayerFF> {
 public:
  static constexpr bool pure = true;

  UMT5LayerFF(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  UMT5DenseGatedActDense dense_;
  UMT5LayerNorm layer_norm_;
};

class UMT5Attention : public Module<UMT5Attention> {
 public:
  UMT5Attention(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states, Tensor attention_mask) const;  // [B, L, C], [B, 1, L, L] bool

 private:
  Tensor compute_bias(int64_t query_length, int64_t key_length) const;  // [1, heads, queries, keys]
  Tensor relative_position_bucket(Tensor relative_position) const;

  int64_t n_heads_, key_value_proj_dim_;
  Linear q_, k_, v_, o_;
  Embedding relative_attention_bias_;
};

class UMT5LayerSelfAttention : public Module<UMT5LayerSelfAttention> {
 public:
  UMT5LayerSelfAttention(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states, Tensor attention_mask) const;

 private:
  UMT5Attention attention_;
  UMT5LayerNorm layer_norm_;
};

class UMT5Block : public Module<UMT5Block> {
 public:
  UMT5Block(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states, Tensor attention_mask) const;

 private:
  UMT5LayerSelfAttention layer_0_;
  UMT5LayerFF layer_1_;
};

// An Embedding whose table belongs to another module.
class TiedEmbedding : public Module<TiedEmbedding> {
 public:
  explicit TiedEmbedding(const Embedding& shared) : Module("Embedding"), shared_(shared) { tie_to(shared); }
  Tensor forward(Tensor ids) const { return shared_.forward(std::move(ids)); }

 private:
  const Embedding& shared_;
};

class UMT5Stack : public Module<UMT5Stack> {
 public:
  UMT5Stack(const BuildContext& context, const TextEncoderArchitecture& a, const Embedding& shared);
  Tensor forward(Tensor input_ids, Tensor attention_mask) const;

 private:
  int64_t num_layers_;
  TiedEmbedding embed_tokens_;
  UMT5Block block_;
  UMT5LayerNorm final_layer_norm_;
};

class UMT5EncoderModel : public Module<UMT5EncoderModel> {
 public:
  UMT5EncoderModel(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor input_ids, Tensor attention_mask) const;  // both [B, L] int64 -> [B, L, C]

  const TextEncoderArchitecture& architecture() const { return a_; }

 private:
  TextEncoderArchitecture a_;
  Embedding shared_;
  UMT5Stack encoder_;
};

}  // namespace modelmeter::transformers
