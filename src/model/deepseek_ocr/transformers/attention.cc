#include "model/deepseek_ocr/transformers/attention.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

// DynamicLayer.update: what comes in is appended, at first to a tensor without elements.
void update(DynamicCache& cache, Tensor& key_states, Tensor& value_states, int64_t layer_idx) {
  const auto at = static_cast<size_t>(layer_idx);
  if (cache.key_cache.size() <= at) {
    cache.key_cache.resize(at + 1);
    cache.value_cache.resize(at + 1);
  }
  Tensor& keys = cache.key_cache[at];
  Tensor& values = cache.value_cache[at];
  if (!keys.defined()) {
    Tracer& tracer = Tracer::current();
    const DType dtype = key_states.dtype();
    keys = torch::to_device(tracer.host({0}, dtype), dtype);
    values = torch::to_device(tracer.host({0}, dtype), dtype);
  }
  keys = torch::cat({keys, key_states}, -2);
  values = torch::cat({values, value_states}, -2);
  key_states = keys;
  value_states = values;
}

// sdpa_attention_forward. Without a mask the kernel itself takes fewer key and value heads.
Tensor sdpa_attention(Tensor query, Tensor key, Tensor value, const Tensor& attention_mask) {
  if (attention_mask.defined()) {
    const int64_t groups = query.size(1) / key.size(1);
    key = repeat_kv(key, groups);
    value = repeat_kv(value, groups);
  }
  const Tensor attn_output = torch::scaled_dot_product_attention(query, key, value, attention_mask);
  return torch::contiguous(attn_output.transpose(1, 2));
}

// eager_attention_forward
AttentionResult eager_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                const Tensor& attention_mask) {
  const int64_t groups = query.size(1) / key.size(1);
  const Tensor key_states = repeat_kv(key, groups);
  const Tensor value_states = repeat_kv(value, groups);
  Tensor scores = torch::matmul(query, key_states.transpose(2, 3));
  Tensor attn_weights = torch::mul(std::move(scores), 1.0);
  attn_weights = torch::add(attn_weights, attention_mask);
  Tensor probabilities = torch::softmax(attn_weights, -1, DType::float32);
  attn_weights = torch::to(std::move(probabilities), query.dtype());
  Tensor attn_output = torch::matmul(attn_weights, value_states);
  attn_output = torch::contiguous(attn_output.transpose(1, 2));
  return {attn_output, attn_weights};
}

// or_masks(causal_mask_function, blockwise_overlay(block_sequence_ids))
Tensor causal_or_same_block(const Tensor& batch_idx, const Tensor& q_idx, const Tensor& kv_idx,
                            const Tensor& block_sequence_ids) {
  Tensor result = torch::new_zeros(q_idx, {}, DType::boolean);
  {
    Tensor causal = torch::le(kv_idx, q_idx);
    result = torch::bitwise_or(result, std::move(causal));
  }
  Tensor same_block;
  {
    const Tensor q_group = torch::index(block_sequence_ids, batch_idx, q_idx);
    const Tensor kv_group = torch::index(block_sequence_ids, batch_idx, kv_idx);
    Tensor same = torch::eq(q_group, kv_group);
    Tensor in_block = torch::ge(q_group, 0.0);
    same_block = torch::bitwise_and(std::move(same), std::move(in_block));
  }
  return torch::bitwise_or(result, std::move(same_block));
}

// sdpa_mask
Tensor boolean_mask(int64_t batch_size, int64_t q_length, int64_t kv_length, const Tensor& block_sequence_ids) {
  const Tensor batch_arange = torch::arange(batch_size, DType::int64);
  const Tensor head_arange = torch::arange(1, DType::int64);
  Tensor q_arange = torch::arange(q_length, DType::int64);
  q_arange = torch::add(std::move(q_arange), 0);
  Tensor kv_arange = torch::arange(kv_length, DType::int64);
  kv_arange = torch::add(std::move(kv_arange), 0);
  const Tensor q_idx = q_arange.view({1, 1, q_length, 1}), kv_idx = kv_arange.view({1, 1, 1, kv_length});
  const Tensor mask = block_sequence_ids.defined() ? causal_or_same_block(batch_arange.view({batch_size, 1, 1, 1}),
                                                                          q_idx, kv_idx, block_sequence_ids)
                                                   : torch::le(kv_idx, q_idx);
  return mask.expand({batch_size, -1, q_length, kv_length});
}

}  // namespace

RotaryEmbedding::RotaryEmbedding(std::string_view class_name, int64_t head_dim) : Module(class_name) {
  register_buffer("inv_freq", {head_dim / 2}, DType::float32);
  register_buffer("original_inv_freq", {head_dim / 2}, DType::float32);
}

PositionEmbeddings RotaryEmbedding::forward(Tensor x, Tensor position_ids) const {
  Tensor freqs = torch::to(position_ids.unsqueeze(-1), DType::float32);
  freqs = torch::mul(std::move(freqs), parameter(0));
  const Tensor emb = torch::cat({freqs, freqs}, -1);
  Tensor cos = torch::cos(emb);
  cos = torch::mul(std::move(cos), 1.0);
  Tensor sin = torch::sin(emb);
  sin = torch::mul(std::move(sin), 1.0);
  Tensor narrow_cos = torch::to(cos, x.dtype());
  Tensor narrow_sin = torch::to(sin, x.dtype());
  return {narrow_cos, narrow_sin};
}

Attention::Attention(const BuildContext& context, const AttentionOptions& o)
    : Module(o.class_name),
      options_(o),
      head_dim_(o.hidden_size / o.num_attention_heads),
      q_proj_(context, {o.hidden_size, o.num_attention_heads * head_dim_, o.bias}),
      k_proj_(context, {o.hidden_size, o.num_key_value_heads * head_dim_, o.bias}),
      v_proj_(context, {o.hidden_size, o.num_key_value_heads * head_dim_, o.bias}),
      o_proj_(context, {o.num_attention_heads * head_dim_, o.hidden_size, false}) {
  register_module("q_proj", q_proj_);
  register_module("k_proj", k_proj_);
  register_module("v_proj", v_proj_);
  register_module("o_proj", o_proj_);
}

AttentionResult Attention::forward(Tensor hidden_states, const AttentionArguments& args, int64_t layer_idx) const {
  const int64_t bsz = hidden_states.size(0), q_len = hidden_states.size(1);
  Tensor query_states = q_proj_(hidden_states).view({bsz, q_len, -1, head_dim_}).transpose(1, 2);
  Tensor key_states = k_proj_(hidden_states).view({bsz, q_len, -1, head_dim_}).transpose(1, 2);
  Tensor value_states = v_proj_(hidden_states).view({bsz, q_len, -1, head_dim_}).transpose(1, 2);
  {
    FunctionScope scope("rope");
    const Tensor cos = args.position_embeddings[0].unsqueeze(1), sin = args.position_embeddings[1].unsqueeze(1);
    Tensor q_embed = rotated(query_states, cos, sin);
    Tensor k_embed = rotated(key_states, cos, sin);
    query_states = std::move(q_embed);
    key_states = std::move(k_embed);
  }
  if (args.past_key_values != nullptr) {
    FunctionScope scope("kv_cache");
    update(*args.past_key_values, key_states, value_states, layer_idx);
  }
  AttentionResult attn = attend(query_states, key_states, value_states, args.attention_mask);
  attn.output = torch::reshape(attn.output, {bsz, q_len, -1});
  attn.output = o_proj_(attn.output);
  return attn;
}

AttentionResult Attention::attend(const Tensor& query, const Tensor& key, const Tensor& value,
                                  const Tensor& mask) const {
  FunctionScope scope("core");
  if (options_.implementation == AttentionImplementation::eager) return eager_attention(query, key, value, mask);
  return {sdpa_attention(query, key, value, mask), {}};
}

Tensor create_causal_mask(AttentionImplementation implementation, const Tensor& inputs_embeds, int64_t cached_tokens,
                          const Tensor& block_sequence_ids) {
  const int64_t batch_size = inputs_embeds.size(0), q_length = inputs_embeds.size(1);
  const bool eager = implementation == AttentionImplementation::eager;
  // The kernel is causal by itself, or one query sees all there is.
  if (!eager && !block_sequence_ids.defined() && (cached_tokens == 0 || q_length == 1)) return {};
  Tensor mask = boolean_mask(batch_size, q_length, cached_tokens + q_length, block_sequence_ids);
  if (!eager) return mask;
  const Tensor zero = torch::zeros({}, inputs_embeds.dtype());
  const Tensor lowest = torch::scalar_tensor(inputs_embeds.dtype());
  return torch::where(mask, zero, lowest);
}

}  // namespace modelmeter::deepseek_ocr::transformers
