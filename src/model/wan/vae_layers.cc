#include "model/wan/vae_layers.h"

namespace modelmeter::wan {
namespace {

ConvOptions conv2d(int64_t in_dim, int64_t out_dim, int64_t kernel, int64_t stride, int64_t padding) {
  return {in_dim, out_dim, {kernel, kernel}, {stride, stride}, {padding, padding}};
}

// x[:, :, -frames:].clone(), with the last frame of what was kept before it where that is a single one.
Tensor last_frames(const Tensor& x, const FeatCache::Slot& kept) {
  static const int32_t function = structure_id("wan::last_frames");
  return shared_call(x.tracer(), function, {&x, &kept.frames}, {}, [&] {
    Tensor frames = torch::clone(x.slice(2, -cache_t, x.size(2)));
    if (frames.size(2) < 2 && kept.frames.defined()) {
      frames = torch::cat({kept.frames.select(2, -1).unsqueeze(2), frames}, 2);
    }
    return frames;
  });
}

}  // namespace

const VaeClassNames official_vae_names{"CausalConv3d", "RMS_norm",      "Upsample",
                                       "Resample",     "ResidualBlock", "AttentionBlock"};
const VaeClassNames diffusers_vae_names{"WanCausalConv3d", "WanRMS_norm",      "WanUpsample",
                                        "WanResample",     "WanResidualBlock", "WanAttentionBlock"};

bool FeatCache::alike_by_pairs(int64_t pairs) const {
  for (size_t i = index + 2; i < index + 2 * static_cast<size_t>(pairs); ++i) {
    const Tensor& a = slots[i - 2].frames;
    const Tensor& b = slots[i].frames;
    if (a.defined() != b.defined() || (a.defined() && !same_layout(a, b))) return false;
  }
  return true;
}

CausalConvOptions conv_3x3x3(int64_t in_dim, int64_t out_dim) {
  return {in_dim, out_dim, {3, 3, 3}, {1, 1, 1}, {1, 1, 1}};
}
CausalConvOptions conv_1x1x1(int64_t in_dim, int64_t out_dim) { return {in_dim, out_dim, {1, 1, 1}}; }

CausalConv3d::CausalConv3d(const BuildContext& context, std::string_view class_name, const CausalConvOptions& options)
    : Module(class_name), options_(options) {
  for (const auto& numbers : {options.stride, options.padding}) vary_by({numbers[0], numbers[1], numbers[2]});
  const auto [t, h, w] = options.kernel;
  register_parameter("weight", {options.out_dim, options.in_dim, t, h, w}, context);
  register_parameter("bias", {options.out_dim}, context);
}

Tensor CausalConv3d::forward(Tensor x, Tensor cache_x) const {
  const auto [t, h, w] = options_.padding;
  int64_t before = 2 * t;
  if (cache_x.defined() && before > 0) {
    x = torch::cat({cache_x, x}, 2);
    before -= cache_x.size(2);
  }
  x = torch::pad(x, {w, w, h, h, before, 0});
  const auto& s = options_.stride;
  return torch::conv3d(x, parameter(0), parameter(1), {s[0], s[1], s[2]});
}

void CausalConv3d::call_cached(Tensor& x, FeatCache& cache) const {
  Tensor cache_x = last_frames(x, cache.current());
  x = (*this)(x, cache.current().frames);
  cache.keep(std::move(cache_x));
}

int64_t count_conv3d(const BaseLayer& layer) {
  int64_t count = dynamic_cast<const CausalConv3d*>(&layer) != nullptr;
  for (const BaseLayer::Child& child : layer.children()) count += child.count * count_conv3d(*child.layer);
  return count;
}

VaeRmsNorm::VaeRmsNorm(const BuildContext& context, const VaeClassNames& names, int64_t dim, bool images)
    : Module(names.rms_norm), diffusers_(&names == &diffusers_vae_names) {
  vary_by({diffusers_});
  register_parameter("gamma", images ? Shape{dim, 1, 1} : Shape{dim, 1, 1, 1}, context);
}

Tensor VaeRmsNorm::forward(Tensor x) const {
  const DType dtype = x.dtype();
  Tensor normalized = torch::normalize(diffusers_ ? torch::to(x, DType::float32) : x, 1);
  normalized = torch::to(std::move(normalized), dtype);
  const Tensor named = diffusers_ ? normalized : Tensor();  // a local variable there: alive until the end
  normalized = torch::mul(std::move(normalized), 1.0);
  normalized = torch::mul(std::move(normalized), parameter(0));
  return torch::add(std::move(normalized), 0.0);
}

Tensor VaeUpsample::forward(Tensor x) const {
  const int64_t h = 2 * x.size(2), w = 2 * x.size(3);
  Tensor up = torch::upsample_nearest_exact2d(torch::to(x, DType::float32), h, w);
  return torch::type_as(std::move(up), x);
}

VaeResample::VaeResample(const BuildContext& context, const VaeClassNames& names, int64_t dim, int64_t out_dim,
                         ResampleMode mode)
    : Module(names.resample), mode_(mode) {
  if (mode == ResampleMode::upsample2d || mode == ResampleMode::upsample3d) {
    up_.emplace(context, UpsampleOptions{names.upsample}, conv2d(dim, out_dim, 3, 1, 1));
    register_module("resample", *up_);
  } else {
    down_.emplace(context, ZeroPadOptions{}, conv2d(dim, dim, 3, 2, 0));
    register_module("resample", *down_);
  }
  if (mode == ResampleMode::upsample3d) {
    time_conv_.emplace(context, names.causal_conv, CausalConvOptions{dim, 2 * dim, {3, 1, 1}, {1, 1, 1}, {1, 0, 0}});
  } else if (mode == ResampleMode::downsample3d) {
    time_conv_.emplace(context, names.causal_conv, CausalConvOptions{dim, dim, {3, 1, 1}, {2, 1, 1}});
  }
  if (time_conv_) register_module("time_conv", *time_conv_);
}

Tensor VaeResample::forward(Tensor x, FeatCache& cache) const {
  const int64_t b = x.size(0), c = x.size(1), h = x.size(3), w = x.size(4);
  if (mode_ == ResampleMode::upsample3d) x = twice_the_frames(std::move(x), cache);
  const int64_t t = x.size(2);
  x = torch::reshape(x.permute({0, 2, 1, 3, 4}), {b * t, c, h, w});
  x = up_ ? (*up_)(x) : (*down_)(x);
  x = x.unflatten(0, {b, t}).permute({0, 2, 1, 3, 4});
  if (mode_ == ResampleMode::downsample3d) x = half_the_frames(std::move(x), cache);
  return x;
}

// The first chunk is one frame and stays one.
Tensor VaeResample::twice_the_frames(Tensor x, FeatCache& cache) const {
  FeatCache::Slot& kept = cache.current();
  if (kept.empty()) {
    kept.rep = true;
    ++cache.index;
    return x;
  }
  const int64_t b = x.size(0), c = x.size(1), t = x.size(2), h = x.size(3), w = x.size(4);
  Tensor cache_x = last_frames(x, kept);
  if (cache_x.size(2) < 2 && kept.rep) {
    Tensor zeros = torch::zeros_like(cache_x);
    cache_x = torch::cat({std::move(zeros), cache_x}, 2);
  }
  x = (*time_conv_)(x, kept.frames);
  cache.keep(std::move(cache_x));
  x = x.view({b, 2, c, t, h, w});
  x = torch::stack({x.select(1, 0), x.select(1, 1)}, 3);
  return x.view({b, c, t * 2, h, w});
}

Tensor VaeResample::half_the_frames(Tensor x, FeatCache& cache) const {
  const FeatCache::Slot& kept = cache.current();
  if (kept.empty()) {
    cache.keep(torch::clone(x));
    return x;
  }
  Tensor cache_x = torch::clone(x.slice(2, -1, x.size(2)));
  Tensor joined = torch::cat({kept.frames.slice(2, -1, kept.frames.size(2)), x}, 2);
  x = (*time_conv_)(joined);
  joined.reset();
  cache.keep(std::move(cache_x));
  return x;
}

VaeAttentionBlock::VaeAttentionBlock(const BuildContext& context, const VaeClassNames& names, int64_t dim)
    : Module(names.attention_block),
      norm_(context, names, dim, true),
      to_qkv_(context, conv2d(dim, 3 * dim, 1, 1, 0)),
      proj_(context, conv2d(dim, dim, 1, 1, 0)) {
  register_module("norm", norm_);
  register_module("to_qkv", to_qkv_);
  register_module("proj", proj_);
}

Tensor VaeAttentionBlock::forward(Tensor x) const {
  const Tensor identity = x;
  const int64_t b = x.size(0), c = x.size(1), t = x.size(2), h = x.size(3), w = x.size(4);
  x = torch::reshape(x.permute({0, 2, 1, 3, 4}), {b * t, c, h, w});
  x = norm_(x);
  Tensor qkv = to_qkv_(x);
  qkv = torch::reshape(std::move(qkv), {b * t, 1, c * 3, h * w}).permute({0, 1, 3, 2});
  qkv = torch::contiguous(std::move(qkv));
  const TensorList parts = qkv.chunk(3, -1);
  {
    FunctionScope scope("core");
    x = torch::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  }
  x = torch::reshape(x.squeeze(1).permute({0, 2, 1}), {b * t, c, h, w});
  x = proj_(x);
  x = x.unflatten(0, {b, t}).permute({0, 2, 1, 3, 4});
  return torch::add(std::move(x), identity);
}

Tensor AvgDown3D::forward(Tensor x) const {
  const int64_t ft = options_.factor_t, fs = options_.factor_s;
  x = torch::pad(x, {0, 0, 0, 0, (ft - x.size(2) % ft) % ft, 0});
  const int64_t b = x.size(0), c = x.size(1), t = x.size(2) / ft, h = x.size(3) / fs, w = x.size(4) / fs;
  x = x.view({b, c, t, ft, h, fs, w, fs});
  x = torch::contiguous(x.permute({0, 1, 3, 5, 7, 2, 4, 6}));
  x = x.view({b, options_.out_channels, c * options_.factor() / options_.out_channels, t, h, w});
  return torch::mean(x, 2, false);
}

Tensor DupUp3D::forward(Tensor x, bool first_chunk) const {
  const int64_t ft = options_.factor_t, fs = options_.factor_s, c = options_.out_channels;
  x = torch::repeat_interleave(x, c * options_.factor() / options_.in_channels, 1);
  const int64_t b = x.size(0), t = x.size(2), h = x.size(3), w = x.size(4);
  x = x.view({b, c, ft, fs, fs, t, h, w});
  x = torch::contiguous(x.permute({0, 1, 5, 2, 6, 3, 7, 4}));
  x = x.view({b, c, t * ft, h * fs, w * fs});
  return first_chunk ? x.slice(2, ft - 1, t * ft) : x;
}

Tensor patchify(Tensor x, int64_t q) {
  if (q == 1) return x;
  const int64_t b = x.size(0), c = x.size(1), f = x.size(2), h = x.size(3) / q, w = x.size(4) / q;
  x = x.view({b, c, f, h, q, w, q}).permute({0, 1, 6, 4, 2, 3, 5});
  return torch::contiguous(std::move(x)).view({b, c * q * q, f, h, w});
}

Tensor unpatchify(Tensor x, int64_t q) {
  if (q == 1) return x;
  const int64_t b = x.size(0), c = x.size(1) / (q * q), f = x.size(2), h = x.size(3), w = x.size(4);
  x = x.view({b, c, q, q, f, h, w}).permute({0, 1, 4, 5, 3, 6, 2});
  return torch::contiguous(std::move(x)).view({b, c, f, h * q, w * q});
}

}  // namespace modelmeter::wan
