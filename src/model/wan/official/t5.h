// The twin of the official text encoder: Wan-Video/Wan2.1 @9737cba, wan/modules/t5.py, to be read beside it.
//
// bf16 weights, no autocast; attention written out with a softmax in fp32; every block builds its own bias of relative
// positions. Padded ids are computed like others: the mask only hides them as keys.
#pragma once

#include <optional>

#include "layer/embedding.h"
#include "layer/sequential.h"
#include "model/transformers/encoder_architecture.h"

namespace modelmeter::wan::official {

using transformers::TextEncoderArchitecture;

struct T5GELUOptions {};

// t5.py's GELU: the tanh form in eight kernels.
class T5GELU : public Module<T5GELU> {
 public:
  static constexpr bool pure = true;

  T5GELU(const T5GELUOptions& = {}) : Module("GELU") {}
  Tensor forward(Tensor x) const;
};

class T5LayerNorm : public Module<T5LayerNorm> {
 public:
  static constexpr bool pure = true;

  T5LayerNorm(const BuildContext& context, int64_t dim) : Module("T5LayerNorm") {
    register_parameter("weight", {dim}, context);
  }
  Tensor forward(Tensor x) const;
};

class T5Attention : public Module<T5Attention> {
 public:
  T5Attention(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor x, Tensor mask, Tensor pos_bias) const;  // x [B, L, C], mask [B, L], pos_bias [1, N, L, L]

 private:
  int64_t num_heads_, head_dim_;
  Linear q_, k_, v_, o_;
};

class T5FeedForward : public Module<T5FeedForward> {
 public:
  static constexpr bool pure = true;

  T5FeedForward(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  Sequential<Linear, T5GELU> gate_;
  Linear fc1_, fc2_;
};

class T5RelativeEmbedding : public Module<T5RelativeEmbedding> {
 public:
  T5RelativeEmbedding(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(int64_t lq, int64_t lk) const;  // [1, N, Lq, Lk]

 private:
  Tensor relative_position_bucket(Tensor rel_pos) const;

  Embedding embedding_;
};

class T5SelfAttention : public Module<T5SelfAttention> {
 public:
  T5SelfAttention(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor x, Tensor mask, Tensor pos_bias) const;

 private:
  T5LayerNorm norm1_;
  T5Attention attn_;
  T5LayerNorm norm2_;
  T5FeedForward ffn_;
  std::optional<T5RelativeEmbedding> pos_embedding_;
};

class T5Encoder : public Module<T5Encoder> {
 public:
  T5Encoder(const BuildContext& context, const TextEncoderArchitecture& a);
  Tensor forward(Tensor ids, Tensor mask) const;  // both [B, L] int64 -> [B, L, C]

  const TextEncoderArchitecture& architecture() const { return a_; }

 private:
  TextEncoderArchitecture a_;
  Embedding token_embedding_;
  std::optional<T5RelativeEmbedding> pos_embedding_;
  T5SelfAttention blocks_;
  T5LayerNorm norm_;
};

}  // namespace modelmeter::wan::official
