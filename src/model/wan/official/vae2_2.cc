#include "model/wan/official/vae2_2.h"

#include "model/wan/vae_loop.h"

namespace modelmeter::wan::official {
namespace {

constexpr const VaeClassNames& names = official_vae_names;

ShortcutOptions shortcut(int64_t in_dim, int64_t out_dim, bool temporal, bool spatial) {
  return {in_dim, out_dim, temporal ? 2 : 1, spatial ? 2 : 1};
}

}  // namespace

DownResidualBlock::DownResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t mult,
                                     bool temporal_downsample, bool down_flag)
    : Module("Down_ResidualBlock"), avg_shortcut_(shortcut(in_dim, out_dim, temporal_downsample, down_flag)) {
  for (int64_t i = 0; i < mult; ++i) downsamples_.add<ResidualBlock>(context, i == 0 ? in_dim : out_dim, out_dim);
  if (down_flag) {
    const auto mode = temporal_downsample ? ResampleMode::downsample3d : ResampleMode::downsample2d;
    downsamples_.add<VaeResample>(context, names, out_dim, out_dim, mode);
  }
  register_module("avg_shortcut", avg_shortcut_);
  downsamples_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("downsamples", layer, 1, i); });
}

Tensor DownResidualBlock::forward(Tensor x, FeatCache& cache) const {
  const Tensor x_copy = torch::clone(x);
  x = downsamples_.run(std::move(x), cache);
  Tensor averaged = avg_shortcut_(x_copy);
  return torch::add(std::move(x), std::move(averaged));
}

UpResidualBlock::UpResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t mult,
                                 bool temporal_upsample, bool up_flag)
    : Module("Up_ResidualBlock") {
  for (int64_t i = 0; i < mult; ++i) upsamples_.add<ResidualBlock>(context, i == 0 ? in_dim : out_dim, out_dim);
  if (up_flag) {
    const auto mode = temporal_upsample ? ResampleMode::upsample3d : ResampleMode::upsample2d;
    upsamples_.add<VaeResample>(context, names, out_dim, out_dim, mode);
    register_module("avg_shortcut", avg_shortcut_.emplace(shortcut(in_dim, out_dim, temporal_upsample, true)));
  }
  upsamples_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("upsamples", layer, 1, i); });
}

Tensor UpResidualBlock::forward(Tensor x, FeatCache& cache, bool first_chunk) const {
  Tensor x_main = torch::clone(x);
  x_main = upsamples_.run(std::move(x_main), cache);
  if (!avg_shortcut_) return x_main;
  Tensor x_shortcut = (*avg_shortcut_)(x, first_chunk);
  return torch::add(std::move(x_main), std::move(x_shortcut));
}

Encoder3d_2_2::Encoder3d_2_2(const BuildContext& context, const VaeArchitecture& a)
    : Module("Encoder3d"),
      conv1_(context, names.causal_conv, conv_3x3x3(a.in_channels, a.dim)),
      head_(context, a.dim * a.dim_mult.back(), 2 * a.z_dim) {
  int64_t in_dim = a.dim;
  for (size_t i = 0; i < a.dim_mult.size(); ++i) {
    const int64_t out_dim = a.dim * a.dim_mult[i];
    const bool temporal = i < a.temporal_downsample.size() && a.temporal_downsample[i];
    downsamples_.emplace_back(context, in_dim, out_dim, a.num_res_blocks, temporal, i + 1 != a.dim_mult.size());
    in_dim = out_dim;
  }
  add_middle(context, middle_, in_dim);
  register_module("conv1", conv1_);
  for (size_t i = 0; i < downsamples_.size(); ++i) {
    register_module_list("downsamples", downsamples_[i], 1, static_cast<int64_t>(i));
  }
  middle_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("middle", layer, 1, i); });
  register_module("head.0", head_.norm);
  register_module("head.1", head_.silu);
  register_module("head.2", head_.conv);
}

Tensor Encoder3d_2_2::forward(Tensor x, FeatCache& cache) const {
  conv1_.call_cached(x, cache);
  int64_t i = 0;
  for (const DownResidualBlock& block : downsamples_) x = block.call_as(i++, x, cache);
  x = middle_.run(std::move(x), cache);
  head_.run(x, cache);
  return x;
}

Decoder3d_2_2::Decoder3d_2_2(const BuildContext& context, const VaeArchitecture& a)
    : Module("Decoder3d"),
      conv1_(context, names.causal_conv, conv_3x3x3(a.z_dim, a.decoder_dim * a.dim_mult.back())),
      head_(context, a.decoder_dim * a.dim_mult.front(), a.out_channels) {
  const size_t levels = a.dim_mult.size(), temporal_levels = a.temporal_downsample.size();
  int64_t in_dim = a.decoder_dim * a.dim_mult.back();
  add_middle(context, middle_, in_dim);
  for (size_t i = 0; i < levels; ++i) {
    const int64_t out_dim = a.decoder_dim * a.dim_mult[levels - 1 - i];
    const bool temporal = i < temporal_levels && a.temporal_downsample[temporal_levels - 1 - i];
    upsamples_.emplace_back(context, in_dim, out_dim, a.num_res_blocks + 1, temporal, i + 1 != levels);
    in_dim = out_dim;
  }
  register_module("conv1", conv1_);
  middle_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("middle", layer, 1, i); });
  for (size_t i = 0; i < levels; ++i) register_module_list("upsamples", upsamples_[i], 1, static_cast<int64_t>(i));
  register_module("head.0", head_.norm);
  register_module("head.1", head_.silu);
  register_module("head.2", head_.conv);
}

Tensor Decoder3d_2_2::forward(Tensor x, FeatCache& cache, bool first_chunk) const {
  conv1_.call_cached(x, cache);
  x = middle_.run(std::move(x), cache);
  int64_t i = 0;
  for (const UpResidualBlock& block : upsamples_) x = block.call_as(i++, x, cache, first_chunk);
  head_.run(x, cache);
  return x;
}

Wan2_2_VAE::Wan2_2_VAE(const BuildContext& context, const VaeArchitecture& a)
    : Module("WanVAE_"),
      a_(a),
      dtype_(context.dtype),
      encoder_(context, a),
      conv1_(context, names.causal_conv, conv_1x1x1(2 * a.z_dim, 2 * a.z_dim)),
      conv2_(context, names.causal_conv, conv_1x1x1(a.z_dim, a.z_dim)),
      decoder_(context, a),
      encoder_convs_(count_conv3d(encoder_)),
      decoder_convs_(count_conv3d(decoder_)) {
  register_module("encoder", encoder_);
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
  register_module("decoder", decoder_);
}

TensorList Wan2_2_VAE::decode(const TensorList& zs) const {
  ModuleCall call(*this);
  Tracer& tracer = Tracer::current();
  const Tensor mean = tracer.input({a_.z_dim}, dtype_);
  const Tensor inverse_std = tracer.input({a_.z_dim}, dtype_);
  TensorList videos;
  for (const Tensor& z : zs) {
    Tensor video = decode_one(z.unsqueeze(0), mean, inverse_std);
    video = torch::clamp_(torch::to(std::move(video), DType::float32));
    videos.push_back(video.squeeze(0));
  }
  return videos;
}

Tensor Wan2_2_VAE::decode_one(Tensor z, const Tensor& mean, const Tensor& inverse_std) const {
  z = torch::div(z, inverse_std.view({1, a_.z_dim, 1, 1, 1}));
  z = torch::add(z, mean.view({1, a_.z_dim, 1, 1, 1}));
  const Tensor x = conv2_(z);
  FeatCache cache(decoder_convs_);
  Tensor out_;
  Tensor out =
      grow_by_chunks(z.size(2), cache, out_, [&](int64_t i) { return decoder_(x.slice(2, i, i + 1), cache, i == 0); });
  return unpatchify(out, a_.patch_size);
}

TensorList Wan2_2_VAE::encode(const TensorList& videos) const {
  ModuleCall call(*this);
  Tracer& tracer = Tracer::current();
  const Tensor mean = tracer.input({a_.z_dim}, dtype_);
  const Tensor inverse_std = tracer.input({a_.z_dim}, dtype_);
  TensorList latents;
  for (const Tensor& video : videos) {
    Tensor latent = encode_one(video.unsqueeze(0), mean, inverse_std);
    latents.push_back(torch::to(std::move(latent), DType::float32).squeeze(0));
  }
  return latents;
}

Tensor Wan2_2_VAE::encode_one(Tensor x, const Tensor& mean, const Tensor& inverse_std) const {
  x = patchify(x, a_.patch_size);
  FeatCache cache(encoder_convs_);
  Tensor out_;
  Tensor out = grow_by_chunks(1 + (x.size(2) - 1) / 4, cache, out_, [&](int64_t i) {
    return encoder_(i == 0 ? x.slice(2, 0, 1) : x.slice(2, 1 + 4 * (i - 1), 1 + 4 * i), cache);
  });
  const TensorList moments = conv1_(out).chunk(2, 1);
  Tensor mu = torch::sub(moments[0], mean.view({1, a_.z_dim, 1, 1, 1}));
  return torch::mul(std::move(mu), inverse_std.view({1, a_.z_dim, 1, 1, 1}));
}

}  // namespace modelmeter::wan::official
