#include "model/wan/diffusers/dit.h"

#include "layer/modulation.h"
#include "model/wan/step_cache.h"
#include "trace/repeat.h"

namespace modelmeter::wan::diffusers {
namespace {

// dispatch_attention_fn with the native backend: q, k, v [b, s, h, d].
Tensor dispatch_attention(const Tensor& q, const Tensor& k, const Tensor& v) {
  FunctionScope scope("core");
  Tensor out =
      torch::scaled_dot_product_attention(q.permute({0, 2, 1, 3}), k.permute({0, 2, 1, 3}), v.permute({0, 2, 1, 3}));
  return out.permute({0, 2, 1, 3});
}

Tensor apply_rotary_emb(const Tensor& x, const RotaryEmbedding& rotary) {
  FunctionScope scope("rope");
  const TensorList pair = x.unflatten(-1, {-1, 2}).unbind(-1);
  const Tensor& x1 = pair[0];
  const Tensor& x2 = pair[1];
  const Tensor cos = rotary[0].slice(-1, 0, rotary[0].size(-1), 2);
  const Tensor sin = rotary[1].slice(-1, 1, rotary[1].size(-1), 2);
  Tensor out = torch::empty_like(x);
  {
    Tensor a = torch::mul(x1, cos);
    Tensor b = torch::mul(x2, sin);
    Tensor even = torch::sub(std::move(a), std::move(b));
    torch::copy_(out.slice(-1, 0, out.size(-1), 2), std::move(even));
  }
  {
    Tensor a = torch::mul(x1, sin);
    Tensor b = torch::mul(x2, cos);
    Tensor odd = torch::add(std::move(a), std::move(b));
    torch::copy_(out.slice(-1, 1, out.size(-1), 2), std::move(odd));
  }
  return torch::to(std::move(out), x.dtype());
}

// The rows of a modulation table plus the time step's: [B, rows, C] cut into [B, 1, C], or with one time step per token
// [B, tokens, rows, C] cut into [B, tokens, C].
TensorList modulation_rows(const Tensor& table, Tensor temb, int rows) {
  if (temb.dim() != 4) return torch::add(table, std::move(temb)).chunk(rows, 1);
  TensorList parts = torch::add(table.unsqueeze(0), std::move(temb)).chunk(rows, 2);
  for (Tensor& part : parts) part = part.squeeze(2);
  return parts;
}

}  // namespace

FP32LayerNorm::FP32LayerNorm(int64_t dim, bool elementwise_affine)
    : Module("FP32LayerNorm"), affine_(elementwise_affine) {
  if (!affine_) return;
  register_parameter("weight", {dim}, DType::float32);
  register_parameter("bias", {dim}, DType::float32);
}

Tensor FP32LayerNorm::forward(Tensor x) const {
  const DType dtype = x.dtype();
  Tensor normed = torch::to(x, DType::float32);
  normed = torch::layer_norm(normed, affine_ ? parameter(0) : Tensor(), affine_ ? parameter(1) : Tensor());
  return torch::to(normed, dtype);
}

GELUProj::GELUProj(const BuildContext& context, int64_t in, int64_t out) : Module("GELU"), proj_(context, {in, out}) {
  register_module("proj", proj_);
}

Tensor GELUProj::forward(Tensor x) const {
  x = proj_(x);
  x = torch::gelu(x);
  return x;
}

FeedForward::FeedForward(const BuildContext& context, int64_t in, int64_t inner, int64_t out)
    : Module("FeedForward"), net_0_(context, in, inner), net_2_(context, {inner, out}) {
  register_module("net.0", net_0_);
  register_module("net.2", net_2_);
}

Tensor FeedForward::forward(Tensor x) const {
  x = net_0_(x);
  x = net_2_(x);
  return x;
}

WanAttention::AddedKv::AddedKv(const BuildContext& context, const Architecture& a)
    : add_k_proj(context, {a.dim, a.dim}), add_v_proj(context, {a.dim, a.dim}), norm_added_k(context, {a.dim, true}) {}

WanAttention::WanAttention(const BuildContext& context, const Architecture& a, bool image)
    : Module("WanAttention"),
      heads_(a.num_heads),
      to_q_(context, {a.dim, a.dim}),
      to_k_(context, {a.dim, a.dim}),
      to_v_(context, {a.dim, a.dim}),
      to_out_0_(context, {a.dim, a.dim}),
      norm_q_(context, {a.dim, true}),
      norm_k_(context, {a.dim, true}) {
  register_module("to_q", to_q_);
  register_module("to_k", to_k_);
  register_module("to_v", to_v_);
  register_module("to_out.0", to_out_0_);
  register_module("norm_q", norm_q_);
  register_module("norm_k", norm_k_);
  if (!image) return;
  added_.emplace(context, a);
  register_module("add_k_proj", added_->add_k_proj);
  register_module("add_v_proj", added_->add_v_proj);
  register_module("norm_added_k", added_->norm_added_k);
}

Tensor WanAttention::forward(Tensor hidden_states, Tensor encoder_hidden_states, const RotaryEmbedding* rotary) const {
  Tensor image;
  if (added_) {
    const int64_t image_context_length = encoder_hidden_states.size(1) - 512;
    image = encoder_hidden_states.slice(1, 0, image_context_length);
    encoder_hidden_states = encoder_hidden_states.slice(1, image_context_length, encoder_hidden_states.size(1));
  }
  const Tensor& source = encoder_hidden_states.defined() ? encoder_hidden_states : hidden_states;
  Tensor query = to_q_(hidden_states);
  Tensor key = to_k_(source);
  Tensor value = to_v_(source);

  query = norm_q_(query);
  key = norm_k_(key);
  query = query.unflatten(2, {heads_, -1});
  key = key.unflatten(2, {heads_, -1});
  value = value.unflatten(2, {heads_, -1});

  if (rotary != nullptr) {
    query = apply_rotary_emb(query, *rotary);
    key = apply_rotary_emb(key, *rotary);
  }

  Tensor hidden_states_img, key_img, value_img;
  if (image.defined()) {
    key_img = added_->add_k_proj(image);
    value_img = added_->add_v_proj(image);
    key_img = added_->norm_added_k(key_img);
    key_img = key_img.unflatten(2, {heads_, -1});
    value_img = value_img.unflatten(2, {heads_, -1});
    hidden_states_img = dispatch_attention(query, key_img, value_img);
    hidden_states_img = torch::flatten(hidden_states_img, 2, 3);
    hidden_states_img = torch::type_as(hidden_states_img, query);
  }

  if (rotary != nullptr) {
    const SparseAttentionGuard sparse;
    hidden_states = dispatch_attention(query, key, value);
  } else {
    hidden_states = dispatch_attention(query, key, value);
  }
  hidden_states = torch::flatten(hidden_states, 2, 3);
  hidden_states = torch::type_as(hidden_states, query);
  if (hidden_states_img.defined()) hidden_states = torch::add(hidden_states, hidden_states_img);
  hidden_states = to_out_0_(hidden_states);
  return hidden_states;
}

WanImageEmbedding::WanImageEmbedding(const BuildContext& context, const Architecture& a)
    : Module("WanImageEmbedding"),
      pos_embed_(a.pos_embed_seq_len > 0),
      norm1_(a.image_dim, true),
      ff_(context, a.image_dim, a.image_dim, a.dim),
      norm2_(a.dim, true) {
  if (pos_embed_) register_parameter("pos_embed", {1, a.pos_embed_seq_len, a.image_dim}, context);
  register_module("norm1", norm1_);
  register_module("ff", ff_);
  register_module("norm2", norm2_);
}

Tensor WanImageEmbedding::forward(Tensor image) const {
  if (pos_embed_) {
    image = image.view({-1, 2 * image.size(1), image.size(2)});
    image = torch::add(image, parameter(0));
  }
  Tensor hidden_states = norm1_(image);
  hidden_states = ff_(hidden_states);
  hidden_states = norm2_(hidden_states);
  return hidden_states;
}

Tensor Timesteps::forward(Tensor timesteps) const {
  const int64_t half_dim = num_channels_ / 2;
  Tensor exponent = torch::arange(half_dim, DType::float32);
  exponent = torch::mul(exponent, 1.0);
  exponent = torch::div(exponent, 1.0);
  Tensor emb = torch::exp(exponent);
  {
    Tensor steps = torch::to(timesteps.unsqueeze(1), DType::float32);
    emb = torch::mul(std::move(steps), emb.unsqueeze(0));
  }
  emb = torch::mul(emb, 1.0);
  {
    Tensor sin = torch::sin(emb);
    Tensor cos = torch::cos(emb);
    emb = torch::cat({std::move(sin), std::move(cos)}, -1);
  }
  emb = torch::cat({emb.slice(1, half_dim, num_channels_), emb.slice(1, 0, half_dim)}, -1);
  return emb;
}

WanTimeTextImageEmbedding::WanTimeTextImageEmbedding(const BuildContext& context, const Architecture& a)
    : Module("WanTimeTextImageEmbedding"),
      timesteps_proj_(a.freq_dim),
      time_embedder_(context.with(DType::float32), "TimestepEmbedding", "act", a.freq_dim, a.dim),
      time_proj_(context, {a.dim, 6 * a.dim}),
      text_embedder_(context, "PixArtAlphaTextProjection", "act_1", a.text_dim, a.dim) {
  register_module("timesteps_proj", timesteps_proj_);
  register_module("time_embedder", time_embedder_);
  register_module("act_fn", act_fn_);
  register_module("time_proj", time_proj_);
  register_module("text_embedder", text_embedder_);
  if (a.image_conditioned()) register_module("image_embedder", image_embedder_.emplace(context, a));
}

WanTimeTextImageEmbedding::Result WanTimeTextImageEmbedding::forward(Tensor timestep, Tensor text, Tensor image,
                                                                     int64_t tokens) const {
  Result out;
  timestep = timesteps_proj_(timestep);
  if (tokens > 0) timestep = timestep.unflatten(0, {-1, tokens});
  {
    Tensor embedded = time_embedder_(timestep);
    out.temb = torch::type_as(std::move(embedded), text);
  }
  Tensor activated = act_fn_(out.temb);
  out.timestep_proj = time_proj_(activated);
  activated.reset();
  out.text = text_embedder_(text);
  if (image.defined()) out.image = (*image_embedder_)(image);
  return out;
}

WanRotaryPosEmbed::WanRotaryPosEmbed(const Architecture& a)
    : Module("WanRotaryPosEmbed"), head_dim_(a.head_dim()), patch_size_(a.patch_size) {
  register_buffer("freqs_cos", {a.rope_max_seq_len, head_dim_}, DType::float32);
  register_buffer("freqs_sin", {a.rope_max_seq_len, head_dim_}, DType::float32);
}

RotaryEmbedding WanRotaryPosEmbed::forward(Tensor hidden_states) const {
  const int64_t f = hidden_states.size(2) / patch_size_[0];
  const int64_t h = hidden_states.size(3) / patch_size_[1];
  const int64_t w = hidden_states.size(4) / patch_size_[2];
  const int64_t h_dim = 2 * (head_dim_ / 6), w_dim = h_dim, t_dim = head_dim_ - h_dim - w_dim;
  auto grid = [&](const Tensor& freqs) {
    const TensorList parts = freqs.split({t_dim, h_dim, w_dim}, 1);
    return torch::cat({parts[0].slice(0, 0, f).view({f, 1, 1, -1}).expand({f, h, w, -1}),
                       parts[1].slice(0, 0, h).view({1, h, 1, -1}).expand({f, h, w, -1}),
                       parts[2].slice(0, 0, w).view({1, 1, w, -1}).expand({f, h, w, -1})},
                      -1)
        .view({1, f * h * w, 1, -1});
  };
  Tensor cos = grid(parameter(0));
  Tensor sin = grid(parameter(1));
  return {std::move(cos), std::move(sin)};
}

WanTransformerBlockBase::WanTransformerBlockBase(const BuildContext& context, std::string_view class_name,
                                                 const Architecture& a)
    : BaseLayer(class_name),
      norm1_(a.dim, false),
      attn1_(context, a, false),
      attn2_(context, a, a.image_conditioned()),
      ffn_(context, a.dim, a.ffn_dim, a.dim),
      norm3_(a.dim, false) {
  register_parameter("scale_shift_table", {1, 6, a.dim}, DType::float32);
  if (a.cross_attn_norm) norm2_.emplace(a.dim, true);
}

void WanTransformerBlockBase::register_layers() {
  register_module("norm1", norm1_);
  register_module("attn1", attn1_);
  register_module("attn2", attn2_);
  if (norm2_) register_module("norm2", *norm2_);
  register_module("ffn", ffn_);
  register_module("norm3", norm3_);
}

WanTransformerBlockBase::Result WanTransformerBlockBase::run_block(Tensor hidden_states, Tensor encoder_hidden_states,
                                                                   Tensor temb, const RotaryEmbedding& rotary,
                                                                   const Linear* projection) const {
  enum { shift_msa, scale_msa, gate_msa, c_shift_msa, c_scale_msa, c_gate_msa };
  const TensorList e = modulation_rows(parameter(0), torch::to(std::move(temb), DType::float32), 6);
  const DType dtype = hidden_states.dtype();
  auto modulated = [&](const FP32LayerNorm& norm, int scale, int shift) {
    Tensor x = torch::to(hidden_states, DType::float32);
    x = norm(x);
    x = modulate(std::move(x), e[static_cast<size_t>(scale)], e[static_cast<size_t>(shift)]);
    return torch::to(std::move(x), dtype);
  };

  // 1. Self-attention
  Tensor norm_hidden_states = modulated(norm1_, scale_msa, shift_msa);
  Tensor attn_output = attn1_(norm_hidden_states, Tensor(), &rotary);
  {
    Tensor residual = torch::to(hidden_states, DType::float32);
    Tensor gated = torch::mul(attn_output, e[gate_msa]);
    residual = torch::add(std::move(residual), std::move(gated));
    hidden_states = torch::to(std::move(residual), dtype);
  }

  // 2. Cross-attention
  {
    Tensor x = torch::to(hidden_states, DType::float32);
    if (norm2_) x = (*norm2_)(x);
    norm_hidden_states = torch::to(std::move(x), dtype);
  }
  attn_output = attn2_(norm_hidden_states, encoder_hidden_states, nullptr);
  hidden_states = torch::add(hidden_states, attn_output);

  // 3. Feed-forward
  norm_hidden_states = modulated(norm3_, c_scale_msa, c_shift_msa);
  Tensor ff_output = ffn_(norm_hidden_states);
  {
    Tensor residual = torch::to(hidden_states, DType::float32);
    Tensor gated = torch::to(ff_output, DType::float32);
    gated = torch::mul(gated, e[c_gate_msa]);
    residual = torch::add(std::move(residual), std::move(gated));
    hidden_states = torch::to(std::move(residual), dtype);
  }

  Tensor projected = projection != nullptr ? (*projection)(hidden_states) : Tensor();
  return {std::move(hidden_states), std::move(projected)};
}

WanTransformer3DModelBase::WanTransformer3DModelBase(const BuildContext& context, std::string_view class_name,
                                                     const Architecture& a)
    : BaseLayer(class_name),
      a_(a),
      rope_(a),
      patch_embedding_(context, {a.in_dim, a.dim, a.patch_size, a.patch_size, {0, 0, 0}}),
      condition_embedder_(context, a),
      norm_out_(a.dim, false),
      proj_out_(context, {a.dim, a.out_dim * a.patch_size.numel()}) {
  register_parameter("scale_shift_table", {1, 2, a.dim}, DType::float32);
  register_module("rope", rope_);
  register_module("patch_embedding", patch_embedding_);
}

void WanTransformer3DModelBase::register_output() {
  register_module("norm_out", norm_out_);
  register_module("proj_out", proj_out_);
}

WanTransformer3DModelBase::Condition WanTransformer3DModelBase::embed_condition(const DiTInputs& in) const {
  const bool per_token = in.timestep.dim() == 2;
  WanTimeTextImageEmbedding::Result result =
      condition_embedder_(per_token ? in.timestep.view({-1}) : in.timestep, in.encoder_hidden_states,
                          in.encoder_hidden_states_image, per_token ? in.timestep.size(1) : 0);
  Condition out;
  out.temb = std::move(result.temb);
  out.timestep_proj = result.timestep_proj.unflatten(per_token ? 2 : 1, {6, -1});
  out.encoder_hidden_states = std::move(result.text);
  out.encoder_hidden_states_image = std::move(result.image);
  if (out.encoder_hidden_states_image.defined()) {
    out.encoder_hidden_states = torch::cat({out.encoder_hidden_states_image, out.encoder_hidden_states}, 1);
  }
  return out;
}

Tensor WanTransformer3DModelBase::to_latents(Tensor hidden_states, const Tensor& temb, const Tensor& latents) const {
  const int64_t p_t = a_.patch_size[0], p_h = a_.patch_size[1], p_w = a_.patch_size[2];
  const int64_t batch = latents.size(0);
  const int64_t frames = latents.size(2) / p_t, height = latents.size(3) / p_h, width = latents.size(4) / p_w;
  const TensorList e = modulation_rows(parameter(0), temb.unsqueeze(-2), 2);
  {
    const DType dtype = hidden_states.dtype();
    Tensor x = torch::to(hidden_states, DType::float32);
    x = norm_out_(x);
    x = modulate(std::move(x), e[1], e[0]);
    hidden_states = torch::to(std::move(x), dtype);
  }
  hidden_states = proj_out_(hidden_states);
  hidden_states = torch::reshape(hidden_states, {batch, frames, height, width, p_t, p_h, p_w, -1});
  hidden_states = hidden_states.permute({0, 7, 1, 4, 2, 5, 3, 6});
  Tensor output = torch::flatten(hidden_states, 6, 7);
  output = torch::flatten(output, 4, 5);
  output = torch::flatten(output, 2, 3);
  return output;
}

WanTransformer3DModel::WanTransformer3DModel(const BuildContext& context, const Architecture& a)
    : Module(context, "WanTransformer3DModel", a), blocks_(context, a) {
  register_module("condition_embedder", condition_embedder_);
  register_module_list("blocks", blocks_, a.num_layers);
  register_output();
}

Tensor WanTransformer3DModel::forward(const DiTInputs& in) const {
  const RotaryEmbedding rotary = rope_(in.hidden_states);
  Tensor hidden_states = patch_embedding_(in.hidden_states);
  hidden_states = torch::flatten(hidden_states, 2).transpose(1, 2);
  hidden_states = torch::contiguous(hidden_states);

  const Condition condition = embed_condition(in);
  const DType dtype = hidden_states.dtype();
  hidden_states = run_blocks(std::move(hidden_states), condition.timestep_proj, dtype, [&](Tensor x) {
    return repeat(a_.num_layers, std::move(x), [&](int64_t i, const Tensor& state) {
      return blocks_.call_as(i, state, condition.encoder_hidden_states, condition.timestep_proj, rotary);
    });
  });
  return to_latents(std::move(hidden_states), condition.temb, in.hidden_states);
}

}  // namespace modelmeter::wan::diffusers
