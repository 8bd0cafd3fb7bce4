#include "model/wan/official/vae.h"

#include <algorithm>

namespace modelmeter::wan::official {
namespace {

// dim times 1 and each of dim_mult.
std::vector<int64_t> widths(const VaeArchitecture& a) {
  std::vector<int64_t> out{a.dim};
  for (int64_t mult : a.dim_mult) out.push_back(a.dim * mult);
  return out;
}

}  // namespace

void add_middle(const BuildContext& context, VaeLayers& middle, int64_t dim) {
  middle.add<ResidualBlock>(context, dim, dim);
  middle.add<VaeAttentionBlock>(context, official_vae_names, dim);
  middle.add<ResidualBlock>(context, dim, dim);
}

ResidualBlock::ResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim)
    : Module(official_vae_names.residual_block),
      norm1_(context, official_vae_names, in_dim, false),
      conv1_(context, official_vae_names.causal_conv, conv_3x3x3(in_dim, out_dim)),
      norm2_(context, official_vae_names, out_dim, false),
      conv2_(context, official_vae_names.causal_conv, conv_3x3x3(out_dim, out_dim)) {
  register_module("residual.0", norm1_);
  register_module("residual.1", silu1_);
  register_module("residual.2", conv1_);
  register_module("residual.3", norm2_);
  register_module("residual.4", silu2_);
  register_module("residual.6", conv2_);
  if (in_dim == out_dim) return;
  register_module("shortcut", shortcut_.emplace(context, official_vae_names.causal_conv, conv_1x1x1(in_dim, out_dim)));
}

Tensor ResidualBlock::forward(Tensor x, FeatCache& cache) const {
  const Tensor h = shortcut_ ? (*shortcut_)(x) : x;
  x = norm1_(x);
  x = silu1_(x);
  conv1_.call_cached(x, cache);
  x = norm2_(x);
  x = silu2_(x);
  conv2_.call_cached(x, cache);
  return torch::add(std::move(x), h);
}

Tensor VaeLayers::run(Tensor x, FeatCache& cache) const {
  for (size_t i = 0; i < layers_.size();) {
    const auto index = static_cast<int64_t>(i);
    if (const auto* attention = std::get_if<VaeAttentionBlock>(&layers_[i])) {
      x = attention->call_as(index, x);
      ++i;
    } else if (const auto* resample = std::get_if<VaeResample>(&layers_[i])) {
      x = resample->call_as(index, x, cache);
      ++i;
    } else {
      const int64_t n = residual_blocks_from(i);
      x = run_residual_blocks(n, std::move(x), cache, [&](int64_t k, const Tensor& state) {
        return std::get<ResidualBlock>(layers_[i + static_cast<size_t>(k)]).call_as(index + k, state, cache);
      });
      i += static_cast<size_t>(n);
    }
  }
  return x;
}

// How many of them follow each other that keep the width; 1 for one that does not.
int64_t VaeLayers::residual_blocks_from(size_t first) const {
  const auto keeps_width = [&](size_t i) {
    const auto* block = i < layers_.size() ? std::get_if<ResidualBlock>(&layers_[i]) : nullptr;
    return block != nullptr && block->keeps_width();
  };
  size_t end = first;
  while (keeps_width(end)) ++end;
  return std::max<int64_t>(static_cast<int64_t>(end - first), 1);
}

VaeHead::VaeHead(const BuildContext& context, int64_t dim, int64_t out_dim)
    : norm(context, official_vae_names, dim, false),
      conv(context, official_vae_names.causal_conv, conv_3x3x3(dim, out_dim)) {}

void VaeHead::run(Tensor& x, FeatCache& cache) const {
  x = norm(x);
  x = silu(x);
  conv.call_cached(x, cache);
}

Encoder3d::Encoder3d(const BuildContext& context, const VaeArchitecture& a)
    : Module("Encoder3d"),
      conv1_(context, official_vae_names.causal_conv, conv_3x3x3(a.in_channels, a.dim)),
      head_(context, widths(a).back(), 2 * a.z_dim) {
  const std::vector<int64_t> dims = widths(a);
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    for (int64_t j = 0; j < a.num_res_blocks; ++j) {
      downsamples_.add<ResidualBlock>(context, j == 0 ? dims[i] : dims[i + 1], dims[i + 1]);
    }
    if (i + 2 == dims.size()) continue;
    const auto mode = a.temporal_downsample[i] ? ResampleMode::downsample3d : ResampleMode::downsample2d;
    downsamples_.add<VaeResample>(context, official_vae_names, dims[i + 1], dims[i + 1], mode);
  }
  add_middle(context, middle_, dims.back());
  register_module("conv1", conv1_);
  downsamples_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("downsamples", layer, 1, i); });
  middle_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("middle", layer, 1, i); });
  register_module("head.0", head_.norm);
  register_module("head.1", head_.silu);
  register_module("head.2", head_.conv);
}

Tensor Encoder3d::forward(Tensor x, FeatCache& cache) const {
  conv1_.call_cached(x, cache);
  x = downsamples_.run(std::move(x), cache);
  x = middle_.run(std::move(x), cache);
  head_.run(x, cache);
  return x;
}

Decoder3d::Decoder3d(const BuildContext& context, const VaeArchitecture& a)
    : Module("Decoder3d"),
      conv1_(context, official_vae_names.causal_conv, conv_3x3x3(a.z_dim, widths(a).back())),
      head_(context, a.dim * a.dim_mult.front(), a.out_channels) {
  std::vector<int64_t> dims = widths(a);
  dims.front() = dims.back();
  std::reverse(dims.begin() + 1, dims.end());
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    // Resampling has halved the width (the original says so of these three levels only).
    const int64_t in_dim = i >= 1 && i <= 3 ? dims[i] / 2 : dims[i];
    for (int64_t j = 0; j < a.num_res_blocks + 1; ++j) {
      upsamples_.add<ResidualBlock>(context, j == 0 ? in_dim : dims[i + 1], dims[i + 1]);
    }
    if (i + 2 == dims.size()) continue;
    const bool temporal = a.temporal_downsample[a.temporal_downsample.size() - 1 - i];
    const auto mode = temporal ? ResampleMode::upsample3d : ResampleMode::upsample2d;
    upsamples_.add<VaeResample>(context, official_vae_names, dims[i + 1], dims[i + 1] / 2, mode);
  }
  add_middle(context, middle_, dims.front());
  register_module("conv1", conv1_);
  middle_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("middle", layer, 1, i); });
  upsamples_.for_each([&](int64_t i, BaseLayer& layer) { register_module_list("upsamples", layer, 1, i); });
  register_module("head.0", head_.norm);
  register_module("head.1", head_.silu);
  register_module("head.2", head_.conv);
}

Tensor Decoder3d::forward(Tensor x, FeatCache& cache) const {
  conv1_.call_cached(x, cache);
  x = middle_.run(std::move(x), cache);
  x = upsamples_.run(std::move(x), cache);
  head_.run(x, cache);
  return x;
}

}  // namespace modelmeter::wan::official
