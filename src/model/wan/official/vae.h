// The twin of the official autoencoder: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py, to be read beside it.
//
// fp32 throughout. Decodes one latent frame at a time, encodes one frame and then four at a time, with the result grown
// by torch.cat; the caches of all causal convolutions live as long as the loop. Not modelled: training, and the
// original's forward(), which nothing calls.
#pragma once

#include <deque>
#include <string>
#include <variant>
#include <vector>

#include "model/wan/vae_architecture.h"
#include "model/wan/vae_layers.h"

namespace modelmeter::wan::official {

class ResidualBlock : public Module<ResidualBlock> {
 public:
  ResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, in_dim, t, h, w]

  bool keeps_width() const { return !shortcut_; }

 private:
  VaeRmsNorm norm1_;
  SiLU silu1_;
  CausalConv3d conv1_;
  VaeRmsNorm norm2_;
  SiLU silu2_;
  CausalConv3d conv2_;
  std::optional<CausalConv3d> shortcut_;
};

// An nn.Sequential of residual blocks, attention and resampling that the original iterates by hand.
class VaeLayers {
 public:
  template <class Layer, class... Args>
  void add(Args&&... args) {
    layers_.emplace_back(std::in_place_type<Layer>, std::forward<Args>(args)...);
  }
  template <class Visit>
  void for_each(Visit visit) {
    int64_t i = 0;
    for (auto& layer : layers_) std::visit([&](auto& l) { visit(i++, l); }, layer);
  }
  Tensor run(Tensor x, FeatCache& cache) const;

 private:
  using Layer = std::variant<ResidualBlock, VaeResample, VaeAttentionBlock>;
  int64_t residual_blocks_from(size_t first) const;

  std::deque<Layer> layers_;
};

// Residual block, attention, residual block.
void add_middle(const BuildContext& context, VaeLayers& middle, int64_t dim);

// Norm, SiLU, convolution.
class VaeHead {
 public:
  VaeHead(const BuildContext& context, int64_t dim, int64_t out_dim);
  void run(Tensor& x, FeatCache& cache) const;

  VaeRmsNorm norm;
  SiLU silu;
  CausalConv3d conv;
};

class Encoder3d : public Module<Encoder3d> {
 public:
  Encoder3d(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, 3, t, H, W] to [b, 2 z_dim, t', h, w]

 private:
  CausalConv3d conv1_;
  VaeLayers downsamples_, middle_;
  VaeHead head_;
};

class Decoder3d : public Module<Decoder3d> {
 public:
  Decoder3d(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, z_dim, t', h, w] to [b, 3, t, H, W]

 private:
  CausalConv3d conv1_;
  VaeLayers middle_, upsamples_;
  VaeHead head_;
};

// WanVAE_ with what the wrapper WanVAE does around it.
class WanVAE : public Module<WanVAE> {
 public:
  WanVAE(const BuildContext& context, const VaeArchitecture& a);

  TensorList decode(const TensorList& zs) const;      // latents [z_dim, T, h, w] to videos [3, F, H, W]
  TensorList encode(const TensorList& videos) const;  // and back; F = 4 n + 1, what is over is dropped

  const VaeArchitecture& architecture() const { return a_; }

 private:
  Tensor decode_one(Tensor z, const Tensor& mean, const Tensor& inverse_std) const;
  Tensor encode_one(Tensor x, const Tensor& mean, const Tensor& inverse_std) const;

  VaeArchitecture a_;
  DType dtype_;
  Encoder3d encoder_;
  CausalConv3d conv1_, conv2_;
  Decoder3d decoder_;
  int64_t encoder_convs_, decoder_convs_;  // feature caches
};

}  // namespace modelmeter::wan::official
