// The twin of DeepSeek-OCR's second image encoder: deepencoder.py, VitModel and what it is made of, to be read beside
// it. CLIP-L whose patch embeddings are SAM's features: its own patch convolution is there but does not run.
#pragma once

#include "layer/conv.h"
#include "layer/embedding.h"
#include "layer/linear.h"
#include "layer/norm.h"
#include "model/deepseek_ocr/remote/architecture.h"

namespace modelmeter::deepseek_ocr::remote {

class CLIPVisionEmbeddings : public Module<CLIPVisionEmbeddings> {
 public:
  CLIPVisionEmbeddings(const BuildContext& context, const ClipArchitecture& a);
  Tensor forward(Tensor pixel_values, Tensor patch_embeds) const;

 private:
  ClipArchitecture a_;
  Conv patch_embedding_;
  Embedding position_embedding_;
};

class NoTPFeedForward : public Module<NoTPFeedForward> {
 public:
  NoTPFeedForward(const BuildContext& context, const ClipArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  Linear fc1_, fc2_;
};

class NoTPAttention : public Module<NoTPAttention> {
 public:
  NoTPAttention(const BuildContext& context, const ClipArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  int64_t num_heads_, head_dim_;
  Linear qkv_proj_, out_proj_;
};

class NoTPTransformerBlock : public Module<NoTPTransformerBlock> {
 public:
  NoTPTransformerBlock(const BuildContext& context, const ClipArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  NoTPAttention self_attn_;
  NoTPFeedForward mlp_;
  LayerNorm layer_norm1_, layer_norm2_;
};

class NoTPTransformer : public Module<NoTPTransformer> {
 public:
  NoTPTransformer(const BuildContext& context, const ClipArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  int64_t num_layers_;
  NoTPTransformerBlock layers_;
};

class VitModel : public Module<VitModel> {
 public:
  VitModel(const BuildContext& context, const ClipArchitecture& a);
  // x [b, 3, n, n] only tells the batch; patch_embeds [b, 1024, s, s] -> [b, s s + 1, 1024]
  Tensor forward(Tensor x, Tensor patch_embeds) const;

 private:
  CLIPVisionEmbeddings embeddings_;
  NoTPTransformer transformer_;
  LayerNorm pre_layrnorm_;
};

}  // namespace modelmeter::deepseek_ocr::remote
