// The twin of the official image encoder: Wan-Video/Wan2.1 @9737cba, wan/modules/clip.py, the visual tower
// (XLMRobertaCLIP.visual), to be read beside it.
//
// fp16 weights under autocast(float16); layer norms in fp32; flash_attn's varlen kernel. The forward stops before the
// last block (use_31_block) and uses neither the last norm nor the head, which are held all the same.
#pragma once

#include <optional>

#include "layer/conv.h"
#include "layer/sequential.h"
#include "model/transformers/encoder_architecture.h"

namespace modelmeter::wan::official {

using transformers::ImageEncoderArchitecture;

// The official CLIPModel also holds the XLM-RoBERTa text tower of its checkpoint, which no pipeline runs: 1,193,014,785
// parameters in all less 632,076,800 of the vision tower (Wan2.1 @9737cba, wan/modules/clip.py, its real constructors),
// in the vision tower's dtype.
constexpr int64_t clip_text_tower_parameters = 1'193'014'785 - 632'076'800;

// GELU, or the sigmoid form in three kernels.
struct ClipActivationOptions {
  bool quick;
};

class ClipActivation : public Module<ClipActivation> {
 public:
  ClipActivation(const ClipActivationOptions& options)
      : Module(options.quick ? "QuickGELU" : "GELU"), quick_(options.quick) {}
  Tensor forward(Tensor x) const;

 private:
  bool quick_;
};

// clip.py's LayerNorm: computed in float32, its result in the type of the input.
class ClipLayerNorm : public Module<ClipLayerNorm> {
 public:
  ClipLayerNorm(const BuildContext& context, int64_t dim);
  Tensor forward(Tensor x) const;
};

class ClipSelfAttention : public Module<ClipSelfAttention> {
 public:
  ClipSelfAttention(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor x) const;  // [B, L, C]

 private:
  int64_t num_heads_, head_dim_;
  Linear to_qkv_, proj_;
};

class ClipAttentionBlock : public Module<ClipAttentionBlock> {
 public:
  ClipAttentionBlock(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  ClipLayerNorm norm1_;
  ClipSelfAttention attn_;
  ClipLayerNorm norm2_;
  Sequential<Linear, ClipActivation, Linear> mlp_;
};

class VisionTransformer : public Module<VisionTransformer> {
 public:
  VisionTransformer(const BuildContext& context, const ImageEncoderArchitecture& a);
  Tensor forward(Tensor x) const;  // [B, 3, H, W] float32 -> [B, 257, C], with use_31_block

  const ImageEncoderArchitecture& architecture() const { return a_; }

 private:
  ImageEncoderArchitecture a_;
  Conv patch_embedding_;
  std::optional<ClipLayerNorm> pre_norm_;
  ClipAttentionBlock transformer_;
  ClipLayerNorm post_norm_;
};

}  // namespace modelmeter::wan::official
