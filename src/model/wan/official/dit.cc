#include "model/wan/official/dit.h"

#include "layer/modulation.h"
#include "model/wan/official/attention.h"
#include "model/wan/official/distributed.h"
#include "model/wan/official/xdit.h"
#include "model/wan/step_cache.h"
#include "trace/repeat.h"

namespace modelmeter::wan::official {
namespace {

LinearOptions square(const Architecture& a) { return {a.dim, a.dim}; }

Tensor sinusoidal_embedding_1d(int64_t dim, Tensor position) {
  Tracer& tracer = position.tracer();
  position = torch::to(position, DType::float64);
  const int64_t half = dim / 2;
  Tensor sinusoid;
  {
    Tensor exponent = torch::to_device(tracer.host({half}, DType::int64), DType::float64);
    exponent = torch::div(exponent, static_cast<double>(half));
    exponent = torch::neg(exponent);
    exponent = torch::pow(int64_t{10000}, exponent);
    sinusoid = torch::outer(position, std::move(exponent));
  }
  Tensor cos = torch::cos(sinusoid);
  Tensor sin = torch::sin(sinusoid);
  return torch::cat({std::move(cos), std::move(sin)}, 1);
}

// The rows of a modulation table plus the time step's: [B, rows, C] cut into [B, 1, C], or with a time step per token
// [B, L, rows, C] cut into [B, L, C].
TensorList modulation_rows(const Tensor& table, Tensor e, int rows) {
  if (e.dim() == 3) return torch::add(table, std::move(e)).chunk(rows, 1);
  TensorList parts = torch::add(table.unsqueeze(0), std::move(e)).chunk(rows, 2);
  for (Tensor& part : parts) part = part.squeeze(2);
  return parts;
}

}  // namespace

Tensor WanRMSNorm::forward(Tensor x) const {
  const DType dtype = x.dtype();
  x = torch::to(x, DType::float32);
  Tensor scale = torch::pow(x, 2);
  scale = torch::mean(scale, -1, true);
  scale = torch::add(scale, 1e-6);
  scale = torch::rsqrt(scale);
  x = torch::mul(x, std::move(scale));
  x = torch::to(x, dtype);
  return torch::mul(x, parameter(0));
}

WanLayerNorm::WanLayerNorm(const BuildContext& context, int64_t dim, bool elementwise_affine)
    : Module("WanLayerNorm"), affine_(elementwise_affine) {
  if (!affine_) return;
  register_parameter("weight", {dim}, context);
  register_parameter("bias", {dim}, context);
}

Tensor WanLayerNorm::forward(Tensor x) const {
  const DType dtype = x.dtype();
  x = torch::to(x, DType::float32);
  x = torch::layer_norm(x, affine_ ? parameter(0) : Tensor(), affine_ ? parameter(1) : Tensor());
  return torch::to(x, dtype);
}

WanAttention::WanAttention(const BuildContext& context, const Architecture& a)
    : num_heads(a.num_heads),
      head_dim(a.head_dim()),
      qk_norm(a.qk_norm),
      q(context, square(a)),
      k(context, square(a)),
      v(context, square(a)),
      o(context, square(a)),
      norm_q(context, a.dim),
      norm_k(context, a.dim) {}

WanSelfAttention::WanSelfAttention(const BuildContext& context, const Architecture& a)
    : Module("WanSelfAttention"),
      attn_(context, a),
      sequence_parallel_(context.parallel.ulysses > 1),
      by_xfuser_(a.generation == Generation::wan2_1) {
  vary_by({attn_.num_heads, context.parallel.ulysses, by_xfuser_ ? 1 : 0});
  register_module("q", attn_.q);
  register_module("k", attn_.k);
  register_module("v", attn_.v);
  register_module("o", attn_.o);
  if (!attn_.qk_norm) return;
  register_module("norm_q", attn_.norm_q);
  register_module("norm_k", attn_.norm_k);
}

Tensor WanSelfAttention::forward(Tensor x, const BlockArguments& args) const {
  Tracer& tracer = x.tracer();
  const auto run = [&] { return sequence_parallel_ ? sp_attend(x, args) : attend(x, args); };
  if (args.grid_sizes.size() != 1) return run();
  const auto [f, h, w] = args.grid_sizes[0];
  return shared_call(tracer, structure(), {&x, &args.seq_lens, args.freqs}, {f, h, w}, run);
}

Tensor WanSelfAttention::attend(Tensor x, const BlockArguments& args) const {
  const int64_t b = x.size(0), s = x.size(1), n = attn_.num_heads, d = attn_.head_dim;
  Tensor q = attn_.q(x);
  if (attn_.qk_norm) q = attn_.norm_q(q);
  q = q.view({b, s, n, d});
  Tensor k = attn_.k(x);
  if (attn_.qk_norm) k = attn_.norm_k(k);
  k = k.view({b, s, n, d});
  Tensor v = attn_.v(x).view({b, s, n, d});

  std::vector<int64_t> lens;
  for (const GridSize& grid : args.grid_sizes) lens.push_back(grid[0] * grid[1] * grid[2]);
  Tensor roped_q = rope_apply(q, args);
  Tensor roped_k = rope_apply(k, args);
  {
    const SparseAttentionGuard sparse;
    x = flash_attention(std::move(roped_q), std::move(roped_k), v, args.seq_lens, lens);
  }

  x = torch::flatten(x, 2);
  return attn_.o(x);
}

// wan/distributed: sequence_parallel.py's sp_attn_forward of Wan2.2, xdit_context_parallel.py's usp_attn_forward of
// Wan2.1
Tensor WanSelfAttention::sp_attend(Tensor x, const BlockArguments& args) const {
  const int64_t b = x.size(0), s = x.size(1), n = attn_.num_heads, d = attn_.head_dim;
  Tensor q = attn_.q(x);
  if (attn_.qk_norm) q = attn_.norm_q(q);
  q = q.view({b, s, n, d});
  Tensor k = attn_.k(x);
  if (attn_.qk_norm) k = attn_.norm_k(k);
  k = k.view({b, s, n, d});
  const Tensor v = attn_.v(x).view({b, s, n, d});
  q = sp_rope_apply(q, args);
  k = sp_rope_apply(k, args);

  std::vector<int64_t> lens;
  for (const GridSize& grid : args.grid_sizes) lens.push_back(grid[0] * grid[1] * grid[2]);
  Tensor half_q = half(q);
  Tensor half_k = half(k);
  if (by_xfuser_) {
    x = xfuser_attention(std::move(half_q), std::move(half_k), half(v));
  } else {
    x = distributed_attention(std::move(half_q), std::move(half_k), half(v), args.seq_lens, lens);
  }
  x = torch::flatten(x, 2);
  return attn_.o(x);
}

WanT2VCrossAttention::WanT2VCrossAttention(const BuildContext& context, const Architecture& a,
                                           std::string_view class_name)
    : Module(class_name), attn_(context, a) {
  vary_by({attn_.num_heads});
  register_module("q", attn_.q);
  register_module("k", attn_.k);
  register_module("v", attn_.v);
  register_module("o", attn_.o);
  if (!attn_.qk_norm) return;
  register_module("norm_q", attn_.norm_q);
  register_module("norm_k", attn_.norm_k);
}

Tensor WanT2VCrossAttention::forward(Tensor x, Tensor context) const {
  const int64_t b = x.size(0), n = attn_.num_heads, d = attn_.head_dim;
  Tensor q = attn_.q(x);
  if (attn_.qk_norm) q = attn_.norm_q(q);
  q = q.view({b, -1, n, d});
  Tensor k = attn_.k(context);
  if (attn_.qk_norm) k = attn_.norm_k(k);
  k = k.view({b, -1, n, d});
  Tensor v = attn_.v(context).view({b, -1, n, d});
  x = flash_attention(q, k, v, Tensor(), {});
  x = torch::flatten(x, 2);
  return attn_.o(x);
}

WanI2VCrossAttention::WanI2VCrossAttention(const BuildContext& context, const Architecture& a)
    : Module("WanI2VCrossAttention"),
      attn_(context, a),
      k_img_(context, square(a)),
      v_img_(context, square(a)),
      norm_k_img_(context, a.dim) {
  vary_by({attn_.num_heads});
  register_module("q", attn_.q);
  register_module("k", attn_.k);
  register_module("v", attn_.v);
  register_module("o", attn_.o);
  if (attn_.qk_norm) {
    register_module("norm_q", attn_.norm_q);
    register_module("norm_k", attn_.norm_k);
  }
  register_module("k_img", k_img_);
  register_module("v_img", v_img_);
  if (attn_.qk_norm) register_module("norm_k_img", norm_k_img_);
}

Tensor WanI2VCrossAttention::forward(Tensor x, Tensor context) const {
  constexpr int64_t text_tokens = 512;  // T5_CONTEXT_TOKEN_NUMBER
  const int64_t b = x.size(0), n = attn_.num_heads, d = attn_.head_dim;
  const int64_t image_context_length = context.size(1) - text_tokens;
  Tensor context_img = context.slice(1, 0, image_context_length);
  context = context.slice(1, image_context_length, context.size(1));
  Tensor q = attn_.q(x);
  if (attn_.qk_norm) q = attn_.norm_q(q);
  q = q.view({b, -1, n, d});
  Tensor k = attn_.k(context);
  if (attn_.qk_norm) k = attn_.norm_k(k);
  k = k.view({b, -1, n, d});
  Tensor v = attn_.v(context).view({b, -1, n, d});
  Tensor k_img = k_img_(context_img);
  if (attn_.qk_norm) k_img = norm_k_img_(k_img);
  k_img = k_img.view({b, -1, n, d});
  Tensor v_img = v_img_(context_img).view({b, -1, n, d});
  Tensor img_x = flash_attention(q, k_img, v_img, Tensor(), {});
  x = flash_attention(q, k, v, Tensor(), {});
  x = torch::flatten(x, 2);
  img_x = torch::flatten(img_x, 2);
  x = torch::add(x, img_x);
  return attn_.o(x);
}

WanAttentionBlockBase::WanAttentionBlockBase(const BuildContext& context, std::string_view class_name,
                                             const Architecture& a, std::string_view cross_attention)
    : BaseLayer(class_name),
      norm1_(context, a.dim, false),
      self_attn_(context, a),
      norm2_(context, a.dim, false),
      ffn_(context, LinearOptions{a.dim, a.ffn_dim}, GELUOptions{}, LinearOptions{a.ffn_dim, a.dim}) {
  register_parameter("modulation", {1, 6, a.dim}, context);
  register_module("norm1", norm1_);
  register_module("self_attn", self_attn_);
  if (a.cross_attn_norm) register_module("norm3", norm3_.emplace(context, a.dim, true));
  if (a.image_conditioned()) {
    register_module("cross_attn", i2v_cross_attn_.emplace(context, a));
  } else {
    register_module("cross_attn", t2v_cross_attn_.emplace(context, a, cross_attention));
  }
  register_module("norm2", norm2_);
  register_module("ffn", ffn_);
}

Tensor WanAttentionBlockBase::forward(Tensor x, Tensor e0, const BlockArguments& args) const {
  const TensorList e = modulation_rows(parameter(0), std::move(e0), 6);

  // self-attention
  Tensor normed = torch::to(norm1_(x), DType::float32);
  normed = modulate(std::move(normed), e[1], e[0]);
  Tensor y = self_attn_(normed, args);
  normed.reset();
  Tensor gated = torch::mul(y, e[2]);
  x = torch::add(x, std::move(gated));

  // cross-attention & ffn
  x = cross_attn_ffn(x, args.context, e);
  return x;
}

Tensor WanAttentionBlockBase::cross_attn_ffn(Tensor x, const Tensor& context, const TensorList& e) const {
  Tensor normed = norm3_ ? (*norm3_)(x) : x;
  Tensor attended = t2v_cross_attn_ ? (*t2v_cross_attn_)(normed, context) : (*i2v_cross_attn_)(normed, context);
  normed.reset();
  x = torch::add(x, std::move(attended));
  normed = torch::to(norm2_(x), DType::float32);
  normed = modulate(std::move(normed), e[4], e[3]);
  Tensor y = ffn_(normed);
  normed.reset();
  Tensor gated = torch::mul(y, e[5]);
  x = torch::add(x, std::move(gated));
  return x;
}

Head::Head(const BuildContext& context, const Architecture& a)
    : Module("Head"), norm_(context, a.dim, false), head_(context, {a.dim, a.patch_size.numel() * a.out_dim}) {
  register_parameter("modulation", {1, 2, a.dim}, context);
  register_module("norm", norm_);
  register_module("head", head_);
}

Tensor Head::forward(Tensor x, Tensor e_in) const {
  AutocastGuard autocast(DType::float32);
  const TensorList e = modulation_rows(parameter(0), e_in.unsqueeze(-2), 2);
  Tensor normed = norm_(x);
  normed = modulate(std::move(normed), e[1], e[0]);
  x = head_(normed);
  return x;
}

MLPProj::MLPProj(const BuildContext& context, const Architecture& a)
    : Module("MLPProj"),
      emb_pos_(a.pos_embed_seq_len > 0),
      proj_(context, NormOptions{a.image_dim, true}, LinearOptions{a.image_dim, a.image_dim}, GELUOptions{},
            LinearOptions{a.image_dim, a.dim}, NormOptions{a.dim, true}) {
  if (emb_pos_) register_parameter("emb_pos", {1, a.pos_embed_seq_len, a.image_dim}, context);
  register_module("proj", proj_);
}

Tensor MLPProj::forward(Tensor image_embeds) const {
  if (emb_pos_) {
    image_embeds = image_embeds.view({-1, 2 * image_embeds.size(1), image_embeds.size(2)});
    image_embeds = torch::add(image_embeds, parameter(0));
  }
  return proj_(image_embeds);
}

WanModelBase::WanModelBase(const BuildContext& context, std::string_view class_name, const Architecture& a)
    : BaseLayer(class_name),
      a_(a),
      patch_embedding_(context, {a.in_dim, a.dim, a.patch_size, a.patch_size, {0, 0, 0}}),
      sequence_parallel_(context.parallel.ulysses > 1),
      text_embedding_(context, LinearOptions{a.text_dim, a.dim}, GELUOptions{}, square(a)),
      time_embedding_(context, LinearOptions{a.freq_dim, a.dim}, SiLUOptions{}, square(a)),
      time_projection_(context, SiLUOptions{}, LinearOptions{a.dim, 6 * a.dim}),
      head_(context, a) {
  register_module("patch_embedding", patch_embedding_);
  register_module("text_embedding", text_embedding_);
  register_module("time_embedding", time_embedding_);
  register_module("time_projection", time_projection_);
}

Tensor WanModelBase::embed_latents(const Conv& patch_embedding, TensorList latents, int64_t seq_len,
                                   std::vector<GridSize>* grid_sizes) const {
  TensorList embedded;
  for (const Tensor& u : latents) embedded.push_back(patch_embedding(u.unsqueeze(0)));
  latents.clear();
  for (Tensor& u : embedded) {
    if (grid_sizes != nullptr) grid_sizes->push_back({u.size(2), u.size(3), u.size(4)});
    u = torch::flatten(u, 2).transpose(1, 2);
  }
  TensorList padded;
  for (const Tensor& u : embedded) {
    Tensor zeros = torch::new_zeros(u, {1, seq_len - u.size(1), u.size(2)});
    padded.push_back(torch::cat({u, std::move(zeros)}, 1));
  }
  return torch::cat(std::move(padded), 0);
}

WanModelBase::TimeEmbedding WanModelBase::embed_time(Tensor t) const {
  AutocastGuard autocast(DType::float32);
  const bool per_token = t.dim() == 2;
  Tensor sinusoid = sinusoidal_embedding_1d(a_.freq_dim, per_token ? torch::flatten(t, 0) : t);
  if (per_token) sinusoid = sinusoid.unflatten(0, {t.size(0), t.size(1)});
  sinusoid = torch::to(sinusoid, DType::float32);
  TimeEmbedding out;
  out.e = time_embedding_(sinusoid);
  sinusoid.reset();
  out.e0 = time_projection_(out.e).unflatten(-1, {6, a_.dim});
  return out;
}

Tensor WanModelBase::embed_text(const TensorList& context) const {
  TensorList padded;
  for (const Tensor& u : context) {
    Tensor zeros = torch::new_zeros(u, {a_.text_len - u.size(0), u.size(1)});
    padded.push_back(torch::cat({u, std::move(zeros)}, 0));
  }
  Tensor stacked = torch::stack(std::move(padded));
  return text_embedding_(stacked);
}

BlockArguments WanModelBase::block_arguments(Tensor* freqs, const std::vector<GridSize>& grid_sizes,
                                             Tensor context) const {
  Tensor seq_lens = Tracer::current().host({static_cast<int64_t>(grid_sizes.size())}, DType::int64);
  return {std::move(seq_lens), grid_sizes, freqs, {a_.rope_max_seq_len, a_.head_dim() / 2}, std::move(context)};
}

void WanModelBase::take_part(Tensor& x) const {
  if (sequence_parallel_) x = chunk_of_rank(x, 1);
}

void WanModelBase::take_part(Tensor& x, TimeEmbedding& time) const {
  if (!sequence_parallel_) return;
  take_part(x);
  time.e = chunk_of_rank(time.e, 1);
  time.e0 = chunk_of_rank(time.e0, 1);
}

TensorList WanModelBase::to_latents(Tensor x, const Tensor& e, const std::vector<GridSize>& grid_sizes) const {
  x = head_(x, e);
  if (sequence_parallel_) x = a_.generation == Generation::wan2_2 ? gather_forward(x, 1) : xfuser_all_gather(x);
  const TensorList out = unpatchify(x, grid_sizes);
  x.reset();
  TensorList floats;
  for (const Tensor& u : out) floats.push_back(torch::to(u, DType::float32));
  return floats;
}

WanModel::WanModel(const BuildContext& context, const Architecture& a)
    : Module(context, "WanModel", a), blocks_(context, a) {
  register_module_list("blocks", blocks_, a.num_layers);
  register_head();
  if (a.image_conditioned()) register_module("img_emb", img_emb_.emplace(context, a));
}

TensorList WanModel::forward(const DiTInputs& in) const {
  TensorList latents = in.x;
  if (!in.y.empty()) {
    for (size_t i = 0; i < latents.size(); ++i) latents[i] = torch::cat({latents[i], in.y[i]}, 0);
  }

  std::vector<GridSize> grid_sizes;
  Tensor x = embed_latents(patch_embedding_, std::move(latents), in.seq_len, &grid_sizes);
  const auto [e, e0] = embed_time(in.t);
  Tensor context = embed_text(in.context);
  Tensor context_clip;
  if (in.clip_fea.defined()) {
    context_clip = (*img_emb_)(in.clip_fea);
    context = torch::cat({context_clip, context}, 1);
  }

  Tensor freqs;
  const BlockArguments args = block_arguments(&freqs, grid_sizes, std::move(context));
  take_part(x);
  x = run_blocks(std::move(x), e0, DType::float32, [&, &modulation = e0](Tensor hidden) {
    return repeat(a_.num_layers, std::move(hidden),
                  [&](int64_t i, const Tensor& state) { return blocks_.call_as(i, state, modulation, args); });
  });
  return to_latents(std::move(x), e, grid_sizes);
}

TensorList WanModelBase::unpatchify(const Tensor& x, const std::vector<GridSize>& grid_sizes) const {
  const int64_t c = a_.out_dim;
  const int64_t p = a_.patch_size[0], q = a_.patch_size[1], r = a_.patch_size[2];
  TensorList out;
  Tensor u;
  for (size_t i = 0; i < grid_sizes.size(); ++i) {
    const auto [f, h, w] = grid_sizes[i];
    u = x.select(0, static_cast<int64_t>(i));
    u = u.slice(0, 0, f * h * w).view({f, h, w, p, q, r, c});
    // einsum is on autocast's list of matrix products.
    u = torch::autocast_low(u).permute({6, 0, 3, 1, 4, 2, 5});
    u = torch::reshape(u, {c, f * p, h * q, w * r});
    out.push_back(u);
  }
  return out;
}

}  // namespace modelmeter::wan::official
