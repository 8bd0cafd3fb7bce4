#include "model/wan/diffusers/vae.h"

#include "model/wan/diffusers/vae_tiling.h"
#include "model/wan/vae_loop.h"

namespace modelmeter::wan::diffusers {
namespace {

constexpr const VaeClassNames& names = diffusers_vae_names;

int64_t chunks_of(int64_t num_frames) { return 1 + (num_frames - 1) / 4; }

std::vector<int64_t> encoder_dims(const VaeArchitecture& a) {
  std::vector<int64_t> dims{a.dim};
  for (int64_t mult : a.dim_mult) dims.push_back(a.dim * mult);
  return dims;
}

std::vector<int64_t> decoder_dims(const VaeArchitecture& a) {
  std::vector<int64_t> dims{a.decoder_dim * a.dim_mult.back()};
  for (size_t i = a.dim_mult.size(); i-- > 0;) dims.push_back(a.decoder_dim * a.dim_mult[i]);
  return dims;
}

ShortcutOptions shortcut(int64_t in_dim, int64_t out_dim, bool temporal, bool spatial) {
  return {in_dim, out_dim, temporal ? 2 : 1, spatial ? 2 : 1};
}

}  // namespace

WanResidualBlock::WanResidualBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim)
    : Module(names.residual_block),
      norm1_(context, names, in_dim, false),
      conv1_(context, names.causal_conv, conv_3x3x3(in_dim, out_dim)),
      norm2_(context, names, out_dim, false),
      conv2_(context, names.causal_conv, conv_3x3x3(out_dim, out_dim)) {
  register_module("nonlinearity", nonlinearity_);
  register_module("norm1", norm1_);
  register_module("conv1", conv1_);
  register_module("norm2", norm2_);
  register_module("conv2", conv2_);
  if (in_dim == out_dim) return;
  register_module("conv_shortcut", conv_shortcut_.emplace(context, names.causal_conv, conv_1x1x1(in_dim, out_dim)));
}

Tensor WanResidualBlock::forward(Tensor x, FeatCache& cache) const {
  const Tensor h = conv_shortcut_ ? (*conv_shortcut_)(x) : x;
  x = norm1_(x);
  x = nonlinearity_(x);
  conv1_.call_cached(x, cache);
  x = norm2_(x);
  x = nonlinearity_(x);
  conv2_.call_cached(x, cache);
  return torch::add(std::move(x), h);
}

WanResnets::WanResnets(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t count) {
  for (int64_t i = 0; i < count; ++i) blocks_.emplace_back(context, i == 0 ? in_dim : out_dim, out_dim);
}

Tensor WanResnets::run(Tensor x, FeatCache& cache) const {
  int64_t first = 0;
  if (!blocks_.front().keeps_width()) x = blocks_.front().call_as(first++, x, cache);
  const int64_t rest = static_cast<int64_t>(blocks_.size()) - first;
  return run_residual_blocks(rest, std::move(x), cache, [&](int64_t i, const Tensor& state) {
    return blocks_[static_cast<size_t>(first + i)].call_as(first + i, state, cache);
  });
}

WanMidBlock::WanMidBlock(const BuildContext& context, int64_t dim)
    : Module("WanMidBlock"), attention_(context, names, dim), resnet0_(context, dim, dim), resnet1_(context, dim, dim) {
  register_module_list("attentions", attention_, 1);
  register_module_list("resnets", resnet0_, 1, 0);
  register_module_list("resnets", resnet1_, 1, 1);
}

Tensor WanMidBlock::forward(Tensor x, FeatCache& cache) const {
  x = resnet0_.call_as(0, x, cache);
  x = attention_.call_as(0, x);
  return resnet1_.call_as(1, x, cache);
}

WanResidualDownBlock::WanResidualDownBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim,
                                           int64_t num_res_blocks, bool temporal_downsample, bool down_flag)
    : Module("WanResidualDownBlock"),
      avg_shortcut_(shortcut(in_dim, out_dim, temporal_downsample, down_flag)),
      resnets_(context, in_dim, out_dim, num_res_blocks) {
  register_module("avg_shortcut", avg_shortcut_);
  resnets_.for_each([&](int64_t i, BaseLayer& block) { register_module_list("resnets", block, 1, i); });
  if (!down_flag) return;
  const auto mode = temporal_downsample ? ResampleMode::downsample3d : ResampleMode::downsample2d;
  register_module("downsampler", downsampler_.emplace(context, names, out_dim, out_dim, mode));
}

Tensor WanResidualDownBlock::forward(Tensor x, FeatCache& cache) const {
  const Tensor x_copy = torch::clone(x);
  x = resnets_.run(std::move(x), cache);
  if (downsampler_) x = (*downsampler_)(x, cache);
  Tensor averaged = avg_shortcut_(x_copy);
  return torch::add(std::move(x), std::move(averaged));
}

WanUpBlock::WanUpBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim, int64_t num_res_blocks,
                       std::optional<ResampleMode> mode)
    : Module("WanUpBlock"), resnets_(context, in_dim, out_dim, num_res_blocks + 1) {
  resnets_.for_each([&](int64_t i, BaseLayer& block) { register_module_list("resnets", block, 1, i); });
  if (mode) register_module_list("upsamplers", upsampler_.emplace(context, names, out_dim, out_dim / 2, *mode), 1);
}

Tensor WanUpBlock::forward(Tensor x, FeatCache& cache, bool) const {
  x = resnets_.run(std::move(x), cache);
  if (upsampler_) x = upsampler_->call_as(0, x, cache);
  return x;
}

WanResidualUpBlock::WanResidualUpBlock(const BuildContext& context, int64_t in_dim, int64_t out_dim,
                                       int64_t num_res_blocks, std::optional<ResampleMode> mode)
    : Module("WanResidualUpBlock"), resnets_(context, in_dim, out_dim, num_res_blocks + 1) {
  if (mode) {
    avg_shortcut_.emplace(shortcut(in_dim, out_dim, *mode == ResampleMode::upsample3d, true));
    register_module("avg_shortcut", *avg_shortcut_);
  }
  resnets_.for_each([&](int64_t i, BaseLayer& block) { register_module_list("resnets", block, 1, i); });
  if (mode) register_module("upsampler", upsampler_.emplace(context, names, out_dim, out_dim, *mode));
}

Tensor WanResidualUpBlock::forward(Tensor x, FeatCache& cache, bool first_chunk) const {
  const Tensor x_copy = torch::clone(x);
  x = resnets_.run(std::move(x), cache);
  if (!upsampler_) return x;
  x = (*upsampler_)(x, cache);
  Tensor copies = (*avg_shortcut_)(x_copy, first_chunk);
  return torch::add(std::move(x), std::move(copies));
}

WanEncoder3d::WanEncoder3d(const BuildContext& context, const VaeArchitecture& a)
    : Module("WanEncoder3d"),
      conv_in_(context, names.causal_conv, conv_3x3x3(a.in_channels, a.dim)),
      mid_block_(context, encoder_dims(a).back()),
      norm_out_(context, names, encoder_dims(a).back(), false),
      conv_out_(context, names.causal_conv, conv_3x3x3(encoder_dims(a).back(), 2 * a.z_dim)) {
  register_module("nonlinearity", nonlinearity_);
  register_module("conv_in", conv_in_);
  const std::vector<int64_t> dims = encoder_dims(a);
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    const bool last = i + 2 == dims.size();
    const bool temporal = !last && a.temporal_downsample[i];
    if (a.is_residual) {
      down_blocks_.emplace_back(std::in_place_type<WanResidualDownBlock>, context, dims[i], dims[i + 1],
                                a.num_res_blocks, temporal, !last);
      continue;
    }
    for (int64_t j = 0; j < a.num_res_blocks; ++j) {
      down_blocks_.emplace_back(std::in_place_type<WanResidualBlock>, context, j == 0 ? dims[i] : dims[i + 1],
                                dims[i + 1]);
    }
    if (last) continue;
    const auto mode = temporal ? ResampleMode::downsample3d : ResampleMode::downsample2d;
    down_blocks_.emplace_back(std::in_place_type<VaeResample>, context, names, dims[i + 1], dims[i + 1], mode);
  }
  int64_t i = 0;
  for (DownBlock& block : down_blocks_) {
    std::visit([&](BaseLayer& layer) { register_module_list("down_blocks", layer, 1, i++); }, block);
  }
  register_module("mid_block", mid_block_);
  register_module("norm_out", norm_out_);
  register_module("conv_out", conv_out_);
}

Tensor WanEncoder3d::forward(Tensor x, FeatCache& cache) const {
  conv_in_.call_cached(x, cache);
  int64_t i = 0;
  for (const DownBlock& block : down_blocks_) {
    if (const auto* resnet = std::get_if<WanResidualBlock>(&block)) {
      x = resnet->call_as(i++, x, cache);
    } else if (const auto* resample = std::get_if<VaeResample>(&block)) {
      x = resample->call_as(i++, x, cache);
    } else {
      x = std::get<WanResidualDownBlock>(block).call_as(i++, x, cache);
    }
  }
  x = mid_block_(x, cache);
  x = norm_out_(x);
  x = nonlinearity_(x);
  conv_out_.call_cached(x, cache);
  return x;
}

WanDecoder3d::WanDecoder3d(const BuildContext& context, const VaeArchitecture& a)
    : Module("WanDecoder3d"),
      conv_in_(context, names.causal_conv, conv_3x3x3(a.z_dim, decoder_dims(a).front())),
      mid_block_(context, decoder_dims(a).front()),
      norm_out_(context, names, decoder_dims(a).back(), false),
      conv_out_(context, names.causal_conv, conv_3x3x3(decoder_dims(a).back(), a.out_channels)) {
  register_module("nonlinearity", nonlinearity_);
  register_module("conv_in", conv_in_);
  register_module("mid_block", mid_block_);
  const std::vector<int64_t> dims = decoder_dims(a);
  for (size_t i = 0; i + 1 < dims.size(); ++i) {
    std::optional<ResampleMode> mode;
    if (i + 2 < dims.size()) {
      const bool temporal = a.temporal_downsample[a.temporal_downsample.size() - 1 - i];
      mode = temporal ? ResampleMode::upsample3d : ResampleMode::upsample2d;
    }
    if (a.is_residual) {
      up_blocks_.emplace_back(std::in_place_type<WanResidualUpBlock>, context, dims[i], dims[i + 1], a.num_res_blocks,
                              mode);
    } else {
      up_blocks_.emplace_back(std::in_place_type<WanUpBlock>, context, i == 0 ? dims[i] : dims[i] / 2, dims[i + 1],
                              a.num_res_blocks, mode);
    }
    std::visit([&](BaseLayer& layer) { register_module_list("up_blocks", layer, 1, static_cast<int64_t>(i)); },
               up_blocks_.back());
  }
  register_module("norm_out", norm_out_);
  register_module("conv_out", conv_out_);
}

Tensor WanDecoder3d::forward(Tensor x, FeatCache& cache, bool first_chunk) const {
  conv_in_.call_cached(x, cache);
  x = mid_block_(x, cache);
  int64_t i = 0;
  for (const auto& block : up_blocks_) {
    x = std::visit([&](const auto& up) { return up.call_as(i++, x, cache, first_chunk); }, block);
  }
  x = norm_out_(x);
  x = nonlinearity_(x);
  conv_out_.call_cached(x, cache);
  return x;
}

GaussianDistribution::GaussianDistribution(Tensor moments) : parameters(std::move(moments)) {
  const std::vector<Tensor> halves = parameters.chunk(2, 1);
  mean = halves[0];
  logvar = torch::clamp(halves[1]);
  Tensor half = torch::mul(logvar, 0.5);
  std = torch::exp(std::move(half));
  var = torch::exp(logvar);
}

AutoencoderKLWan::AutoencoderKLWan(const BuildContext& context, const VaeArchitecture& a, const VaeOptions& options)
    : Module("AutoencoderKLWan"),
      a_(a),
      options_(options),
      encoder_(context, a),
      quant_conv_(context, names.causal_conv, conv_1x1x1(2 * a.z_dim, 2 * a.z_dim)),
      post_quant_conv_(context, names.causal_conv, conv_1x1x1(a.z_dim, a.z_dim)),
      decoder_(context, a),
      encoder_convs_(count_conv3d(encoder_)),
      decoder_convs_(count_conv3d(decoder_)) {
  register_module("encoder", encoder_);
  register_module("quant_conv", quant_conv_);
  register_module("post_quant_conv", post_quant_conv_);
  register_module("decoder", decoder_);
}

GaussianDistribution AutoencoderKLWan::encode(Tensor x) const {
  ModuleCall call(*this);
  if (!options_.slicing || x.size(0) == 1) return GaussianDistribution(encode_samples(x));
  std::vector<Tensor> encoded_slices;
  for (int64_t i = 0; i < x.size(0); ++i) encoded_slices.push_back(encode_samples(x.narrow(0, i, 1)));
  return GaussianDistribution(torch::cat(encoded_slices, 0));
}

Tensor AutoencoderKLWan::encode_samples(const Tensor& pixels) const {
  const Tensor x = patchify(pixels, a_.patch_size);
  if (options_.tiling && (pixels.size(4) > options_.tile_min_width || pixels.size(3) > options_.tile_min_height)) {
    return tiled_encode(x);
  }
  FeatCache cache(encoder_convs_);
  Tensor out_;
  Tensor out = grow_by_chunks(chunks_of(x.size(2)), cache, out_, [&](int64_t i) { return encode_chunk(x, i, cache); });
  return quant_conv_(out);
}

Tensor AutoencoderKLWan::encode_chunk(const Tensor& x, int64_t i, FeatCache& cache) const {
  return encoder_(i == 0 ? x.slice(2, 0, 1) : x.slice(2, 1 + 4 * (i - 1), 1 + 4 * i), cache);
}

Tensor AutoencoderKLWan::decode(Tensor z) const {
  ModuleCall call(*this);
  if (!options_.slicing || z.size(0) == 1) return decode_samples(z);
  std::vector<Tensor> decoded_slices;
  for (int64_t i = 0; i < z.size(0); ++i) decoded_slices.push_back(decode_samples(z.narrow(0, i, 1)));
  return torch::cat(decoded_slices, 0);
}

Tensor AutoencoderKLWan::decode_samples(const Tensor& z) const {
  const int64_t ratio = a_.spatial_compression();
  if (options_.tiling &&
      (z.size(4) > options_.tile_min_width / ratio || z.size(3) > options_.tile_min_height / ratio)) {
    return tiled_decode(z);
  }
  const Tensor x = post_quant_conv_(z);
  FeatCache cache(decoder_convs_);
  Tensor out_;
  Tensor out =
      grow_by_chunks(z.size(2), cache, out_, [&](int64_t i) { return decoder_(x.slice(2, i, i + 1), cache, i == 0); });
  out = unpatchify(out, a_.patch_size);
  return torch::clamp(std::move(out));
}

Tensor AutoencoderKLWan::tiled_encode(const Tensor& x) const {
  const int64_t ratio = a_.spatial_compression() / a_.patch_size, frame_range = chunks_of(x.size(2));
  const TileSide high{x.size(3), options_.tile_min_height, options_.tile_stride_height};
  const TileSide wide{x.size(4), options_.tile_min_width, options_.tile_stride_width};
  FeatCache cache(encoder_convs_);
  std::vector<Tensor> time;
  Tensor tile;
  const auto rows = run_tiles(high, wide, {{&tile}, {}}, [&](int64_t i, int64_t j) {
    cache.clear();
    time.clear();
    const auto encode = [&](int64_t k) {
      cache.index = 0;
      tile = x.slice(3, high.start(i), high.start(i) + high.tile).slice(4, wide.start(j), wide.start(j) + wide.tile);
      tile = encode_chunk(tile, k, cache);
      tile = quant_conv_(tile);
      time.push_back(tile);
    };
    LoopState state{{&tile}, {}};
    cache.add_to(state);
    repeat_steadily(frame_range, state, encode, [&](int64_t) { time.push_back(tile = untraced_like(tile)); });
    return torch::cat(time, 2);
  });
  cache.clear();
  tile.reset();

  const int64_t stride_height = high.stride / ratio, stride_width = wide.stride / ratio;
  return blend_tiles(rows, {high.tile / ratio - stride_height, wide.tile / ratio - stride_width, stride_height,
                            stride_width, x.size(3) / ratio, x.size(4) / ratio})
      .picture;
}

Tensor AutoencoderKLWan::tiled_decode(const Tensor& z) const {
  const int64_t ratio = a_.spatial_compression(), q = a_.patch_size;
  const TileSide high{z.size(3), options_.tile_min_height / ratio, options_.tile_stride_height / ratio};
  const TileSide wide{z.size(4), options_.tile_min_width / ratio, options_.tile_stride_width / ratio};
  FeatCache cache(decoder_convs_);
  std::vector<Tensor> time;
  Tensor tile, decoded;
  const auto rows = run_tiles(high, wide, {{&tile, &decoded}, {}}, [&](int64_t i, int64_t j) {
    cache.clear();
    time.clear();
    const auto decode = [&](int64_t k) {
      cache.index = 0;
      tile = z.slice(2, k, k + 1).slice(3, high.start(i), high.start(i) + high.tile);
      tile = tile.slice(4, wide.start(j), wide.start(j) + wide.tile);
      tile = post_quant_conv_(tile);
      decoded = decoder_(tile, cache, k == 0);
      time.push_back(decoded);
    };
    LoopState state{{&tile, &decoded}, {}};
    cache.add_to(state);
    repeat_steadily(z.size(2), state, decode, [&](int64_t) { time.push_back(decoded = untraced_like(decoded)); });
    return torch::cat(time, 2);
  });
  cache.clear();
  tile.reset();

  const int64_t stride_height = options_.tile_stride_height / q, stride_width = options_.tile_stride_width / q;
  Blended blended =
      blend_tiles(rows, {options_.tile_min_height / q - stride_height, options_.tile_min_width / q - stride_width,
                         stride_height, stride_width, z.size(3) * ratio / q, z.size(4) * ratio / q});
  Tensor dec = std::move(blended.picture);
  dec = unpatchify(dec, q);
  return torch::clamp(std::move(dec));
}

}  // namespace modelmeter::wan::diffusers
