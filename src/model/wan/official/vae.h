// The twin of the encoder and decoder of the official autoencoder: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py, to be
// read beside it. autoencoder.h puts them together.
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

}  // namespace modelmeter::wan::official
