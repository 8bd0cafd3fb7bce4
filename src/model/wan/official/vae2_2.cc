#include "model/wan/official/vae2_2.h"

namespace modelmeter::wan::official {
namespace {

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
    downsamples_.add<VaeResample>(context, official_vae_names, out_dim, out_dim, mode);
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
    upsamples_.add<VaeResample>(context, official_vae_names, out_dim, out_dim, mode);
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
      conv1_(context, official_vae_names.causal_conv, conv_3x3x3(a.in_channels, a.dim)),
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
      conv1_(context, official_vae_names.causal_conv, conv_3x3x3(a.z_dim, a.decoder_dim * a.dim_mult.back())),
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

}  // namespace modelmeter::wan::official
