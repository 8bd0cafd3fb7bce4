#include "model/transformers/clip.h"

#include "trace/repeat.h"

namespace modelmeter::transformers {

CLIPVisionEmbeddings::CLIPVisionEmbeddings(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPVisionEmbeddings"),
      dim_(a.dim),
      num_positions_(a.num_patches() + 1),
      dtype_(dtype),
      patch_embedding_({3, a.dim, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}, dtype, false}),
      position_embedding_({num_positions_, a.dim, dtype}) {
  register_parameter("class_embedding", {a.dim}, dtype);
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

CLIPAttention::CLIPAttention(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPAttention"),
      num_heads_(a.num_heads),
      head_dim_(a.head_dim()),
      k_proj_({a.dim, a.dim, dtype}),
      v_proj_({a.dim, a.dim, dtype}),
      q_proj_({a.dim, a.dim, dtype}),
      out_proj_({a.dim, a.dim, dtype}) {
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

CLIPMLP::CLIPMLP(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPMLP"),
      activation_fn_(a.activation == "quick_gelu"),
      fc1_({a.dim, a.dim * a.mlp_ratio, dtype}),
      fc2_({a.dim * a.mlp_ratio, a.dim, dtype}) {
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

CLIPEncoderLayer::CLIPEncoderLayer(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPEncoderLayer"),
      self_attn_(a, dtype),
      layer_norm1_({a.dim, true, dtype}),
      mlp_(a, dtype),
      layer_norm2_({a.dim, true, dtype}) {
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

CLIPEncoder::CLIPEncoder(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPEncoder"), num_layers_(a.num_layers), layer_(a, dtype) {
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

CLIPVisionModel::CLIPVisionModel(const ImageEncoderArchitecture& a, DType dtype)
    : Module("CLIPVisionModel"),
      embeddings_(a, dtype),
      pre_layrnorm_({a.dim, true, dtype}),
      encoder_(a, dtype),
      post_layernorm_({a.dim, true, dtype}) {
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
