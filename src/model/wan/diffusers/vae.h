// The twin of diffusers' autoencoder, AutoencoderKLWan of Wan2.1 and (with is_residual) Wan2.2: huggingface/diffusers
// 0.42.1, models/autoencoders/autoencoder_kl_wan.py, to be read beside it.
//
// The same chunks as the official code. Norms and upsampling are computed in float32 whatever the dtype. Tiling cuts
// the picture into overlapping tiles that run one after another and are blended line by line; slicing runs the samples
// of a batch one after another. Not modelled: gradient checkpointing, forward() (sampling between encode and decode).
#pragma once

#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "model/wan/vae_architecture.h"
#include "model/wan/vae_layers.h"

namespace modelmeter::wan::diffusers {

class WanResidualBlock : public Module<WanResidualBlock> {
 public:
  WanResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, in_dim, t, h, w]

  bool keeps_width() const { return !conv_shortcut_; }

 private:
  SiLU nonlinearity_;
  VaeRmsNorm norm1_;
  CausalConv3d conv1_;
  VaeRmsNorm norm2_;
  CausalConv3d conv2_;
  std::optional<CausalConv3d> conv_shortcut_;
};

// A level's residual blocks, the first of which changes the width: a ModuleList.
class WanResnets {
 public:
  WanResnets(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t count);
  Tensor run(Tensor x, FeatCache& cache) const;
  template <class Visit>
  void for_each(Visit visit) {
    int64_t i = 0;
    for (WanResidualBlock& block : blocks_) visit(i++, block);
  }

 private:
  std::deque<WanResidualBlock> blocks_;
};

class WanMidBlock : public Module<WanMidBlock> {
 public:
  WanMidBlock(const BuildContext& context, int64_t dim);
  Tensor forward(Tensor x, FeatCache& cache) const;

 private:
  VaeAttentionBlock attention_;
  WanResidualBlock resnet0_, resnet1_;
};

class WanResidualDownBlock : public Module<WanResidualDownBlock> {
 public:
  WanResidualDownBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t num_res_blocks,
                       bool temporal_downsample, bool down_flag);
  Tensor forward(Tensor x, FeatCache& cache) const;

 private:
  AvgDown3D avg_shortcut_;
  WanResnets resnets_;
  std::optional<VaeResample> downsampler_;
};

// WanUpBlock, and WanResidualUpBlock with its shortcut.
class WanUpBlock : public Module<WanUpBlock> {
 public:
  WanUpBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t num_res_blocks,
             std::optional<ResampleMode> mode);
  Tensor forward(Tensor x, FeatCache& cache, bool first_chunk) const;

 private:
  WanResnets resnets_;
  std::optional<VaeResample> upsampler_;
};

class WanResidualUpBlock : public Module<WanResidualUpBlock> {
 public:
  WanResidualUpBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t num_res_blocks,
                     std::optional<ResampleMode> mode);
  Tensor forward(Tensor x, FeatCache& cache, bool first_chunk) const;

 private:
  std::optional<DupUp3D> avg_shortcut_;
  WanResnets resnets_;
  std::optional<VaeResample> upsampler_;
};

class WanEncoder3d : public Module<WanEncoder3d> {
 public:
  WanEncoder3d(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, in_channels, t, H, W] to [b, 2 z_dim, t', h, w]

 private:
  using DownBlock = std::variant<WanResidualBlock, VaeResample, WanResidualDownBlock>;

  SiLU nonlinearity_;
  CausalConv3d conv_in_;
  std::deque<DownBlock> down_blocks_;
  WanMidBlock mid_block_;
  VaeRmsNorm norm_out_;
  CausalConv3d conv_out_;
};

class WanDecoder3d : public Module<WanDecoder3d> {
 public:
  WanDecoder3d(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache,
                 bool first_chunk) const;  // [b, z_dim, t', h, w] to [b, out_channels, t, H, W]

 private:
  SiLU nonlinearity_;
  CausalConv3d conv_in_;
  WanMidBlock mid_block_;
  std::deque<std::variant<WanUpBlock, WanResidualUpBlock>> up_blocks_;
  VaeRmsNorm norm_out_;
  CausalConv3d conv_out_;
};

// enable_tiling(), enable_slicing() and the tiles' sizes, in pixels.
struct VaeOptions {
  bool tiling = false;
  bool slicing = false;
  int64_t tile_min_height = 256, tile_min_width = 256;
  int64_t tile_stride_height = 192, tile_stride_width = 192;
};

// DiagonalGaussianDistribution: what encode() returns.
struct GaussianDistribution {
  explicit GaussianDistribution(Tensor moments);  // [b, 2 z_dim, t, h, w]

  Tensor parameters, mean, logvar, std, var;
};

class AutoencoderKLWan : public Module<AutoencoderKLWan> {
 public:
  AutoencoderKLWan(const BuildContext& context, const VaeArchitecture& a, const VaeOptions& options = {});

  Tensor decode(Tensor z) const;                // [b, z_dim, T, h, w] to [b, 3, F, H, W]
  GaussianDistribution encode(Tensor x) const;  // and back; F = 4 n + 1, what is over is dropped

  const VaeArchitecture& architecture() const { return a_; }

 private:
  Tensor decode_samples(const Tensor& z) const;
  Tensor encode_samples(const Tensor& pixels) const;
  Tensor tiled_decode(const Tensor& z) const;
  Tensor tiled_encode(const Tensor& x) const;
  Tensor encode_chunk(const Tensor& x, int64_t i, FeatCache& cache) const;

  VaeArchitecture a_;
  VaeOptions options_;
  WanEncoder3d encoder_;
  CausalConv3d quant_conv_, post_quant_conv_;
  WanDecoder3d decoder_;
  int64_t encoder_convs_, decoder_convs_;  // feature caches
};

}  // namespace modelmeter::wan::diffusers
