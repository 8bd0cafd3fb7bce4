// The twin of DeepSeek-OCR's first image encoder: deepencoder.py, ImageEncoderViT and what it is made of, to be read
// beside it. SAM's ViT-B with windowed and global attention and decomposed relative positions, whose attention bias is
// written out in full for scaled_dot_product_attention; then two convolutions of stride 2.
#pragma once

#include "layer/conv.h"
#include "layer/sequential.h"
#include "model/deepseek_ocr/remote/architecture.h"

namespace modelmeter::deepseek_ocr::remote {

struct LayerNorm2dOptions {
  int64_t num_channels;
};

// Layer norm over the channels of [b, c, h, w], written in elementwise operations.
class LayerNorm2d : public Module<LayerNorm2d> {
 public:
  LayerNorm2d(const BuildContext& context, const LayerNorm2dOptions& options);
  Tensor forward(Tensor x) const;
};

class PatchEmbed : public Module<PatchEmbed> {
 public:
  PatchEmbed(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor x) const;  // [b, c, h, w] -> [b, h, w, c], strided

 private:
  Conv proj_;
};

class MLPBlock : public Module<MLPBlock> {
 public:
  MLPBlock(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor x) const;

 private:
  Linear lin1_, lin2_;
  GELU act_;
};

// Attention over an image or window of `side` x `side` positions; other sizes resample the relative positions.
class Attention : public Module<Attention> {
 public:
  static constexpr bool pure = true;

  Attention(const BuildContext& context, const SamArchitecture& a, int64_t side);
  Tensor forward(Tensor x) const;  // [b, h, w, c]

 private:
  int64_t num_heads_;
  Linear qkv_, proj_;
};

class Block : public Module<Block> {
 public:
  static constexpr bool pure = true;

  // window_size 0: global attention.
  Block(const BuildContext& context, const SamArchitecture& a, int64_t window_size);
  Tensor forward(Tensor x) const;

 private:
  int64_t window_size_;
  LayerNorm norm1_;
  Attention attn_;
  LayerNorm norm2_;
  MLPBlock mlp_;
};

class ImageEncoderViT : public Module<ImageEncoderViT> {
 public:
  ImageEncoderViT(const BuildContext& context, const SamArchitecture& a);
  Tensor forward(Tensor x) const;  // [b, 3, n, n] -> [b, 1024, n / 64, n / 64]

 private:
  SamArchitecture a_;
  PatchEmbed patch_embed_;
  Block windowed_, global_;
  Sequential<Conv, LayerNorm2d, Conv, LayerNorm2d> neck_;
  Conv net_2_, net_3_;
};

}  // namespace modelmeter::deepseek_ocr::remote
