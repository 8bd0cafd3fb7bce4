#include "model/transformers/clip.h"

#include "trace/repeat.h"

namespace modelmeter::transformers {

CLIPVisionEmbeddings::CLIPVisionEmbeddings(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPVisionEmbeddings"),
      dim_(a.dim),
      num_positions_(a.num_patches() + 1),
      dtype_(context.dtype),
      patch_embedding_(context, {3, a.dim, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}, false}),
      position_embedding_(context, {num_positions_, a.dim}) {
  register_parameter("class_embedding", {a.dim}, context);
  register_buffer("position_ids", {1, num_positions_}, DType::int64);
  register_module("patch_embedding", patch_embedding_);
  register_module("position_embedding", position_embedding_);
}

Tensor CLIPVisionEmbeddings::forward(Tensor pixel_values) const {
  const int64_t batch_size = pixel_values.size(0);
  Tensor patch_embeds;
  {
    const Tensor converted = torch::to(pixel_values, dtype_);
    patch_embeds = patch_embedding_(converted);
  }
  patch_embeds = torch::flatten(std::move(patch_embeds), 2).transpose(1, 2);

  const Tensor class_embeds = parameter(0).view({1, 1, dim_}).expand({batch_size, 1, -1});
  Tensor embeddings = torch::cat({class_embeds, patch_embeds}, 1);
  const Tensor position_ids = Tracer::current().parameter({1, num_positions_}, DType::int64);
  Tensor positions = position_embedding_(position_ids);
  embeddings = torch::add(std::move(embeddings), std::move(positions));
  return embeddings;
}

CLIPAttention::CLIPAttention(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPAttention"),
      num_heads_(a.num_heads),
      head_dim_(a.head_dim()),
      k_proj_(context, {a.dim, a.dim}),
      v_proj_(context, {a.dim, a.dim}),
      q_proj_(context, {a.dim, a.dim}),
      out_proj_(context, {a.dim, a.dim}) {
  register_module("k_proj", k_proj_);
  register_module("v_proj", v_proj_);
  register_module("q_proj", q_proj_);
  register_module("out_proj", out_proj_);
}

Tensor CLIPAttention::forward(Tensor hidden_states) const {
  const int64_t b = hidden_states.size(0), s = hidden_states.size(1);
  Tensor queries = q_proj_(hidden_states);
  Tensor keys = k_proj_(hidden_states);
  Tensor values = v_proj_(hidden_states);
  for (Tensor* x : {&queries, &keys, &values}) *x = x->view({b, s, num_heads_, head_dim_}).transpose(1, 2);

  Tensor attn_output = torch::scaled_dot_product_attention(queries, keys, values).transpose(1, 2);
  attn_output = torch::contiguous(std::move(attn_output));  // sdpa_attention_forward
  attn_output = torch::reshape(attn_output, {b, s, -1});
  attn_output = out_proj_(attn_output);
  return attn_output;
}

Tensor CLIPActivation::forward(Tensor input) const {
  if (!quick_) return torch::gelu(std::move(input));
  Tensor gate = torch::mul(input, 1.702);
  gate = torch::sigmoid(std::move(gate));
  return torch::mul(std::move(input), std::move(gate));
}

CLIPMLP::CLIPMLP(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPMLP"),
      activation_fn_(a.activation == "quick_gelu"),
      fc1_(context, {a.dim, a.dim * a.mlp_ratio}),
      fc2_(context, {a.dim * a.mlp_ratio, a.dim}) {
  register_module("activation_fn", activation_fn_);
  register_module("fc1", fc1_);
  register_module("fc2", fc2_);
}

Tensor CLIPMLP::forward(Tensor hidden_states) const {
  hidden_states = fc1_(hidden_states);
  hidden_states = activation_fn_(hidden_states);
  hidden_states = fc2_(hidden_states);
  return hidden_states;
}

CLIPEncoderLayer::CLIPEncoderLayer(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPEncoderLayer"),
      self_attn_(context, a),
      layer_norm1_(context, {a.dim, true}),
      mlp_(context, a),
      layer_norm2_(context, {a.dim, true}) {
  register_module("self_attn", self_attn_);
  register_module("layer_norm1", layer_norm1_);
  register_module("mlp", mlp_);
  register_module("layer_norm2", layer_norm2_);
}

Tensor CLIPEncoderLayer::forward(Tensor hidden_states) const {
  Tensor residual = hidden_states;
  hidden_states = layer_norm1_(hidden_states);
  hidden_states = self_attn_(hidden_states);
  hidden_states = torch::add(residual, std::move(hidden_states));

  residual = hidden_states;
  hidden_states = layer_norm2_(hidden_states);
  hidden_states = mlp_(hidden_states);
  hidden_states = torch::add(residual, std::move(hidden_states));
  return hidden_states;
}

CLIPEncoder::CLIPEncoder(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPEncoder"), num_layers_(a.num_layers), layer_(context, a) {
  register_module_list("layers", layer_, num_layers_);
}

Tensor CLIPEncoder::forward(Tensor inputs_embeds, TensorList& kept) const {
  Tensor hidden_states = std::move(inputs_embeds);
  kept.push_back(hidden_states);
  const auto layer = [&](int64_t i) {
    hidden_states = layer_.call_as(i, hidden_states);
    kept.push_back(hidden_states);
  };
  repeat_steadily(num_layers_, {{&hidden_states}, {}}, layer,
                  [&](int64_t) { kept.push_back(hidden_states = untraced_like(hidden_states)); });
  return hidden_states;
}

CLIPVisionModel::CLIPVisionModel(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("CLIPVisionModel"),
      embeddings_(context, a),
      pre_layrnorm_(context, {a.dim, true}),
      encoder_(context, a),
      post_layernorm_(context, {a.dim, true}) {
  register_module("embeddings", embeddings_);
  register_module("pre_layrnorm", pre_layrnorm_);
  register_module("encoder", encoder_);
  register_module("post_layernorm", post_layernorm_);
}

Tensor CLIPVisionModel::forward(Tensor pixel_values) const {
  Tensor hidden_states = embeddings_(pixel_values);
  hidden_states = pre_layrnorm_(hidden_states);
  TensorList kept;
  const Tensor last_hidden_state = encoder_(hidden_states, kept);
  post_layernorm_(last_hidden_state.select(1, 0));
  return kept[kept.size() - 2];
}

}  // namespace modelmeter::transformers
