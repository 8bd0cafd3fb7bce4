#include "model/deepseek_ocr/transformers/moe.h"

namespace modelmeter::deepseek_ocr::transformers {

TextTopkRouter::TextTopkRouter(const BuildContext& context, const DecoderArchitecture& a)
    : Module("DeepseekOcr2TextTopkRouter"), top_k_(a.num_experts_per_tok) {
  register_parameter("weight", {a.n_routed_experts, a.hidden_size}, context);
}

Routing TextTopkRouter::forward(Tensor hidden_states) const {
  hidden_states = hidden_states.view({-1, hidden_states.size(-1)});
  Routing out;
  {
    const Tensor x = torch::to(hidden_states, DType::float32);
    const Tensor weight = torch::to(parameter(0), DType::float32);
    out.logits = torch::linear(x, weight, Tensor());
  }
  const Tensor scores = torch::softmax(out.logits, -1, DType::float32);
  torch::TopK best = torch::topk(scores, top_k_);
  out.indices = std::move(best.indices);
  out.weights = std::move(best.values);
  out.weights = torch::mul(out.weights, 1.0);
  return out;
}

TextExperts::TextExperts(const BuildContext& context, const DecoderArchitecture& a)
    : Module("DeepseekOcr2TextExperts"), num_experts_(a.n_routed_experts), act_fn_("SiLUActivation") {
  register_parameter("gate_up_proj", {a.n_routed_experts, 2 * a.moe_intermediate_size, a.hidden_size}, context);
  register_parameter("down_proj", {a.n_routed_experts, a.hidden_size, a.moe_intermediate_size}, context);
  register_module("act_fn", act_fn_);
}

Tensor TextExperts::forward(Tensor hidden_states, Tensor top_k_index, Tensor top_k_weights,
                            ExpertsImplementation implementation) const {
  return implementation == ExpertsImplementation::grouped_mm ? grouped_mm(hidden_states, top_k_index, top_k_weights)
                                                             : batched_mm(hidden_states, top_k_index, top_k_weights);
}

Tensor TextExperts::apply_gate(const Tensor& gate_up_out) const {
  const TensorList gate_up = gate_up_out.chunk(2, -1);
  Tensor gate = act_fn_(gate_up[0]);
  return torch::mul(std::move(gate), gate_up[1]);
}

Tensor TextExperts::grouped_mm(const Tensor& hidden_states, const Tensor& top_k_index,
                               const Tensor& top_k_weights) const {
  const int64_t num_tokens = hidden_states.size(0), num_top_k = top_k_index.size(1), hidden_dim = hidden_states.size(1);
  const Tensor sample_weights = top_k_weights.view({-1});
  const Tensor expert_ids = top_k_index.view({-1});
  const torch::Sorted sorted = torch::sort(expert_ids);
  const Tensor& perm = sorted.indices;
  Tensor selected_hidden_states_g;
  {
    Tensor rows = torch::floor_divide(perm, static_cast<int>(num_top_k));
    selected_hidden_states_g = torch::index(hidden_states, std::move(rows));
  }
  const Tensor sample_weights_g = torch::index(sample_weights, perm);
  const Tensor histc_input = torch::to(sorted.values, DType::int32);
  const Tensor tokens_per_expert = torch::histc(histc_input, num_experts_);
  const Tensor offsets = torch::cumsum(tokens_per_expert, 0, DType::int32);

  Tensor proj_out = torch::grouped_mm(selected_hidden_states_g, parameter(0).transpose(-2, -1), offsets);
  proj_out = apply_gate(proj_out);
  proj_out = torch::grouped_mm(proj_out, parameter(1).transpose(-2, -1), offsets);
  Tensor weighted_out = torch::mul(proj_out, sample_weights_g.unsqueeze(-1));

  const Tensor inv_perm = torch::empty_like(perm);
  {
    Tensor positions = torch::arange(perm.size(0), DType::int64);
    torch::index_put_(inv_perm, perm, std::move(positions));
  }
  weighted_out = torch::index(weighted_out, inv_perm);
  const Tensor final_hidden_states = torch::sum(weighted_out.view({num_tokens, num_top_k, hidden_dim}), 1, false);
  return torch::to(final_hidden_states, hidden_states.dtype());
}

Tensor TextExperts::batched_mm(const Tensor& hidden_states, const Tensor& top_k_index,
                               const Tensor& top_k_weights) const {
  const int64_t num_tokens = hidden_states.size(0), num_top_k = top_k_index.size(1), hidden_dim = hidden_states.size(1);
  const Tensor selected_hidden_states = torch::repeat_interleave(hidden_states, num_top_k, 0);
  const Tensor sample_weights = top_k_weights.view({-1});
  const Tensor expert_ids = top_k_index.view({-1});

  Tensor selected_weights = torch::index(parameter(0), expert_ids);
  Tensor proj_out = torch::matmul(selected_weights, selected_hidden_states.unsqueeze(-1)).squeeze(-1);
  proj_out = apply_gate(proj_out);
  selected_weights = torch::index(parameter(1), expert_ids);
  proj_out = torch::matmul(selected_weights, proj_out.unsqueeze(-1)).squeeze(-1);
  const Tensor weighted_out = torch::mul(proj_out, sample_weights.unsqueeze(-1));
  const Tensor final_hidden_states = torch::sum(weighted_out.view({num_tokens, num_top_k, hidden_dim}), 1, false);
  return torch::to(final_hidden_states, hidden_states.dtype());
}

TextMoe::TextMoe(const BuildContext& context, const DecoderArchitecture& a)
    : Module("DeepseekOcr2TextMoe"),
      experts_(context, a),
      gate_(context, a),
      shared_experts_(context, a.hidden_size, a.n_shared_experts * a.moe_intermediate_size, "DeepseekOcr2TextMLP",
                      "SiLUActivation") {
  register_module("experts", experts_);
  register_module("gate", gate_);
  register_module("shared_experts", shared_experts_);
}

Tensor TextMoe::forward(Tensor hidden_states, ExpertsImplementation implementation) const {
  const Tensor residuals = hidden_states;
  const Routing routing = gate_(hidden_states);
  hidden_states = hidden_states.view({-1, hidden_states.size(-1)});
  hidden_states = experts_(hidden_states, routing.indices, routing.weights, implementation).view(residuals.sizes());
  Tensor shared = shared_experts_(residuals);
  hidden_states = torch::add(hidden_states, std::move(shared));
  return hidden_states;
}

}  // namespace modelmeter::deepseek_ocr::transformers
