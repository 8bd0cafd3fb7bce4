#include "model/transformers/umt5.h"

#include "trace/repeat.h"

namespace modelmeter::transformers {
namespace {

LinearOptions no_bias(int64_t in, int64_t out) { return {in, out, false}; }

// create_bidirectional_mask for sdpa: [B, L] -> [B, 1, L, L], true where a query attends to a key.
Tensor create_bidirectional_mask(const Tensor& inputs_embeds, const Tensor& attention_mask) {
  FunctionScope scope("mask");
  const int64_t length = inputs_embeds.size(1);
  const Tensor padding_mask = torch::to(attention_mask, DType::boolean);
  const Tensor batch = torch::arange(inputs_embeds.size(0), DType::int64).view({-1, 1, 1, 1});
  const Tensor head = torch::arange(1, DType::int64).view({1, -1, 1, 1});
  Tensor q = torch::arange(length, DType::int64);
  q = torch::add(q, 0);
  Tensor kv = torch::arange(length, DType::int64);
  kv = torch::add(kv, 0);
  q = q.view({1, 1, -1, 1});
  kv = kv.view({1, 1, 1, -1});

  Tensor mask;
  {
    Tensor result = torch::new_ones(q, {}, DType::boolean);
    Tensor every = torch::ge(q, 0.0);
    mask = torch::bitwise_and(std::move(result), std::move(every));
  }
  Tensor padding = torch::index(padding_mask, batch, kv);
  return torch::bitwise_and(std::move(mask), std::move(padding));
}

// sdpa_attention_forward: the bias where the mask is true and the least number elsewhere, as one added mask.
Tensor sdpa_attention_forward(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& attention_mask,
                              const Tensor& position_bias) {
  FunctionScope scope("core");
  Tensor mask;
  {
    Tensor least = torch::scalar_tensor(key.dtype());
    mask = torch::where(attention_mask, position_bias, std::move(least));
  }
  mask = torch::contiguous(std::move(mask));
  Tensor out = torch::scaled_dot_product_attention(query, key, value, mask);
  return torch::contiguous(out.transpose(1, 2));
}

}  // namespace

Tensor UMT5LayerNorm::forward(Tensor hidden_states) const {
  Tensor variance = torch::to(hidden_states, DType::float32);
  variance = torch::pow(std::move(variance), 2);
  variance = torch::mean(std::move(variance), -1, true);
  Tensor scale = torch::add(variance, 1e-6);
  scale = torch::rsqrt(std::move(scale));
  hidden_states = torch::mul(hidden_states, std::move(scale));
  const Tensor weight = parameter(0);
  if (weight.dtype() == DType::float16 || weight.dtype() == DType::bfloat16) {
    hidden_states = torch::to(hidden_states, weight.dtype());
  }
  return torch::mul(weight, hidden_states);
}

Tensor NewGELUActivation::forward(Tensor input) const {
  Tensor half = torch::mul(input, 0.5);
  Tensor inner = torch::pow(input, 3.0);
  inner = torch::mul(inner, 0.044715);
  inner = torch::add(input, std::move(inner));
  inner = torch::mul(std::move(inner), 0.7978845608028654);  // sqrt(2 / pi)
  inner = torch::tanh(std::move(inner));
  inner = torch::add(std::move(inner), 1.0);
  return torch::mul(std::move(half), std::move(inner));
}

UMT5DenseGatedActDense::UMT5DenseGatedActDense(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5DenseGatedActDense"),
      wi_0_(context, no_bias(a.dim, a.dim_ffn)),
      wi_1_(context, no_bias(a.dim, a.dim_ffn)),
      wo_(context, no_bias(a.dim_ffn, a.dim)) {
  register_module("wi_0", wi_0_);
  register_module("wi_1", wi_1_);
  register_module("wo", wo_);
  register_module("act", act_);
}

Tensor UMT5DenseGatedActDense::forward(Tensor hidden_states) const {
  Tensor hidden_gelu = wi_0_(hidden_states);
  hidden_gelu = act_(hidden_gelu);
  const Tensor hidden_linear = wi_1_(hidden_states);
  hidden_states = torch::mul(hidden_gelu, hidden_linear);
  hidden_states = wo_(hidden_states);
  return hidden_states;
}

UMT5LayerFF::UMT5LayerFF(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5LayerFF"), dense_(context, a), layer_norm_(context, a.dim) {
  register_module("DenseReluDense", dense_);
  register_module("layer_norm", layer_norm_);
}

Tensor UMT5LayerFF::forward(Tensor hidden_states) const {
  Tensor forwarded_states = layer_norm_(hidden_states);
  forwarded_states = dense_(forwarded_states);
  hidden_states = torch::add(hidden_states, forwarded_states);
  return hidden_states;
}

UMT5Attention::UMT5Attention(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5Attention"),
      n_heads_(a.num_heads),
      key_value_proj_dim_(a.head_dim()),
      q_(context, no_bias(a.dim, a.dim_attn)),
      k_(context, no_bias(a.dim, a.dim_attn)),
      v_(context, no_bias(a.dim, a.dim_attn)),
      o_(context, no_bias(a.dim_attn, a.dim)),
      relative_attention_bias_(context, {a.num_buckets, a.num_heads}) {
  register_module("q", q_);
  register_module("k", k_);
  register_module("v", v_);
  register_module("o", o_);
  register_module("relative_attention_bias", relative_attention_bias_);
}

Tensor UMT5Attention::forward(Tensor hidden_states, Tensor attention_mask) const {
  const int64_t batch_size = hidden_states.size(0), seq_length = hidden_states.size(1);
  auto heads = [&](const Tensor& x) { return x.view({batch_size, -1, n_heads_, key_value_proj_dim_}).transpose(1, 2); };
  const Tensor query_states = heads(q_(hidden_states));
  Tensor key_states = k_(hidden_states);
  Tensor value_states = v_(hidden_states);
  key_states = heads(key_states);
  value_states = heads(value_states);

  const Tensor position_bias = compute_bias(seq_length, key_states.size(2));
  Tensor attn_output = sdpa_attention_forward(query_states, key_states, value_states, attention_mask, position_bias);

  attn_output = torch::reshape(attn_output, {batch_size, seq_length, -1});
  attn_output = o_(attn_output);
  return attn_output;
}

Tensor UMT5Attention::compute_bias(int64_t query_length, int64_t key_length) const {
  FunctionScope scope("position_bias");
  Tensor context_position = torch::arange(query_length, DType::int64).unsqueeze(1);
  context_position = torch::add(std::move(context_position), 0);
  const Tensor memory_position = torch::arange(key_length, DType::int64).unsqueeze(0);
  const Tensor relative_position = torch::sub(memory_position, context_position);
  const Tensor relative_position_bucket = this->relative_position_bucket(relative_position);
  return relative_attention_bias_(relative_position_bucket).permute({2, 0, 1}).unsqueeze(0);
}

Tensor UMT5Attention::relative_position_bucket(Tensor relative_position) const {
  Tensor relative_buckets = torch::to(torch::gt(relative_position, 0.0), DType::int64);
  relative_buckets = torch::mul(std::move(relative_buckets), 1);
  relative_buckets = torch::add(std::move(relative_buckets), 0);
  relative_position = torch::abs(relative_position);

  const Tensor is_small = torch::lt(relative_position, 0.0);
  Tensor log_ratio = torch::to(relative_position, DType::float32);
  log_ratio = torch::div(std::move(log_ratio), 1.0);
  log_ratio = torch::log(std::move(log_ratio));
  log_ratio = torch::div(std::move(log_ratio), 1.0);
  log_ratio = torch::mul(log_ratio, 1.0);
  Tensor relative_position_if_large = torch::to(log_ratio, DType::int64);
  relative_position_if_large = torch::add(std::move(relative_position_if_large), 1);
  Tensor largest = torch::full_like(relative_position_if_large);
  relative_position_if_large = torch::minimum(relative_position_if_large, std::move(largest));
  Tensor bucket = torch::where(is_small, relative_position, relative_position_if_large);
  return torch::add_(relative_buckets, std::move(bucket));
}

UMT5LayerSelfAttention::UMT5LayerSelfAttention(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5LayerSelfAttention"), attention_(context, a), layer_norm_(context, a.dim) {
  register_module("SelfAttention", attention_);
  register_module("layer_norm", layer_norm_);
}

Tensor UMT5LayerSelfAttention::forward(Tensor hidden_states, Tensor attention_mask) const {
  const Tensor normed_hidden_states = layer_norm_(hidden_states);
  const Tensor attention_output = attention_(normed_hidden_states, attention_mask);
  hidden_states = torch::add(hidden_states, attention_output);
  return hidden_states;
}

UMT5Block::UMT5Block(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5Block"), layer_0_(context, a), layer_1_(context, a) {
  register_module("layer.0", layer_0_);
  register_module("layer.1", layer_1_);
}

Tensor UMT5Block::forward(Tensor hidden_states, Tensor attention_mask) const {
  hidden_states = layer_0_(hidden_states, attention_mask);
  hidden_states = layer_1_(hidden_states);
  return hidden_states;
}

UMT5Stack::UMT5Stack(const BuildContext& context, const TextEncoderArchitecture& a, const Embedding& shared)
    : Module("UMT5Stack"),
      num_layers_(a.num_layers),
      embed_tokens_(shared),
      block_(context, a),
      final_layer_norm_(context, a.dim) {
  register_module("embed_tokens", embed_tokens_);
  register_module_list("block", block_, a.num_layers);
  register_module("final_layer_norm", final_layer_norm_);
}

Tensor UMT5Stack::forward(Tensor input_ids, Tensor attention_mask) const {
  const Tensor inputs_embeds = embed_tokens_(input_ids);
  const Tensor mask = create_bidirectional_mask(inputs_embeds, attention_mask);
  Tensor hidden_states = repeat(num_layers_, inputs_embeds,
                                [&](int64_t i, const Tensor& state) { return block_.call_as(i, state, mask); });
  hidden_states = final_layer_norm_(hidden_states);
  return hidden_states;
}

UMT5EncoderModel::UMT5EncoderModel(const BuildContext& context, const TextEncoderArchitecture& a)
    : Module("UMT5EncoderModel"), a_(a), shared_(context, {a.vocab, a.dim}), encoder_(context, a, shared_) {
  register_module("shared", shared_);
  register_module("encoder", encoder_);
}

Tensor UMT5EncoderModel::forward(Tensor input_ids, Tensor attention_mask) const {
  return encoder_(input_ids, attention_mask);
}

}  // namespace modelmeter::transformers
