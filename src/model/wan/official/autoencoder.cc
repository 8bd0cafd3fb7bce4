#include "model/wan/official/autoencoder.h"

#include "model/wan/vae_loop.h"

namespace modelmeter::wan::official {
namespace {

template <class Variant>
auto& layer_of(Variant& layer) {
  return std::visit(
      [](auto& l) -> std::conditional_t<std::is_const_v<Variant>, const BaseLayer&, BaseLayer&> { return l; }, layer);
}

}  // namespace

WanVAE::Encoder WanVAE::make_encoder(const BuildContext& context, const VaeArchitecture& a) {
  if (a.is_residual) return Encoder(std::in_place_type<Encoder3d_2_2>, context, a);
  return Encoder(std::in_place_type<Encoder3d>, context, a);
}

WanVAE::Decoder WanVAE::make_decoder(const BuildContext& context, const VaeArchitecture& a) {
  if (a.is_residual) return Decoder(std::in_place_type<Decoder3d_2_2>, context, a);
  return Decoder(std::in_place_type<Decoder3d>, context, a);
}

WanVAE::WanVAE(const BuildContext& context, const VaeArchitecture& a)
    : Module("WanVAE_"),
      a_(a),
      dtype_(context.dtype),
      encoder_(make_encoder(context, a)),
      conv1_(context, official_vae_names.causal_conv, conv_1x1x1(2 * a.z_dim, 2 * a.z_dim)),
      conv2_(context, official_vae_names.causal_conv, conv_1x1x1(a.z_dim, a.z_dim)),
      decoder_(make_decoder(context, a)),
      encoder_convs_(count_conv3d(layer_of(encoder_))),
      decoder_convs_(count_conv3d(layer_of(decoder_))) {
  register_module("encoder", layer_of(encoder_));
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
  register_module("decoder", layer_of(decoder_));
}

std::vector<Tensor> WanVAE::decode(const std::vector<Tensor>& zs) const {
  ModuleCall call(*this);
  Tracer& tracer = Tracer::current();
  const Tensor mean = tracer.input({a_.z_dim}, dtype_);
  const Tensor inverse_std = tracer.input({a_.z_dim}, dtype_);
  std::vector<Tensor> videos;
  for (const Tensor& z : zs) {
    Tensor video = decode_one(z.unsqueeze(0), mean, inverse_std);
    video = torch::clamp_(torch::to(std::move(video), DType::float32));
    videos.push_back(video.squeeze(0));
  }
  return videos;
}

Tensor WanVAE::decode_one(Tensor z, const Tensor& mean, const Tensor& inverse_std) const {
  z = torch::div(z, inverse_std.view({1, a_.z_dim, 1, 1, 1}));
  z = torch::add(z, mean.view({1, a_.z_dim, 1, 1, 1}));
  const Tensor x = conv2_(z);
  FeatCache cache(decoder_convs_);
  Tensor out_;
  Tensor out = grow_by_chunks(z.size(2), cache, out_,
                              [&](int64_t i) { return decode_chunk(x.slice(2, i, i + 1), cache, i == 0); });
  return unpatchify(out, a_.patch_size);
}

Tensor WanVAE::decode_chunk(const Tensor& x, FeatCache& cache, bool first_chunk) const {
  if (const auto* decoder = std::get_if<Decoder3d_2_2>(&decoder_)) return (*decoder)(x, cache, first_chunk);
  return std::get<Decoder3d>(decoder_)(x, cache);
}

std::vector<Tensor> WanVAE::encode(const std::vector<Tensor>& videos) const {
  ModuleCall call(*this);
  Tracer& tracer = Tracer::current();
  const Tensor mean = tracer.input({a_.z_dim}, dtype_);
  const Tensor inverse_std = tracer.input({a_.z_dim}, dtype_);
  std::vector<Tensor> latents;
  for (const Tensor& video : videos) {
    Tensor latent = encode_one(video.unsqueeze(0), mean, inverse_std);
    latents.push_back(torch::to(std::move(latent), DType::float32).squeeze(0));
  }
  return latents;
}

Tensor WanVAE::encode_one(Tensor x, const Tensor& mean, const Tensor& inverse_std) const {
  x = patchify(x, a_.patch_size);
  FeatCache cache(encoder_convs_);
  Tensor out_;
  Tensor out = grow_by_chunks(1 + (x.size(2) - 1) / 4, cache, out_, [&](int64_t i) {
    return encode_chunk(i == 0 ? x.slice(2, 0, 1) : x.slice(2, 1 + 4 * (i - 1), 1 + 4 * i), cache);
  });
  const std::vector<Tensor> moments = conv1_(out).chunk(2, 1);
  Tensor mu = torch::sub(moments[0], mean.view({1, a_.z_dim, 1, 1, 1}));
  return torch::mul(std::move(mu), inverse_std.view({1, a_.z_dim, 1, 1, 1}));
}

Tensor WanVAE::encode_chunk(const Tensor& x, FeatCache& cache) const {
  return std::visit([&](const auto& encoder) { return encoder(x, cache); }, encoder_);
}

}  // namespace modelmeter::wan::official
