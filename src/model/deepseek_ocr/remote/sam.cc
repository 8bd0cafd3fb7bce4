#include "model/deepseek_ocr/remote/sam.h"

#include <algorithm>

#include "model/deepseek_ocr/rel_pos.h"
#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

ConvOptions square_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  return {in, out, {kernel, kernel}, {stride, stride}, {padding, padding}, false};
}

// Position embeddings [1, s, s, c] for a grid of tgt_size.
Tensor get_abs_pos_sam(Tensor abs_pos, int64_t tgt_size) {
  const DType dtype = abs_pos.dtype();
  if (abs_pos.size(1) == tgt_size) return abs_pos;
  Tensor old_pos_embed = abs_pos.permute({0, 3, 1, 2});
  old_pos_embed = torch::to(old_pos_embed, DType::float32);
  Tensor new_pos_embed = torch::upsample_bicubic2d_aa(old_pos_embed, tgt_size, tgt_size);
  new_pos_embed = torch::to(new_pos_embed, dtype);
  return new_pos_embed.permute({0, 2, 3, 1});
}

struct Partition {
  Tensor windows;
  int64_t height, width;  // padded
};

Partition window_partition(Tensor x, int64_t window_size) {
  const int64_t b = x.size(0), h = x.size(1), w = x.size(2), c = x.size(3);
  const int64_t pad_h = (window_size - h % window_size) % window_size;
  const int64_t pad_w = (window_size - w % window_size) % window_size;
  if (pad_h > 0 || pad_w > 0) x = torch::pad(x, {0, 0, 0, pad_w, 0, pad_h});
  const int64_t hp = h + pad_h, wp = w + pad_w;
  x = x.view({b, hp / window_size, window_size, wp / window_size, window_size, c});
  Tensor windows = torch::contiguous(x.permute({0, 1, 3, 2, 4, 5}));
  return {windows.view({-1, window_size, window_size, c}), hp, wp};
}

Tensor window_unpartition(const Partition& p, const Tensor& windows, int64_t window_size, int64_t h, int64_t w) {
  const int64_t b = windows.size(0) / (p.height * p.width / window_size / window_size);
  Tensor x = windows.view({b, p.height / window_size, p.width / window_size, window_size, window_size, -1});
  x = torch::contiguous(x.permute({0, 1, 3, 2, 4, 5})).view({b, p.height, p.width, -1});
  if (p.height > h || p.width > w) x = torch::contiguous(x.slice(1, 0, h).slice(2, 0, w));
  return x;
}

// The relative positions [q_size, k_size, c] out of a table [l, c].
Tensor get_rel_pos(int64_t q_size, int64_t k_size, Tensor rel_pos) {
  const int64_t max_rel_dist = 2 * std::max(q_size, k_size) - 1;
  Tensor rel_pos_resized;
  if (rel_pos.size(0) != max_rel_dist) {
    const DType dtype = rel_pos.dtype();
    rel_pos = torch::to(rel_pos, DType::float32);
    const Tensor line = rel_pos.view({1, rel_pos.size(0), -1}).permute({0, 2, 1});
    rel_pos_resized = torch::upsample_linear1d(line, max_rel_dist);
    rel_pos_resized = torch::to(rel_pos_resized, dtype);
    rel_pos_resized = rel_pos_resized.view({-1, max_rel_dist}).permute({1, 0});
  } else {
    rel_pos_resized = rel_pos;
  }

  Tensor q_coords = torch::arange(q_size, DType::int64).unsqueeze(1);
  q_coords = torch::mul(std::move(q_coords), 1.0);
  Tensor k_coords = torch::arange(k_size, DType::int64).unsqueeze(0);
  k_coords = torch::mul(std::move(k_coords), 1.0);
  Tensor relative_coords = torch::sub(q_coords, k_coords);
  relative_coords = torch::add(std::move(relative_coords), 1.0);
  Tensor positions = torch::to(relative_coords, DType::int64);
  return torch::index(rel_pos_resized, std::move(positions));
}

struct RelativePositions {
  Tensor h, w;  // [b, q_h q_w, k_h, 1] and [b, q_h q_w, 1, k_w]
};

RelativePositions add_decomposed_rel_pos(Tensor q, Tensor rel_pos_h, Tensor rel_pos_w, int64_t h, int64_t w) {
  Tensor table_h = get_rel_pos(h, h, std::move(rel_pos_h));
  Tensor table_w = get_rel_pos(w, w, std::move(rel_pos_w));
  const int64_t b = q.size(0);
  Tensor r_q = torch::reshape(q, {b, h, w, q.size(2)});
  Tensor rel_h = einsum_along(r_q, table_h, 1);
  Tensor rel_w = einsum_along(r_q, table_w, 2);
  rel_h = rel_h.unsqueeze(-1);
  rel_w = rel_w.unsqueeze(-2);
  rel_h = torch::reshape(rel_h, {b, h * w, h, 1});
  rel_w = torch::reshape(rel_w, {b, h * w, 1, w});
  return {rel_h, rel_w};
}

}  // namespace

LayerNorm2d::LayerNorm2d(const BuildContext& context, const LayerNorm2dOptions& options) : Module("LayerNorm2d") {
  register_parameter("weight", {options.num_channels}, context);
  register_parameter("bias", {options.num_channels}, context);
}

Tensor LayerNorm2d::forward(Tensor x) const {
  const int64_t channels = x.size(1);
  Tensor u = torch::mean(x, 1, true);
  Tensor s;
  {
    Tensor centred = torch::sub(x, u);
    s = torch::pow(centred, 2);
  }
  s = torch::mean(std::move(s), 1, true);
  {
    Tensor centred = torch::sub(x, u);
    Tensor deviation = torch::add(s, 1e-6);
    deviation = torch::sqrt(std::move(deviation));
    x = torch::div(std::move(centred), std::move(deviation));
  }
  Tensor scaled = torch::mul(parameter(0).view({channels, 1, 1}), x);
  return torch::add(std::move(scaled), parameter(1).view({channels, 1, 1}));
}

PatchEmbed::PatchEmbed(const BuildContext& context, const SamArchitecture& a)
    : Module("PatchEmbed"),
      proj_(context,
            ConvOptions{a.in_chans, a.embed_dim, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}}) {
  register_module("proj", proj_);
}

Tensor PatchEmbed::forward(Tensor x) const {
  x = proj_(x);
  return x.permute({0, 2, 3, 1});
}

MLPBlock::MLPBlock(const BuildContext& context, const SamArchitecture& a)
    : Module("MLPBlock"),
      lin1_(context, {a.embed_dim, a.embed_dim * a.mlp_ratio}),
      lin2_(context, {a.embed_dim * a.mlp_ratio, a.embed_dim}) {
  register_module("lin1", lin1_);
  register_module("lin2", lin2_);
  register_module("act", act_);
}

Tensor MLPBlock::forward(Tensor x) const {
  x = lin1_(x);
  x = act_(x);
  return lin2_(x);
}

Attention::Attention(const BuildContext& context, const SamArchitecture& a, int64_t side)
    : Module("Attention"),
      num_heads_(a.num_heads),
      qkv_(context, {a.embed_dim, 3 * a.embed_dim}),
      proj_(context, {a.embed_dim, a.embed_dim}) {
  vary_by({a.num_heads});
  register_parameter("rel_pos_h", {2 * side - 1, a.embed_dim / a.num_heads}, context);
  register_parameter("rel_pos_w", {2 * side - 1, a.embed_dim / a.num_heads}, context);
  register_module("qkv", qkv_);
  register_module("proj", proj_);
}

Tensor Attention::forward(Tensor x) const {
  const int64_t b = x.size(0), h = x.size(1), w = x.size(2);
  const Tensor qkv = torch::reshape(qkv_(x), {b, h * w, 3, num_heads_, -1}).permute({2, 0, 3, 1, 4});
  Tensor q, k, v;
  {
    const Tensor flat = torch::reshape(qkv, {3, b * num_heads_, h * w, -1});
    q = flat.select(0, 0);
    k = flat.select(0, 1);
    v = flat.select(0, 2);
  }
  RelativePositions rel;
  Tensor attn_bias;
  {
    FunctionScope scope("rel_pos");
    rel = add_decomposed_rel_pos(q, parameter(0), parameter(1), h, w);
    rel.h = rel.h.view({b, num_heads_, h * w, h, 1});
    rel.w = rel.w.view({b, num_heads_, h * w, 1, w});
    attn_bias = torch::add(rel.h, rel.w).view({b, num_heads_, h * w, h * w});
  }
  q = q.view({b, num_heads_, h * w, -1});
  k = k.view({b, num_heads_, h * w, -1});
  v = v.view({b, num_heads_, h * w, -1});
  {
    FunctionScope scope("core");
    x = torch::scaled_dot_product_attention(q, k, v, attn_bias);
  }
  x = torch::reshape(x.view({b, num_heads_, h, w, -1}).permute({0, 2, 3, 1, 4}), {b, h, w, -1});
  return proj_(x);
}

Block::Block(const BuildContext& context, const SamArchitecture& a, int64_t window_size)
    : Module("Block"),
      window_size_(window_size),
      norm1_(context, {a.embed_dim, true}),
      attn_(context, a, window_size > 0 ? window_size : a.grid()),
      norm2_(context, {a.embed_dim, true}),
      mlp_(context, a) {
  vary_by({window_size});
  register_module("norm1", norm1_);
  register_module("attn", attn_);
  register_module("norm2", norm2_);
  register_module("mlp", mlp_);
}

Tensor Block::forward(Tensor x) const {
  const Tensor shortcut = x;
  x = norm1_(x);
  if (window_size_ > 0) {
    const int64_t h = x.size(1), w = x.size(2);
    Partition partition = window_partition(x, window_size_);
    x = std::move(partition.windows);
    x = attn_(x);
    x = window_unpartition(partition, x, window_size_, h, w);
  } else {
    x = attn_(x);
  }
  x = torch::add(shortcut, x);
  Tensor normed = norm2_(x);
  Tensor y = mlp_(normed);
  normed.reset();
  return torch::add(x, std::move(y));
}

ImageEncoderViT::ImageEncoderViT(const BuildContext& context, const SamArchitecture& a)
    : Module("ImageEncoderViT"),
      a_(a),
      patch_embed_(context, a),
      windowed_(context, a, a.window_size),
      global_(context, a, 0),
      neck_(context, square_conv(a.embed_dim, a.out_chans, 1, 1, 0), LayerNorm2dOptions{a.out_chans},
            square_conv(a.out_chans, a.out_chans, 3, 1, 1), LayerNorm2dOptions{a.out_chans}),
      net_2_(context, square_conv(a.out_chans, a.net_2_chans, 3, 2, 1)),
      net_3_(context, square_conv(a.net_2_chans, a.net_3_chans, 3, 2, 1)) {
  describe("img_size", a.img_size);
  describe("patch_size", a.patch_size);
  describe("embed_dim", a.embed_dim);
  describe("depth", a.depth);
  describe("num_heads", a.num_heads);
  register_parameter("pos_embed", {1, a.grid(), a.grid(), a.embed_dim}, context);
  register_module("patch_embed", patch_embed_);
  for (int64_t i = 0; i < a.depth; ++i) register_module_list("blocks", a.is_global(i) ? global_ : windowed_, 1, i);
  register_module("neck", neck_);
  register_module("net_2", net_2_);
  register_module("net_3", net_3_);
}

Tensor ImageEncoderViT::forward(Tensor x) const {
  x = patch_embed_(x);
  Tensor positions = get_abs_pos_sam(parameter(0), x.size(1));
  x = torch::add(x, std::move(positions));

  for (int64_t i = 0; i < a_.depth;) {
    int64_t run = 0;
    while (i + run < a_.depth && !a_.is_global(i + run)) ++run;
    x = repeat(run, std::move(x), [&](int64_t k, const Tensor& state) { return windowed_.call_as(i + k, state); });
    i += run;
    if (i < a_.depth) x = global_.call_as(i, x);
    ++i;
  }

  x = neck_(x.permute({0, 3, 1, 2}));
  Tensor x2 = net_2_(x);
  Tensor copy = torch::clone(x2);
  return net_3_(copy);
}

}  // namespace modelmeter::deepseek_ocr::remote
