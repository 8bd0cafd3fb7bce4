#include "model/deepseek_ocr/remote/decoder.h"

#include <fmt/format.h>

#include <cmath>

#include "base/error.h"
#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

LinearOptions without_bias(int64_t in, int64_t out) { return {in, out, false}; }

void check_routing(const std::vector<int64_t>& tokens_per_expert, int64_t experts, int64_t assignments) {
  int64_t sum = 0;
  for (int64_t n : tokens_per_expert) sum += n;
  if (static_cast<int64_t>(tokens_per_expert.size()) == experts && sum == assignments) return;
  throw Error(ErrorCode::internal, fmt::format("{} tokens for {} experts are given; the layer routes {} to {}", sum,
                                               tokens_per_expert.size(), assignments, experts));
}

}  // namespace

std::vector<int64_t> even_routing(int64_t assignments, int64_t experts) {
  std::vector<int64_t> counts;
  for (int64_t e = 0; e < experts; ++e) counts.push_back(assignments / experts + (e < assignments % experts ? 1 : 0));
  return counts;
}

LlamaRotaryEmbedding::LlamaRotaryEmbedding(const BuildContext& context, int64_t dim) : Module("LlamaRotaryEmbedding") {
  register_buffer("inv_freq", {dim / 2}, context.dtype);
}

std::array<Tensor, 2> LlamaRotaryEmbedding::forward(Tensor x, Tensor position_ids) const {
  const int64_t b = position_ids.size(0);
  const Tensor inv_freq = parameter(0);
  const Tensor inv_freq_expanded =
      torch::to(inv_freq.view({1, inv_freq.size(0), 1}), DType::float32).expand({b, -1, 1});
  const Tensor position_ids_expanded = torch::to(position_ids.unsqueeze(1), DType::float32);
  Tensor freqs, emb, cos, sin;
  {
    AutocastGuard autocast(DType::bfloat16, false);
    freqs = torch::matmul(inv_freq_expanded, position_ids_expanded).transpose(1, 2);
    emb = torch::cat({freqs, freqs}, -1);
    cos = torch::cos(emb);
    sin = torch::sin(emb);
  }
  cos = torch::mul(cos, 1.0);
  sin = torch::mul(sin, 1.0);
  Tensor narrow_cos = torch::to(cos, x.dtype());
  Tensor narrow_sin = torch::to(sin, x.dtype());
  return {narrow_cos, narrow_sin};
}

LlamaAttention::LlamaAttention(const BuildContext& context, const DecoderArchitecture& a,
                               AttentionImplementation implementation)
    : Module(implementation == AttentionImplementation::eager ? "LlamaAttention" : "LlamaFlashAttention2"),
      num_heads_(a.num_attention_heads),
      num_key_value_heads_(a.num_key_value_heads),
      head_dim_(a.head_dim()),
      implementation_(implementation),
      q_proj_(context, without_bias(a.hidden_size, a.num_attention_heads * a.head_dim())),
      k_proj_(context, without_bias(a.hidden_size, a.num_key_value_heads * a.head_dim())),
      v_proj_(context, without_bias(a.hidden_size, a.num_key_value_heads * a.head_dim())),
      o_proj_(context, without_bias(a.num_attention_heads * a.head_dim(), a.hidden_size)),
      rotary_emb_(context, a.head_dim()) {
  register_module("q_proj", q_proj_);
  register_module("k_proj", k_proj_);
  register_module("v_proj", v_proj_);
  register_module("o_proj", o_proj_);
  register_module("rotary_emb", rotary_emb_);
}

Tensor LlamaAttention::forward(Tensor hidden_states, const LayerArguments& args, int64_t layer) const {
  const int64_t bsz = hidden_states.size(0), q_len = hidden_states.size(1);
  Tensor query_states = q_proj_(hidden_states);
  Tensor key_states = k_proj_(hidden_states);
  Tensor value_states = v_proj_(hidden_states);
  query_states = query_states.view({bsz, q_len, num_heads_, head_dim_}).transpose(1, 2);
  key_states = key_states.view({bsz, q_len, num_key_value_heads_, head_dim_}).transpose(1, 2);
  value_states = value_states.view({bsz, q_len, num_key_value_heads_, head_dim_}).transpose(1, 2);

  const std::array<Tensor, 2> cos_sin = rotary_emb_(value_states, args.position_ids);
  {
    FunctionScope scope("rope");
    const Tensor cos = cos_sin[0].unsqueeze(1), sin = cos_sin[1].unsqueeze(1);
    Tensor q_embed = rotated(query_states, cos, sin);
    Tensor k_embed = rotated(key_states, cos, sin);
    query_states = std::move(q_embed);
    key_states = std::move(k_embed);
  }
  {
    FunctionScope scope("kv_cache");
    args.cache->update(key_states, value_states, layer);
  }

  Tensor attn_weights;  // lives until the end in eager attention
  Tensor attn_output;
  if (implementation_ == AttentionImplementation::eager) {
    FunctionScope scope("core");
    key_states = repeat_kv(key_states, num_heads_ / num_key_value_heads_);
    value_states = repeat_kv(value_states, num_heads_ / num_key_value_heads_);
    attn_weights = eager_weights(query_states, key_states, args.attention_mask);
    attn_output = torch::matmul(attn_weights, value_states);
    attn_output = torch::contiguous(attn_output.transpose(1, 2));
  } else {
    FunctionScope scope("core");
    attn_output = flash(query_states.transpose(1, 2), key_states.transpose(1, 2), value_states.transpose(1, 2),
                        args.position_ids);
  }
  attn_output = torch::reshape(attn_output, {bsz, q_len, -1});
  attn_output = o_proj_(attn_output);
  return attn_output;
}

Tensor LlamaAttention::eager_weights(const Tensor& q, const Tensor& k, const Tensor& attention_mask) const {
  Tensor attn_weights = torch::matmul(q, k.transpose(2, 3));
  attn_weights = torch::div(attn_weights, std::sqrt(static_cast<double>(head_dim_)));
  if (attention_mask.defined()) {
    const Tensor causal_mask = attention_mask.slice(3, 0, k.size(-2));
    attn_weights = torch::add(attn_weights, causal_mask);
  }
  Tensor probabilities = torch::softmax(attn_weights, -1, DType::float32);
  attn_weights = torch::to(std::move(probabilities), q.dtype());
  return attn_weights;
}

Tensor LlamaAttention::flash(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& position_ids) const {
  if (q.size(1) != 1) {
    // Whether the positions grow, as those of one sequence do, is read back to the host.
    const int64_t n = position_ids.size(1);
    Tensor grow = torch::sub(position_ids.slice(1, 1, n), position_ids.slice(1, 0, n - 1));
    grow = torch::ge(std::move(grow), 0.0);
    grow = torch::all(std::move(grow));
  }
  return torch::flash_attn_func(q, k, v, true);
}

MoEGate::MoEGate(const BuildContext& context, const DecoderArchitecture& a)
    : Module("MoEGate"), top_k_(a.num_experts_per_tok), norm_topk_prob_(a.norm_topk_prob) {
  register_parameter("weight", {a.n_routed_experts, a.hidden_size}, context);
}

torch::TopK MoEGate::forward(Tensor hidden_states) const {
  hidden_states = hidden_states.view({-1, hidden_states.size(2)});
  Tensor logits;
  {
    const Tensor x = torch::to(hidden_states, DType::float32);
    const Tensor weight = torch::to(parameter(0), DType::float32);
    logits = torch::linear(x, weight, Tensor());
  }
  const Tensor scores = torch::softmax(logits, -1, DType::float32);
  torch::TopK best = torch::topk(scores, top_k_);
  if (top_k_ > 1 && norm_topk_prob_) {
    Tensor denominator = torch::sum(best.values, -1, true);
    denominator = torch::add(std::move(denominator), 1e-20);
    Tensor normalised = torch::div(best.values, denominator);
    best.values = torch::mul(std::move(normalised), 1.0);
  } else {
    best.values = torch::mul(best.values, 1.0);
  }
  return best;
}

DeepseekV2MoE::DeepseekV2MoE(const BuildContext& context, const DecoderArchitecture& a)
    : Module("DeepseekV2MoE"),
      n_routed_experts_(a.n_routed_experts),
      experts_(context, a.hidden_size, a.moe_intermediate_size),
      gate_(context, a) {
  register_module_list("experts", experts_, a.n_routed_experts);
  register_module("gate", gate_);
  if (a.n_shared_experts > 0) {
    register_module("shared_experts",
                    shared_experts_.emplace(context, a.hidden_size, a.n_shared_experts * a.moe_intermediate_size));
  }
}

Tensor DeepseekV2MoE::forward(Tensor hidden_states, const std::vector<int64_t>& tokens_per_expert) const {
  const Tensor identity = hidden_states;
  const torch::TopK topk = gate_(hidden_states);
  hidden_states = hidden_states.view({-1, hidden_states.size(-1)});
  Tensor y = moe_infer(hidden_states, topk.indices, topk.values, tokens_per_expert).view(identity.sizes());
  if (shared_experts_) {
    Tensor shared = (*shared_experts_)(identity);
    y = torch::add(y, std::move(shared));
  }
  return y;
}

Tensor DeepseekV2MoE::moe_infer(Tensor x, Tensor topk_ids, Tensor topk_weight,
                                const std::vector<int64_t>& tokens_per_expert) const {
  const int64_t tokens = topk_ids.size(0), k = topk_ids.size(1);
  check_routing(tokens_per_expert, n_routed_experts_, tokens * k);
  Tensor idxs, sorted_tokens;
  Tensor cnts;
  {
    FunctionScope scope("dispatch");
    cnts = torch::new_zeros(topk_ids, {tokens, n_routed_experts_});
    torch::scatter_(cnts, topk_ids);
    Tensor counts = torch::sum(cnts, 0, false);
    idxs = torch::argsort(topk_ids.view({-1}));
    Tensor rows = torch::floor_divide(idxs, static_cast<int>(k));
    sorted_tokens = torch::index(x, std::move(rows));
    torch::to_host(std::move(counts));
  }

  const TensorList outputs = run_experts(sorted_tokens, tokens_per_expert);
  FunctionScope scope("combine");
  const Tensor outs = torch::cat(outputs, 0);
  const Tensor new_x = torch::empty_like(outs);
  torch::index_put_(new_x, idxs, outs);
  Tensor weighted = torch::to(new_x.view({tokens, k, -1}), topk_weight.dtype());
  weighted = torch::mul_(std::move(weighted), topk_weight.unsqueeze(-1));
  Tensor final_out = torch::sum(std::move(weighted), 1, false);
  return torch::to(std::move(final_out), new_x.dtype());
}

TensorList DeepseekV2MoE::run_experts(const Tensor& sorted_tokens,
                                      const std::vector<int64_t>& tokens_per_expert) const {
  TensorList outputs;
  int64_t start_idx = 0;
  // Experts in a row with as many tokens each run alike; each leaves its output behind.
  for (size_t i = 0, next; i < tokens_per_expert.size(); i = next) {
    const int64_t num_tokens = tokens_per_expert[i];
    for (next = i; next < tokens_per_expert.size() && tokens_per_expert[next] == num_tokens;) ++next;
    if (num_tokens == 0) continue;
    const auto first = static_cast<int64_t>(i), run = static_cast<int64_t>(next - i);
    repeat_steadily(
        run, {},
        [&](int64_t k) {
          const Tensor tokens = sorted_tokens.slice(0, start_idx, start_idx + num_tokens);
          outputs.push_back(experts_.call_as(first + k, tokens));
        },
        [&](int64_t) { outputs.push_back(untraced_like(outputs.back())); });
    start_idx += num_tokens * run;
  }
  return outputs;
}

DeepseekV2DecoderLayer::DeepseekV2DecoderLayer(const BuildContext& context, const DecoderArchitecture& a,
                                               AttentionImplementation implementation, bool moe)
    : Module("DeepseekV2DecoderLayer"),
      self_attn_(context, a, implementation),
      input_layernorm_(context, a.hidden_size),
      post_attention_layernorm_(context, a.hidden_size) {
  register_module("self_attn", self_attn_);
  if (moe) {
    register_module("mlp", moe_.emplace(context, a));
  } else {
    register_module("mlp", mlp_.emplace(context, a.hidden_size, a.intermediate_size));
  }
  register_module("input_layernorm", input_layernorm_);
  register_module("post_attention_layernorm", post_attention_layernorm_);
}

Tensor DeepseekV2DecoderLayer::forward(Tensor hidden_states, const LayerArguments& args, int64_t layer) const {
  Tensor residual = hidden_states;
  hidden_states = input_layernorm_(hidden_states);
  hidden_states = self_attn_(hidden_states, args, layer);
  hidden_states = torch::add(residual, hidden_states);

  residual = hidden_states;
  hidden_states = post_attention_layernorm_(hidden_states);
  const auto mlp = [&] { return moe_ ? (*moe_)(hidden_states, args.tokens_per_expert) : (*mlp_)(hidden_states); };
  // A mask is as long as the cache, and alive here: live memory then grows otherwise than from step to step.
  hidden_states = args.attention_mask.defined() ? mlp() : alike(mlp);
  return torch::add(residual, hidden_states);
}

}  // namespace modelmeter::deepseek_ocr::remote
