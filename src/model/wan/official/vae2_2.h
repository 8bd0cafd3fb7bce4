// The twin of the encoder and decoder of Wan2.2's autoencoder: Wan-Video/Wan2.2 @42bf4cf, wan/modules/vae2_2.py, to be
// read beside it. autoencoder.h puts them together.
//
// As Wan2.1's, but pixels become channels two by two (patchify), each level has a parameter-free shortcut, and
// resampling keeps the width.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "model/wan/official/vae.h"

namespace modelmeter::wan::official {

class DownResidualBlock : public Module<DownResidualBlock> {
 public:
  DownResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t mult,
                    bool temporal_downsample, bool down_flag);
  Tensor forward(Tensor x, FeatCache& cache) const;

 private:
  AvgDown3D avg_shortcut_;
  VaeLayers downsamples_;
};

class UpResidualBlock : public Module<UpResidualBlock> {
 public:
  UpResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t mult, bool temporal_upsample,
                  bool up_flag);
  Tensor forward(Tensor x, FeatCache& cache, bool first_chunk) const;

 private:
  std::optional<DupUp3D> avg_shortcut_;
  VaeLayers upsamples_;
};

class Encoder3d_2_2 : public Module<Encoder3d_2_2> {
 public:
  Encoder3d_2_2(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache) const;  // [b, 12, t, H, W] to [b, 2 z_dim, t', h, w]

 private:
  CausalConv3d conv1_;
  std::deque<DownResidualBlock> downsamples_;
  VaeLayers middle_;
  VaeHead head_;
};

class Decoder3d_2_2 : public Module<Decoder3d_2_2> {
 public:
  Decoder3d_2_2(const BuildContext& context, const VaeArchitecture& a);
  Tensor forward(Tensor x, FeatCache& cache, bool first_chunk) const;  // [b, z_dim, t', h, w] to [b, 12, t, H, W]

 private:
  CausalConv3d conv1_;
  VaeLayers middle_;
  std::deque<UpResidualBlock> upsamples_;
  VaeHead head_;
};

}  // namespace modelmeter::wan::official
