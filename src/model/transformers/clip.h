// The twin of the image encoder that diffusers' pipelines run: transformers 5.23.0, models/clip/modeling_clip.py
// (CLIPVisionModel) with output_hidden_states, to be read beside it. The pipeline uses the last hidden state but one;
// the last layer and its norm run all the same, and every hidden state stays until the forward returns.
//
// float32 weights where the pipeline is loaded as its documentation says. The published checkpoint puts "vision_model."
// before each name.
#pragma once

#include "layer/conv.h"
#include "layer/embedding.h"
#include "layer/linear.h"
#include "layer/norm.h"
#include "model/transformers/encoder_architecture.h"

namespace modelmeter::transformers {

class CLIPVisionEmbeddings : public Module<CLIPVisionEmbeddings> {
 public:
  CLIPVisionEmbeddings(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor pixel_values) const;

 private:
  int64_t dim_, num_positions_;
  DType dtype_;
  Conv patch_embedding_;
  Embedding position_embedding_;
};

class CLIPAttention : public Module<CLIPAttention> {
 public:
  CLIPAttention(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  int64_t num_heads_, head_dim_;
  Linear k_proj_, v_proj_, q_proj_, out_proj_;
};

// ACT2FN["gelu"], or ["quick_gelu"] in three kernels.
class CLIPActivation : public Module<CLIPActivation> {
 public:
  static constexpr bool pure = true;

  explicit CLIPActivation(bool quick) : Module(quick ? "QuickGELUActivation" : "GELUActivation"), quick_(quick) {}
  Tensor forward(Tensor input) const;

 private:
  bool quick_;
};

class CLIPMLP : public Module<CLIPMLP> {
 public:
  static constexpr bool pure = true;

  CLIPMLP(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  CLIPActivation activation_fn_;
  Linear fc1_, fc2_;
};

class CLIPEncoderLayer : public Module<CLIPEncoderLayer> {
 public:
  CLIPEncoderLayer(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor hidden_states) const;

 private:
  CLIPAttention self_attn_;
  LayerNorm layer_norm1_;
  CLIPMLP mlp_;
  LayerNorm layer_norm2_;
};

class CLIPEncoder : public Module<CLIPEncoder> {
 public:
  CLIPEncoder(const BuildContext& context, const ImageEncoderArchitecture& a);
  // Gives the last hidden state; `kept` is left with all, the given one first.
  Tensor forward(Tensor inputs_embeds, TensorList& kept) const;

 private:
  int64_t num_layers_;
  CLIPEncoderLayer layer_;
};

class CLIPVisionModel : public Module<CLIPVisionModel> {
 public:
  CLIPVisionModel(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor pixel_values) const;  // [B, 3, H, W] float32 -> hidden_states[-2], [B, 257, C]

 private:
  CLIPVisionEmbeddings embeddings_;
  LayerNorm pre_layrnorm_;
  CLIPEncoder encoder_;
  LayerNorm post_layernorm_;
};

}  // namespace modelmeter::transformers
