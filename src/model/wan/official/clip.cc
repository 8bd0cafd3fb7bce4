#include "model/wan/official/clip.h"

#include "model/wan/official/attention.h"
#include "trace/repeat.h"

namespace modelmeter::wan::official {

Tensor ClipActivation::forward(Tensor x) const {
  if (!quick_) return torch::gelu(std::move(x));
  Tensor gate = torch::mul(x, 1.702);
  gate = torch::sigmoid(std::move(gate));
  return torch::mul(std::move(x), std::move(gate));
}

ClipLayerNorm::ClipLayerNorm(const BuildContext& context, int64_t dim) : Module("LayerNorm") {
  register_parameter("weight", {dim}, context);
  register_parameter("bias", {dim}, context);
}

Tensor ClipLayerNorm::forward(Tensor x) const {
  Tensor normed = torch::to(x, DType::float32);
  normed = torch::layer_norm(std::move(normed), parameter(0), parameter(1));
  return torch::type_as(std::move(normed), x);
}

ClipSelfAttention::ClipSelfAttention(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("SelfAttention"),
      num_heads_(a.num_heads),
      head_dim_(a.head_dim()),
      to_qkv_(context, {a.dim, 3 * a.dim}),
      proj_(context, {a.dim, a.dim}) {
  register_module("to_qkv", to_qkv_);
  register_module("proj", proj_);
}

Tensor ClipSelfAttention::forward(Tensor x) const {
  const int64_t b = x.size(0), s = x.size(1), c = x.size(2), n = num_heads_, d = head_dim_;
  const TensorList qkv = to_qkv_(x).view({b, s, 3, n, d}).unbind(2);
  x = flash_attention(qkv[0], qkv[1], qkv[2], Tensor(), {});
  x = torch::reshape(x, {b, s, c});
  x = proj_(x);
  return x;
}

ClipAttentionBlock::ClipAttentionBlock(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("AttentionBlock"),
      norm1_(context, a.dim),
      attn_(context, a),
      norm2_(context, a.dim),
      mlp_(context, LinearOptions{a.dim, a.dim * a.mlp_ratio}, ClipActivationOptions{a.activation == "quick_gelu"},
           LinearOptions{a.dim * a.mlp_ratio, a.dim}) {
  register_module("norm1", norm1_);
  register_module("attn", attn_);
  register_module("norm2", norm2_);
  register_module("mlp", mlp_);
}

Tensor ClipAttentionBlock::forward(Tensor x) const {
  Tensor normed = norm1_(x);
  Tensor y = attn_(normed);
  normed.reset();
  x = torch::add(x, std::move(y));
  normed = norm2_(x);
  y = mlp_(normed);
  normed.reset();
  x = torch::add(x, std::move(y));
  return x;
}

VisionTransformer::VisionTransformer(const BuildContext& context, const ImageEncoderArchitecture& a)
    : Module("VisionTransformer"),
      a_(a),
      patch_embedding_(context,
                       {3, a.dim, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}, !a.pre_norm}),
      transformer_(context, a),
      post_norm_(context, a.dim) {
  register_parameter("cls_embedding", {1, 1, a.dim}, context);
  register_parameter("pos_embedding", {1, a.num_patches() + 1, a.dim}, context);
  register_parameter("head", {a.dim, a.out_dim}, context);
  register_module("patch_embedding", patch_embedding_);
  if (a.pre_norm) register_module("pre_norm", pre_norm_.emplace(context, a.dim));
  register_module_list("transformer", transformer_, a.num_layers, 0, "Sequential");
  register_module("post_norm", post_norm_);
}

Tensor VisionTransformer::forward(Tensor x) const {
  const int64_t b = x.size(0);

  // embeddings
  x = torch::flatten(patch_embedding_(x), 2).permute({0, 2, 1});
  x = torch::cat({parameter(0).expand({b, -1, -1}), x}, 1);
  x = torch::add(x, parameter(1));
  if (pre_norm_) x = (*pre_norm_)(x);

  // transformer: x itself stays until the last layer is through
  x = repeat(a_.num_layers - 1, x, [&](int64_t i, const Tensor& state) { return transformer_.call_as(i, state); });
  return x;
}

}  // namespace modelmeter::wan::official
