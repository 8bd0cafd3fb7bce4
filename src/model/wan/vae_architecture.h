// The hyper-parameters of a Wan video autoencoder, as its code and diffusers' vae/config.json name them.
//
// Sources: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py; Wan-Video/Wan2.2 @42bf4cf, wan/modules/vae2_2.py; diffusers
// 0.42.1, models/autoencoders/autoencoder_kl_wan.py. The defaults are Wan2.1's. Not modelled: attn_scales other than
// none, with which encoding and decoding raise a TypeError in all three.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config_fields.h"

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

  static VaeArchitecture wan2_2();

  int64_t spatial_compression() const;   // pixels of a side per latent: each level but the last halves
  int64_t temporal_compression() const;  // frames per latent after the first
};

// The keys of a node that names its sizes, after `keys`: of the official code (dim, dec_dim …), of diffusers (base_dim
// …), and of both is_residual, Wan2.2's.
std::vector<std::string> vae_keys(std::vector<std::string> keys, KeyNames names);

// Sets what the node names. is_residual starts from the published sizes of its generation. Errors at the key as
// read_fields; lists that do not go together; a dec_dim
// of its own where the official autoencoder is Wan2.1's, which has one width.
void read_architecture(const config::View& view, KeyNames names, VaeArchitecture& a);

// The same from diffusers' vae/config.json, whose other keys are known and decide nothing, or are refused. Errors as
// above; latents_mean and latents_std that are not one number for each of z_dim; another class.
void read_published(const config::View& view, VaeArchitecture& a);

// is_residual and what goes with it only where it is true.
nlohmann::ordered_json json_of(const VaeArchitecture& a, KeyNames names);

}  // namespace modelmeter::wan
