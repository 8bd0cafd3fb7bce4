// The twin of diffusers' transformer: diffusers 0.42.1, models/transformers/transformer_wan.py, to be read beside it.
//
// bf16 weights and residual stream; the time embedder, the modulation tables and the layer norms stay in fp32; rotary
// embedding by real cosines and sines; F.scaled_dot_product_attention.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "layer/conv.h"
#include "layer/sequential.h"
#include "model/wan/architecture.h"

namespace modelmeter::wan::diffusers {

using RotaryEmbedding = std::array<Tensor, 2>;  // cosines and sines, [1, tokens, 1, head_dim] float32

// Layer norm computed in float32, its result in the type of the input.
class FP32LayerNorm : public Module<FP32LayerNorm> {
 public:
  static constexpr bool pure = true;

  FP32LayerNorm(int64_t dim, bool elementwise_affine);
  Tensor forward(Tensor x) const;

 private:
  bool affine_;
};

// diffusers' GELU: a Linear named proj, then gelu.
class GELUProj : public Module<GELUProj> {
 public:
  static constexpr bool pure = true;

  GELUProj(const BuildContext& context, int64_t in, int64_t out);
  Tensor forward(Tensor x) const;

 private:
  Linear proj_;
};

class FeedForward : public Module<FeedForward> {
 public:
  static constexpr bool pure = true;

  FeedForward(const BuildContext& context, int64_t in, int64_t inner, int64_t out);
  Tensor forward(Tensor x) const;

 private:
  GELUProj net_0_;
  Linear net_2_;
};

class WanAttention : public Module<WanAttention> {
 public:
  WanAttention(const BuildContext& context, const Architecture& a, bool image);
  // Cross-attention where encoder_hidden_states is defined; `rotary` may be null.
  Tensor forward(Tensor hidden_states, Tensor encoder_hidden_states, const RotaryEmbedding* rotary) const;

 private:
  int64_t heads_;
  Linear to_q_, to_k_, to_v_, to_out_0_;
  RMSNorm norm_q_, norm_k_;
  struct AddedKv {
    AddedKv(const BuildContext& context, const Architecture& a);
    Linear add_k_proj, add_v_proj;
    RMSNorm norm_added_k;
  };
  std::optional<AddedKv> added_;
};

class WanImageEmbedding : public Module<WanImageEmbedding> {
 public:
  WanImageEmbedding(const BuildContext& context, const Architecture& a);
  Tensor forward(Tensor image) const;

 private:
  bool pos_embed_;
  FP32LayerNorm norm1_;
  FeedForward ff_;
  FP32LayerNorm norm2_;
};

class Timesteps : public Module<Timesteps> {
 public:
  explicit Timesteps(int64_t num_channels) : Module("Timesteps"), num_channels_(num_channels) {}
  Tensor forward(Tensor timesteps) const;  // [B] -> [B, num_channels] float32

 private:
  int64_t num_channels_;
};

// TimestepEmbedding (act "act", SiLU) and PixArtAlphaTextProjection (act "act_1", GELU): two Linears around it.
template <class Activation>
class TwoLinears : public Module<TwoLinears<Activation>> {
 public:
  static constexpr bool pure = true;

  TwoLinears(const BuildContext& context, std::string_view class_name, std::string activation, int64_t in, int64_t out)
      : Module<TwoLinears>(class_name), linear_1_(context, {in, out}), linear_2_(context, {out, out}) {
    this->register_module("linear_1", linear_1_);
    this->register_module(std::move(activation), act_);
    this->register_module("linear_2", linear_2_);
  }
  Tensor forward(Tensor x) const {
    x = linear_1_(x);
    x = act_(x);
    return linear_2_(x);
  }

 private:
  Linear linear_1_;
  Activation act_;
  Linear linear_2_;
};

class WanTimeTextImageEmbedding : public Module<WanTimeTextImageEmbedding> {
 public:
  WanTimeTextImageEmbedding(const BuildContext& context, const Architecture& a);

  struct Result {
    Tensor temb, timestep_proj, text, image;
  };
  // tokens: of one sample where every token has its own time step, else 0.
  Result forward(Tensor timestep, Tensor text, Tensor image, int64_t tokens) const;

 private:
  Timesteps timesteps_proj_;
  TwoLinears<SiLU> time_embedder_;
  SiLU act_fn_;
  Linear time_proj_;
  TwoLinears<GELU> text_embedder_;
  std::optional<WanImageEmbedding> image_embedder_;
};

class WanRotaryPosEmbed : public Module<WanRotaryPosEmbed> {
 public:
  explicit WanRotaryPosEmbed(const Architecture& a);
  RotaryEmbedding forward(Tensor hidden_states) const;

 private:
  int64_t head_dim_;
  Shape patch_size_;
};

// What WanTransformerBlock and VACE's block share: the layers of a block and what it does with them.
class WanTransformerBlockBase : public BaseLayer {
 public:
  WanTransformerBlockBase(const BuildContext& context, std::string_view class_name, const Architecture& a);

 protected:
  struct Result {
    Tensor hidden_states, projected;
  };

  void register_layers();
  // `projection`, where given, is applied to the block's result while the block's locals are alive.
  Result run_block(Tensor hidden_states, Tensor encoder_hidden_states, Tensor temb, const RotaryEmbedding& rotary,
                   const Linear* projection = nullptr) const;

 private:
  FP32LayerNorm norm1_;
  WanAttention attn1_, attn2_;
  std::optional<FP32LayerNorm> norm2_;
  FeedForward ffn_;
  FP32LayerNorm norm3_;
};

class WanTransformerBlock : public Module<WanTransformerBlock, WanTransformerBlockBase> {
 public:
  WanTransformerBlock(const BuildContext& context, const Architecture& a) : Module(context, "WanTransformerBlock", a) {
    register_layers();
  }
  Tensor forward(Tensor hidden_states, Tensor encoder_hidden_states, Tensor temb, const RotaryEmbedding& rotary) const {
    return run_block(std::move(hidden_states), encoder_hidden_states, temb, rotary).hidden_states;
  }
};

struct DiTInputs {
  Tensor hidden_states;                // [B, C, F, H, W]
  Tensor timestep;                     // [B] int64, or [B, tokens]: one per token
  Tensor encoder_hidden_states;        // [B, text tokens, text_dim]
  Tensor encoder_hidden_states_image;  // [B, image tokens, image_dim], image-conditioned models only
  Tensor control_hidden_states;        // [B, vace_in_dim, F, H, W], VACE only
};

// What WanTransformer3DModel and VACE's share: what stands before and after the blocks.
class WanTransformer3DModelBase : public BaseLayer {
 public:
  WanTransformer3DModelBase(const BuildContext& context, std::string_view class_name, const Architecture& a);

  const Architecture& architecture() const { return a_; }

 protected:
  struct Condition {
    Tensor temb, timestep_proj, encoder_hidden_states, encoder_hidden_states_image;
  };

  void register_output();  // after the blocks
  Condition embed_condition(const DiTInputs& in) const;
  // Norm, projection and the tokens back to the shape of the latents; `latents` gives the sizes.
  Tensor to_latents(Tensor hidden_states, const Tensor& temb, const Tensor& latents) const;

  Architecture a_;
  WanRotaryPosEmbed rope_;
  Conv patch_embedding_;
  WanTimeTextImageEmbedding condition_embedder_;

 private:
  FP32LayerNorm norm_out_;
  Linear proj_out_;
};

class WanTransformer3DModel : public Module<WanTransformer3DModel, WanTransformer3DModelBase> {
 public:
  WanTransformer3DModel(const BuildContext& context, const Architecture& a);
  Tensor forward(const DiTInputs& in) const;  // [B, out_dim, F, H, W]

 private:
  WanTransformerBlock blocks_;
};

}  // namespace modelmeter::wan::diffusers
