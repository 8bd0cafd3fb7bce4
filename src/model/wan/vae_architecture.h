// The hyper-parameters of a Wan video autoencoder, as its code and diffusers' vae/config.json name them. They are those
// of the configuration's group vae.
//
// Sources of the names: Wan-Video/Wan2.1 @9737cba, wan/modules/vae.py; Wan-Video/Wan2.2 @42bf4cf,
// wan/modules/vae2_2.py; diffusers 0.42.1, models/autoencoders/autoencoder_kl_wan.py. Not modelled: attn_scales other
// than none, with which encoding and decoding raise a TypeError in all three.
#pragma once

#include <cstdint>
#include <vector>

#include "model/config_fields.h"

namespace modelmeter::wan {

// 0 or empty: not given. What the code bases have a default for is that.
struct VaeArchitecture {
  int64_t dim = 0;                        // width of the encoder at full resolution
  int64_t decoder_dim = 0;                // and of the decoder; by default the same
  int64_t z_dim = 0;                      // latent channels
  std::vector<int64_t> dim_mult;          // of each level
  int64_t num_res_blocks = 0;             // of each level
  std::vector<bool> temporal_downsample;  // of each level of the encoder but the last
  int64_t in_channels = 3;                // of the encoder: of the video, times patch_size squared
  int64_t out_channels = 3;               // of the decoder
  int64_t patch_size = 1;                 // pixels of a side that become channels
  bool is_residual = false;               // levels have a parameter-free shortcut (Wan2.2)

  bool operator==(const VaeArchitecture&) const = default;
  int64_t spatial_compression() const;   // pixels of a side per latent: each level but the last halves
  int64_t temporal_compression() const;  // frames per latent after the first
};

// The keys of a group that names its sizes, after `keys`: of the official code (dim, dec_dim …), of diffusers (base_dim
// …), and of diffusers alone what the official code has constants for.
std::vector<std::string> vae_keys(std::vector<std::string> keys);

// Sets what the node names. Errors at the key as read_fields.
void read_architecture(const config::View& view, VaeArchitecture& a);

// Errors, at the key that says so or at the node: levels of too many channels, lists that do not go together, channels
// that are not those of a video in patches.
void check_architecture(const config::View& view, const VaeArchitecture& a);
// Error where a size is not given: nothing can be built.
void require_sizes(const config::View& view, const VaeArchitecture& a);

// The same from diffusers' vae/config.json, whose other keys are known and decide nothing, or are refused. Errors of
// both; latents_mean and latents_std that are not one number for each of z_dim; another class.
void read_published(const config::View& view, VaeArchitecture& a);

// is_residual and what goes with it (patch_size, in_channels, out_channels) only where it is true.
nlohmann::ordered_json json_of(const VaeArchitecture& a, KeyNames names);

}  // namespace modelmeter::wan
