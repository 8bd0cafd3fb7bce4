#include "model/deepseek_ocr/remote/clip.h"

#include <cmath>

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

int64_t square_root(int64_t n) { return static_cast<int64_t>(std::sqrt(static_cast<double>(n))); }

// Position embeddings [1, l, c] for tgt_size tokens, the first of which is the class.
Tensor get_abs_pos(Tensor abs_pos, int64_t tgt_tokens) {
  const int64_t dim = abs_pos.size(-1);
  const Tensor abs_pos_new = abs_pos.squeeze(0);
  const Tensor cls_token = abs_pos_new.slice(0, 0, 1);
  Tensor old_pos_embed = abs_pos_new.slice(0, 1, abs_pos_new.size(0));
  const int64_t src_size = square_root(abs_pos_new.size(0) - 1);
  const int64_t tgt_size = square_root(tgt_tokens);
  const DType dtype = abs_pos.dtype();
  if (src_size == tgt_size) return abs_pos;

  old_pos_embed = torch::contiguous(old_pos_embed.view({1, src_size, src_size, dim}).permute({0, 3, 1, 2}));
  old_pos_embed = torch::to(old_pos_embed, DType::float32);
  Tensor new_pos_embed = torch::upsample_bicubic2d_aa(old_pos_embed, tgt_size, tgt_size);
  new_pos_embed = torch::to(std::move(new_pos_embed), dtype);
  new_pos_embed = new_pos_embed.permute({0, 2, 3, 1});
  new_pos_embed = new_pos_embed.view({tgt_size * tgt_size, dim});
  Tensor vision_pos_embed = torch::cat({cls_token, new_pos_embed}, 0);
  return vision_pos_embed.view({1, tgt_size * tgt_size + 1, dim});
}

}  // namespace

CLIPVisionEmbeddings::CLIPVisionEmbeddings(const BuildContext& context, const ClipArchitecture& a)
    : Module("CLIPVisionEmbeddings"),
      a_(a),
      patch_embedding_(context,
                       {3, a.hidden_size, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}, false}),
      position_embedding_(context, {a.num_positions(), a.hidden_size}) {
  register_parameter("class_embedding", {a.hidden_size}, context);
  register_buffer("position_ids", {1, a.num_positions()}, DType::int64);
  register_module("patch_embedding", patch_embedding_);
  register_module("position_embedding", position_embedding_);
}

Tensor CLIPVisionEmbeddings::forward(Tensor pixel_values, Tensor patch_embeds) const {
  const int64_t batch_size = pixel_values.size(0);
  patch_embeds = torch::flatten(patch_embeds, 2).transpose(1, 2);
  Tensor class_embeds = parameter(0).view({1, 1, a_.hidden_size}).expand({batch_size, 1, -1});
  Tensor embeddings = torch::cat({class_embeds, patch_embeds}, 1);
  Tensor positions = get_abs_pos(position_embedding_(parameter(1)), embeddings.size(1));
  return torch::add(embeddings, std::move(positions));
}

NoTPFeedForward::NoTPFeedForward(const BuildContext& context, const ClipArchitecture& a)
    : Module("NoTPFeedForward"),
      fc1_(context, {a.hidden_size, a.ffn_hidden_size}),
      fc2_(context, {a.ffn_hidden_size, a.hidden_size}) {
  register_module("fc1", fc1_);
  register_module("fc2", fc2_);
}

Tensor NoTPFeedForward::forward(Tensor x) const {
  x = fc1_(x);
  x = torch::quick_gelu(x);
  return fc2_(x);
}

NoTPAttention::NoTPAttention(const BuildContext& context, const ClipArchitecture& a)
    : Module("NoTPAttention"),
      num_heads_(a.num_attention_heads),
      head_dim_(a.hidden_size / a.num_attention_heads),
      qkv_proj_(context, {a.hidden_size, 3 * a.hidden_size}),
      out_proj_(context, {a.hidden_size, a.hidden_size}) {
  register_module("qkv_proj", qkv_proj_);
  register_module("out_proj", out_proj_);
}

Tensor NoTPAttention::forward(Tensor x) const {
  const int64_t bsz = x.size(0), seqlen = x.size(1);
  const Tensor xqkv = qkv_proj_(x).view({bsz, seqlen, 3, num_heads_, head_dim_});
  const Tensor xq = xqkv.select(2, 0).permute({0, 2, 1, 3});
  const Tensor xk = xqkv.select(2, 1).permute({0, 2, 1, 3});
  const Tensor xv = xqkv.select(2, 2).permute({0, 2, 1, 3});
  Tensor output;
  {
    FunctionScope scope("core");
    output = torch::scaled_dot_product_attention(xq, xk, xv);
  }
  output = torch::reshape(output.permute({0, 2, 1, 3}), {bsz, seqlen, -1});
  output = out_proj_(output);
  return output;
}

NoTPTransformerBlock::NoTPTransformerBlock(const BuildContext& context, const ClipArchitecture& a)
    : Module("NoTPTransformerBlock"),
      self_attn_(context, a),
      mlp_(context, a),
      layer_norm1_(context, {a.hidden_size, true}),
      layer_norm2_(context, {a.hidden_size, true}) {
  register_module("self_attn", self_attn_);
  register_module("mlp", mlp_);
  register_module("layer_norm1", layer_norm1_);
  register_module("layer_norm2", layer_norm2_);
}

Tensor NoTPTransformerBlock::forward(Tensor x) const {
  Tensor normed = layer_norm1_(x);
  const Tensor residual = self_attn_(normed);
  normed.reset();
  const Tensor h = torch::add(x, residual);
  normed = layer_norm2_(h);
  Tensor out = mlp_(normed);
  normed.reset();
  return torch::add(h, std::move(out));
}

NoTPTransformer::NoTPTransformer(const BuildContext& context, const ClipArchitecture& a)
    : Module("NoTPTransformer"), num_layers_(a.num_layers), layers_(context, a) {
  register_module_list("layers", layers_, a.num_layers);
}

Tensor NoTPTransformer::forward(Tensor hidden_states) const {
  return repeat(num_layers_, std::move(hidden_states),
                [&](int64_t i, const Tensor& state) { return layers_.call_as(i, state); });
}

VitModel::VitModel(const BuildContext& context, const ClipArchitecture& a)
    : Module("VitModel"),
      embeddings_(context, a),
      transformer_(context, a),
      pre_layrnorm_(context, {a.hidden_size, true}) {
  register_module("embeddings", embeddings_);
  register_module("transformer", transformer_);
  register_module("pre_layrnorm", pre_layrnorm_);
}

Tensor VitModel::forward(Tensor x, Tensor patch_embeds) const {
  x = embeddings_(x, patch_embeds);
  Tensor hidden_states = pre_layrnorm_(x);
  return transformer_(hidden_states);
}

}  // namespace modelmeter::deepseek_ocr::remote
