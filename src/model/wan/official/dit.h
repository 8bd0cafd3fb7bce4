// The twin of the official diffusion transformer: Wan-Video/Wan2.1 @9737cba, wan/modules/model.py, to be read beside
// it.
//
// fp32 weights under autocast(bfloat16), re-cast at every call; residual stream in fp32 after the first block; rotary
// embedding in complex128; flash_attn's varlen kernel.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "layer/conv.h"
#include "layer/sequential.h"
#include "model/wan/architecture.h"

namespace modelmeter::wan::official {

using GridSize = std::array<int64_t, 3>;  // patches along frames, height and width

// What forward() hands to every block unchanged.
struct BlockArguments {
  Tensor seq_lens;                   // [B] on the host
  std::vector<GridSize> grid_sizes;  // one per sample
  Tensor* freqs;                     // complex128 [1024, head_dim / 2]; on the device from its first use on
  Shape freqs_sizes;
  Tensor context;  // [B, text tokens (image tokens first), C]
};

class WanRMSNorm : public Module<WanRMSNorm> {
 public:
  static constexpr bool pure = true;

  WanRMSNorm(const BuildContext& context, int64_t dim) : Module("WanRMSNorm") {
    register_parameter("weight", {dim}, context);
  }
  Tensor forward(Tensor x) const;
};

class WanLayerNorm : public Module<WanLayerNorm> {
 public:
  static constexpr bool pure = true;

  WanLayerNorm(const BuildContext& context, int64_t dim, bool elementwise_affine);
  Tensor forward(Tensor x) const;

 private:
  bool affine_;
};

// q, k, v, o and the norms of q and k: what self- and cross-attention share.
class WanAttention {
 public:
  WanAttention(const BuildContext& context, const Architecture& a);

  int64_t num_heads, head_dim;
  bool qk_norm;
  Linear q, k, v, o;
  WanRMSNorm norm_q, norm_k;
};

class WanSelfAttention : public Module<WanSelfAttention> {
 public:
  WanSelfAttention(const BuildContext& context, const Architecture& a);
  Tensor forward(Tensor x, const BlockArguments& args) const;  // x [B, L, C]

 private:
  Tensor attend(Tensor x, const BlockArguments& args) const;
  Tensor sp_attend(Tensor x, const BlockArguments& args) const;  // x of this rank's part of the sequence

  WanAttention attn_;
  bool sequence_parallel_, by_xfuser_;
};

class WanT2VCrossAttention : public Module<WanT2VCrossAttention> {
 public:
  static constexpr bool pure = true;

  WanT2VCrossAttention(const BuildContext& context, const Architecture& a,
                       std::string_view class_name = "WanT2VCrossAttention");
  Tensor forward(Tensor x, Tensor context) const;

 private:
  WanAttention attn_;
};

class WanI2VCrossAttention : public Module<WanI2VCrossAttention> {
 public:
  static constexpr bool pure = true;

  WanI2VCrossAttention(const BuildContext& context, const Architecture& a);
  Tensor forward(Tensor x, Tensor context) const;

 private:
  WanAttention attn_;
  Linear k_img_, v_img_;
  WanRMSNorm norm_k_img_;
};

// What WanAttentionBlock and its descendants share: the layers and the forward of a block.
class WanAttentionBlockBase : public BaseLayer {
 public:
  WanAttentionBlockBase(const BuildContext& context, std::string_view class_name, const Architecture& a,
                        std::string_view cross_attention = "WanT2VCrossAttention");
  // x [B, L, C], e [B, 6, C] or, with a time step per token, [B, L, 6, C]
  Tensor forward(Tensor x, Tensor e, const BlockArguments& args) const;

 private:
  Tensor cross_attn_ffn(Tensor x, const Tensor& context, const TensorList& e) const;

  WanLayerNorm norm1_;
  WanSelfAttention self_attn_;
  std::optional<WanLayerNorm> norm3_;
  std::optional<WanT2VCrossAttention> t2v_cross_attn_;
  std::optional<WanI2VCrossAttention> i2v_cross_attn_;
  WanLayerNorm norm2_;
  Mlp ffn_;
};

class WanAttentionBlock : public Module<WanAttentionBlock, WanAttentionBlockBase> {
 public:
  WanAttentionBlock(const BuildContext& context, const Architecture& a,
                    std::string_view cross_attention = "WanT2VCrossAttention")
      : Module(context, "WanAttentionBlock", a, cross_attention) {}
};

class Head : public Module<Head> {
 public:
  static constexpr bool pure = true;

  Head(const BuildContext& context, const Architecture& a);
  Tensor forward(Tensor x, Tensor e) const;  // x [B, L, C], e [B, C] or [B, L, C]

 private:
  WanLayerNorm norm_;
  Linear head_;
};

// img_emb: the image encoder's tokens to the width of the text's.
class MLPProj : public Module<MLPProj> {
 public:
  static constexpr bool pure = true;

  MLPProj(const BuildContext& context, const Architecture& a);
  Tensor forward(Tensor image_embeds) const;  // [B, 257, 1280]

 private:
  bool emb_pos_;
  Sequential<LayerNorm, Linear, GELU, Linear, LayerNorm> proj_;
};

struct DiTInputs {
  TensorList x;             // latents [C, F, H, W] float32
  Tensor t;                 // time steps [B]; Wan2.2 also [B, seq_len], one per token, float32
  TensorList context;       // text [L, text_dim] bfloat16
  int64_t seq_len = 0;      // tokens the sequence is padded to
  Tensor clip_fea;          // [B, 257, image_dim], image-conditioned models only
  TensorList y;             // conditioning latents [C', F, H, W]
  TensorList vace_context;  // control [vace_in_dim, F, H, W], VACE only
};

// What WanModel and its descendants share: what stands before and after the blocks.
class WanModelBase : public BaseLayer {
 public:
  WanModelBase(const BuildContext& context, std::string_view class_name, const Architecture& a);

  const Architecture& architecture() const { return a_; }

 protected:
  struct TimeEmbedding {
    Tensor e, e0;  // [B, C] and [B, 6, C], or with a time step per token [B, L, C] and [B, L, 6, C]
  };

  void register_head() { register_module("head", head_); }  // after the blocks
  // Latents [C, F, H, W] to one sequence [B, seq_len, C]; gives the grid of each where it is asked for.
  Tensor embed_latents(const Conv& patch_embedding, TensorList latents, int64_t seq_len,
                       std::vector<GridSize>* grid_sizes = nullptr) const;
  TimeEmbedding embed_time(Tensor t) const;
  Tensor embed_text(const TensorList& context) const;
  // What forward() hands to every block; `freqs` must outlive it.
  BlockArguments block_arguments(Tensor* freqs, const std::vector<GridSize>& grid_sizes, Tensor context) const;
  // This rank's part of the tokens, where ranks share the sequence, and of time steps that are per token.
  void take_part(Tensor& x) const;
  void take_part(Tensor& x, TimeEmbedding& time) const;
  // The head, then the tokens (gathered, where ranks share them) back to latents, in float32.
  TensorList to_latents(Tensor x, const Tensor& e, const std::vector<GridSize>& grid_sizes) const;

  Architecture a_;
  Conv patch_embedding_;

 private:
  bool sequence_parallel_;
  TensorList unpatchify(const Tensor& x, const std::vector<GridSize>& grid_sizes) const;

  Mlp text_embedding_;
  Sequential<Linear, SiLU, Linear> time_embedding_;
  Sequential<SiLU, Linear> time_projection_;
  Head head_;
};

class WanModel : public Module<WanModel, WanModelBase> {
 public:
  WanModel(const BuildContext& context, const Architecture& a);
  TensorList forward(const DiTInputs& in) const;  // latents [out_dim, F, H, W] float32

 private:
  WanAttentionBlock blocks_;
  std::optional<MLPProj> img_emb_;
};

}  // namespace modelmeter::wan::official
