// The twin of the official autoencoders: WanVAE_ with what its wrapper does around it, to be read beside
// Wan-Video/Wan2.1
// @9737cba, wan/modules/vae.py (WanVAE), and Wan2.2 @42bf4cf, wan/modules/vae2_2.py (Wan2_2_VAE), which differ in their
// encoder and decoder and in pixels that become channels two by two (patchify).
//
// fp32 throughout. Decodes one latent frame at a time, encodes one frame and then four at a time, with the result grown
// by torch.cat; the caches of all causal convolutions live as long as the loop. Not modelled: training, and the
// original's forward(), which nothing calls.
#pragma once

#include <variant>
#include <vector>

#include "model/wan/official/vae2_2.h"

namespace modelmeter::wan::official {

class WanVAE : public Module<WanVAE> {
 public:
  WanVAE(const BuildContext& context, const VaeArchitecture& a);  // is_residual: Wan2.2's

  std::vector<Tensor> decode(const std::vector<Tensor>& zs) const;  // latents [z_dim, T, h, w] to videos [3, F, H, W]
  // And back; F = 4 n + 1, what is over is dropped.
  std::vector<Tensor> encode(const std::vector<Tensor>& videos) const;

  const VaeArchitecture& architecture() const { return a_; }

 private:
  using Encoder = std::variant<Encoder3d, Encoder3d_2_2>;
  using Decoder = std::variant<Decoder3d, Decoder3d_2_2>;

  static Encoder make_encoder(const BuildContext& context, const VaeArchitecture& a);
  static Decoder make_decoder(const BuildContext& context, const VaeArchitecture& a);
  Tensor decode_one(Tensor z, const Tensor& mean, const Tensor& inverse_std) const;
  Tensor decode_chunk(const Tensor& x, FeatCache& cache, bool first_chunk) const;
  Tensor encode_one(Tensor x, const Tensor& mean, const Tensor& inverse_std) const;
  Tensor encode_chunk(const Tensor& x, FeatCache& cache) const;

  VaeArchitecture a_;
  DType dtype_;
  Encoder encoder_;
  CausalConv3d conv1_, conv2_;
  Decoder decoder_;
  int64_t encoder_convs_, decoder_convs_;  // feature caches
};

}  // namespace modelmeter::wan::official
