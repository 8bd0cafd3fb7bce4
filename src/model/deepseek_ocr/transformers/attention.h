// What the vision encoder and the decoder of DeepSeek-OCR-2 have in common in transformers 5.23: rotary embedding,
// attention with its two kernels (integrations/sdpa_attention.py, eager_attention_forward) and the masks for it
// (masking_utils.py), to be read beside them. The cache is DynamicCache of cache_utils.py.
#pragma once

#include <array>

#include "model/deepseek_ocr/decoder_parts.h"
#include "model/deepseek_ocr/dynamic_cache.h"
#include "model/deepseek_ocr/transformers/architecture.h"

namespace modelmeter::deepseek_ocr::transformers {

// What an attention gives back: `weights` only where they are written out, to be held as long as Python holds them.
struct AttentionResult {
  Tensor output, weights;
};

using PositionEmbeddings = std::array<Tensor, 2>;  // cosines and sines [b, tokens, head_dim]

class RotaryEmbedding : public Module<RotaryEmbedding> {
 public:
  RotaryEmbedding(std::string_view class_name, int64_t head_dim);
  PositionEmbeddings forward(Tensor x, Tensor position_ids) const;  // in the type of x
};

// What all layers of one forward are given.
struct AttentionArguments {
  Tensor attention_mask;  // sdpa: bool, or none where it is causal; eager: added to the scores; [b, 1, new, all tokens]
  PositionEmbeddings position_embeddings;
  DynamicCache* past_key_values = nullptr;
};

struct AttentionOptions {
  std::string_view class_name;
  int64_t hidden_size, num_attention_heads, num_key_value_heads;
  bool bias;  // of q, k and v
  AttentionImplementation implementation;
};

class Attention : public Module<Attention> {
 public:
  Attention(const BuildContext& context, const AttentionOptions& options);
  AttentionResult forward(Tensor hidden_states, const AttentionArguments& args, int64_t layer_idx) const;

 private:
  AttentionResult attend(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask) const;

  AttentionOptions options_;
  int64_t head_dim_;
  Linear q_proj_, k_proj_, v_proj_, o_proj_;
};

// create_causal_mask(). With `block_sequence_ids` [b, tokens], tokens of one block (a number of 0 or more) see each
// other. Undefined where the kernel is causal by itself.
Tensor create_causal_mask(AttentionImplementation implementation, const Tensor& inputs_embeds, int64_t cached_tokens,
                          const Tensor& block_sequence_ids = Tensor());

}  // namespace modelmeter::deepseek_ocr::transformers
