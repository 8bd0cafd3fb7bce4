// The hyper-parameters of a Wan video autoencoder, as its code and diffusers' vae/config.json name them.
//
// Sources: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py; Wan-Video/Wan2.2 @42bf4cf, wan/modules/vae2_2.py; diffusers
// 0.42.1, models/autoencoders/autoencoder_kl_wan.py. The defaults are Wan2.1's. Not modelled: attn_scales other than
// none, with which encoding and decoding raise a TypeError in all three.
#pragma once

#include <cstdint>
#include <vector>

namespace modelmeter::wan {

struct VaeArchitecture {
  int64_t dim = 96;          // width of the encoder at full resolution
  int64_t decoder_dim = 96;  // and of the decoder
  int64_t z_dim = 16;        // latent channels
  std::vector<int64_t> dim_mult{1, 2, 4, 4};
  int64_t num_res_blocks = 2;
  std::vector<bool> temporal_downsample{false, true, true};  // of each level of the encoder but the last
  int64_t in_channels = 3;                                   // of the encoder: of the video, times patch_size squared
  int64_t out_channels = 3;                                  // of the decoder
  int64_t patch_size = 1;                                    // pixels of a side that become channels
  bool is_residual = false;                                  // levels have a parameter-free shortcut (Wan2.2)
  int64_t spatial_compression = 8;                           // pixels of a side per latent

  static VaeArchitecture wan2_2();

  int64_t temporal_compression() const;  // frames per latent after the first
};

inline VaeArchitecture VaeArchitecture::wan2_2() {
  VaeArchitecture a;
  a.dim = 160;
  a.decoder_dim = 256;
  a.z_dim = 48;
  a.in_channels = a.out_channels = 12;
  a.patch_size = 2;
  a.is_residual = true;
  a.spatial_compression = 16;
  return a;
}

inline int64_t VaeArchitecture::temporal_compression() const {
  int64_t frames = 1;
  for (bool halves : temporal_downsample) frames *= halves ? 2 : 1;
  return frames;
}

}  // namespace modelmeter::wan
