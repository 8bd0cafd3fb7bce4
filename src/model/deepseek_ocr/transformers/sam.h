// The twin of DeepSeek-OCR-2's first image encoder: transformers 5.23, models/deepseek_ocr2/modeling_deepseek_ocr2.py,
// DeepseekOcr2SamVisionEncoder and what it is made of, to be read beside it.
//
// The same network as DeepSeek-OCR's (../sam.h) by another code: tables of relative positions are resampled whatever
// their size, positions come from host memory, norms over channels are layer norms of a permuted tensor.
#pragma once

#include "layer/activation.h"
#include "layer/conv.h"
#include "layer/linear.h"
#include "layer/norm.h"
#include "model/deepseek_ocr/transformers/attention.h"

namespace modelmeter::deepseek_ocr::transformers {

class SamPatchEmbeddings : public Module<SamPatchEmbeddings> {
 public:
  SamPatchEmbeddings(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor pixel_values) const;  // [b, c, h, w] -> [b, h, w, c], strided

 private:
  Conv projection_;
};

class SamMLPBlock : public Module<SamMLPBlock> {
 public:
  SamMLPBlock(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  Linear lin1_, lin2_;
  GELU act_;
};

// Attention over an image or window of `side` x `side` positions.
class SamVisionAttention : public Module<SamVisionAttention> {
 public:
  SamVisionAttention(const BuildContext& context, const SamArchitecture& a, int64_t side,
                     AttentionImplementation implementation);
  AttentionResult forward(Tensor hidden_states) const;  // [b, h, w, c]

 private:
  Tensor decomposed_rel_pos(const Tensor& query, int64_t height, int64_t width) const;

  int64_t num_attention_heads_;
  AttentionImplementation implementation_;
  Linear qkv_, proj_;
};

class SamVisionLayer : public Module<SamVisionLayer> {
 public:
  static constexpr bool pure = true;

  // window_size 0: global attention.
  SamVisionLayer(const BuildContext& context, const SamArchitecture& a, int64_t window_size,
                 AttentionImplementation implementation);
  Tensor forward(Tensor hidden_states) const;

 private:
  int64_t window_size_;
  LayerNorm layer_norm1_;
  SamVisionAttention attn_;
  LayerNorm layer_norm2_;
  SamMLPBlock mlp_;
};

// Over the channels of [b, c, h, w]: its data_format "channels_first".
class SamLayerNorm : public Module<SamLayerNorm> {
 public:
  SamLayerNorm(const BuildContext& context, int64_t channels);
  Tensor forward(Tensor features) const;
};

class SamVisionNeck : public Module<SamVisionNeck> {
 public:
  SamVisionNeck(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  Conv conv1_;
  SamLayerNorm layer_norm1_;
  Conv conv2_;
  SamLayerNorm layer_norm2_;
};

class SamVisionProj : public Module<SamVisionProj> {
 public:
  SamVisionProj(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  Conv conv1_, conv2_;
};

class SamVisionEncoder : public Module<SamVisionEncoder> {
 public:
  SamVisionEncoder(const BuildContext& context, const SamArchitecture& a, AttentionImplementation implementation);
  Tensor forward(Tensor pixel_values) const;  // [b, 3, n, n] -> [b, 896, n / 64, n / 64]

 private:
  Tensor interpolate_pos_encoding(int64_t height, int64_t width) const;

  SamArchitecture a_;
  SamPatchEmbeddings patch_embed_;
  SamVisionLayer windowed_, global_;
  SamVisionNeck neck_;
  SamVisionProj proj_;
};

}  // namespace modelmeter::deepseek_ocr::transformers
