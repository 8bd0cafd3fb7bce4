#include "model/wan/official/t5.h"

#include "trace/repeat.h"

namespace modelmeter::wan::official {
namespace {

LinearOptions no_bias(int64_t in, int64_t out) { return {in, out, false}; }

// torch.einsum of a [b, n, m, k] and c [b, n, k, l] to [b, n, m, l]. Each operand is folded with the other's free
// dimension as one of size 1, which shows in the copy that more than one sample needs. Where k is 1 there is nothing to
// sum: a plain product.
Tensor einsum(const Tensor& a, const Tensor& c) {
  if (a.size(3) == 1) {
    Tensor product = torch::mul(a.permute({0, 2, 1, 3}).unsqueeze(3), c.permute({0, 1, 3, 2}).unsqueeze(1));
    return product.squeeze(4).permute({0, 2, 1, 3});
  }
  auto folded = [](const Tensor& x) {
    return torch::reshape(x.unsqueeze(4), {x.size(0) * x.size(1), x.size(2), x.size(3)});
  };
  Tensor left = folded(a);
  Tensor right = folded(c);
  return torch::matmul(std::move(left), std::move(right)).view({a.size(0), a.size(1), a.size(2), c.size(3)});
}

}  // namespace

Tensor T5GELU::forward(Tensor x) const {
  Tensor half = torch::mul(x, 0.5);
  Tensor inner = torch::pow(x, 3.0);
  inner = torch::mul(inner, 0.044715);
  inner = torch::add(x, std::move(inner));
  inner = torch::mul(std::move(inner), 0.7978845608028654);  // sqrt(2 / pi)
  inner = torch::tanh(std::move(inner));
  inner = torch::add(std::move(inner), 1.0);
  return torch::mul(std::move(half), std::move(inner));
}

Tensor T5LayerNorm::forward(Tensor x) const {
  Tensor scale = torch::to(x, DType::float32);
  scale = torch::pow(std::move(scale), 2);
  scale = torch::mean(std::move(scale), -1, true);
  scale = torch::add(std::move(scale), 1e-6);
  scale = torch::rsqrt(std::move(scale));
  x = torch::mul(x, std::move(scale));
  const Tensor weight = parameter(0);
  if (weight.dtype() == DType::float16 || weight.dtype() == DType::bfloat16) x = torch::type_as(x, weight);
  return torch::mul(weight, x);
}

T5Attention::T5Attention(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("T5Attention"),
      num_heads_(a.num_heads),
      head_dim_(a.head_dim()),
      q_(context, no_bias(a.dim, a.dim_attn)),
      k_(context, no_bias(a.dim, a.dim_attn)),
      v_(context, no_bias(a.dim, a.dim_attn)),
      o_(context, no_bias(a.dim_attn, a.dim)) {
  register_module("q", q_);
  register_module("k", k_);
  register_module("v", v_);
  register_module("o", o_);
}

Tensor T5Attention::forward(Tensor x, Tensor mask, Tensor pos_bias) const {
  const int64_t b = x.size(0), n = num_heads_, c = head_dim_;
  const Tensor q = q_(x).view({b, -1, n, c});
  const Tensor k = k_(x).view({b, -1, n, c});
  const Tensor v = v_(x).view({b, -1, n, c});
  Tensor attn_bias, attn;
  {
    FunctionScope scope("core");
    attn_bias = torch::new_zeros(x, {b, n, q.size(1), k.size(1)});
    attn_bias = torch::add_(attn_bias, pos_bias);
    Tensor hidden = torch::eq(mask.view({b, 1, 1, -1}), 0.0);
    attn_bias = torch::masked_fill_(attn_bias, std::move(hidden));

    attn = einsum(q.permute({0, 2, 1, 3}), k.permute({0, 2, 3, 1}));
    attn = torch::add(std::move(attn), attn_bias);
    Tensor weights = torch::to(attn, DType::float32);
    weights = torch::softmax(std::move(weights), -1);
    attn = torch::type_as(std::move(weights), attn);
    x = einsum(attn, v.permute({0, 2, 1, 3})).permute({0, 2, 1, 3});
  }
  x = torch::reshape(x, {b, -1, n * c});
  x = o_(x);
  return x;
}

T5FeedForward::T5FeedForward(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("T5FeedForward"),
      gate_(context, no_bias(a.dim, a.dim_ffn), T5GELUOptions{}),
      fc1_(context, no_bias(a.dim, a.dim_ffn)),
      fc2_(context, no_bias(a.dim_ffn, a.dim)) {
  register_module("gate", gate_);
  register_module("fc1", fc1_);
  register_module("fc2", fc2_);
}

Tensor T5FeedForward::forward(Tensor x) const {
  {
    Tensor linear = fc1_(x);
    Tensor gate = gate_(x);
    x = torch::mul(std::move(linear), std::move(gate));
  }
  x = fc2_(x);
  return x;
}

T5RelativeEmbedding::T5RelativeEmbedding(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("T5RelativeEmbedding"), embedding_(context, {a.num_buckets, a.num_heads}) {
  register_module("embedding", embedding_);
}

Tensor T5RelativeEmbedding::forward(int64_t lq, int64_t lk) const {
  Tensor rel_pos;
  {
    Tensor keys = torch::arange(lk, DType::int64).unsqueeze(0);
    Tensor queries = torch::arange(lq, DType::int64).unsqueeze(1);
    rel_pos = torch::sub(std::move(keys), std::move(queries));
  }
  rel_pos = relative_position_bucket(rel_pos);
  const Tensor rel_pos_embeds = embedding_(rel_pos).permute({2, 0, 1}).unsqueeze(0);
  return torch::contiguous(rel_pos_embeds);
}

Tensor T5RelativeEmbedding::relative_position_bucket(Tensor rel_pos) const {
  Tensor rel_buckets = torch::to(torch::gt(rel_pos, 0.0), DType::int64);
  rel_buckets = torch::mul(std::move(rel_buckets), 1);
  rel_pos = torch::abs(rel_pos);

  Tensor rel_pos_large = torch::to(rel_pos, DType::float32);
  rel_pos_large = torch::div(std::move(rel_pos_large), 1.0);
  rel_pos_large = torch::log(std::move(rel_pos_large));
  rel_pos_large = torch::div(std::move(rel_pos_large), 1.0);
  rel_pos_large = torch::mul(std::move(rel_pos_large), 1.0);
  rel_pos_large = torch::to(std::move(rel_pos_large), DType::int64);
  rel_pos_large = torch::add(std::move(rel_pos_large), 1);
  Tensor largest = torch::full_like(rel_pos_large);
  rel_pos_large = torch::minimum(rel_pos_large, std::move(largest));
  Tensor small = torch::lt(rel_pos, 0.0);
  Tensor bucket = torch::where(std::move(small), rel_pos, rel_pos_large);
  return torch::add_(rel_buckets, std::move(bucket));
}

T5SelfAttention::T5SelfAttention(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("T5SelfAttention"), norm1_(context, a.dim), attn_(context, a), norm2_(context, a.dim), ffn_(context, a) {
  register_module("norm1", norm1_);
  register_module("attn", attn_);
  register_module("norm2", norm2_);
  register_module("ffn", ffn_);
  if (!a.shared_pos) register_module("pos_embedding", pos_embedding_.emplace(context, a));
}

Tensor T5SelfAttention::forward(Tensor x, Tensor mask, Tensor pos_bias) const {
  const Tensor e = pos_embedding_ ? (*pos_embedding_)(x.size(1), x.size(1)) : pos_bias;
  Tensor normed = norm1_(x);
  Tensor y = attn_(normed, mask, e);
  normed.reset();
  x = torch::add(x, std::move(y));
  normed = norm2_(x);
  y = ffn_(normed);
  normed.reset();
  x = torch::add(x, std::move(y));
  return x;
}

T5Encoder::T5Encoder(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("T5Encoder"),
      a_(a),
      token_embedding_(context, {a.vocab, a.dim}),
      blocks_(context, a),
      norm_(context, a.dim) {
  register_module("token_embedding", token_embedding_);
  if (a.shared_pos) register_module("pos_embedding", pos_embedding_.emplace(context, a));
  register_module_list("blocks", blocks_, a.num_layers);
  register_module("norm", norm_);
}

Tensor T5Encoder::forward(Tensor ids, Tensor mask) const {
  Tensor x = token_embedding_(ids);
  const Tensor e = pos_embedding_ ? (*pos_embedding_)(x.size(1), x.size(1)) : Tensor();
  x = repeat(a_.num_layers, std::move(x),
             [&](int64_t i, const Tensor& state) { return blocks_.call_as(i, state, mask, e); });
  x = norm_(x);
  return x;
}

}  // namespace modelmeter::wan::official
