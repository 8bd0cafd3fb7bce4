#include "model/deepseek_ocr/transformers/sam.h"

#include <algorithm>

#include "model/deepseek_ocr/rel_pos.h"
#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

ConvOptions square_conv(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t padding) {
  return {in, out, {kernel, kernel}, {stride, stride}, {padding, padding}, false};
}

struct Partition {
  Tensor windows;
  int64_t height, width;  // padded
};

Partition window_partition(Tensor hidden_states, int64_t window_size) {
  const int64_t b = hidden_states.size(0), h = hidden_states.size(1), w = hidden_states.size(2);
  const int64_t channel = hidden_states.size(3);
  const int64_t pad_h = (window_size - h % window_size) % window_size;
  const int64_t pad_w = (window_size - w % window_size) % window_size;
  hidden_states = torch::pad(hidden_states, {0, 0, 0, pad_w, 0, pad_h});
  const int64_t height = h + pad_h, width = w + pad_w;
  hidden_states = hidden_states.view({b, height / window_size, window_size, width / window_size, window_size, channel});
  Tensor windows = torch::contiguous(hidden_states.permute({0, 1, 3, 2, 4, 5}));
  return {windows.view({-1, window_size, window_size, channel}), height, width};
}

Tensor window_unpartition(const Partition& p, const Tensor& windows, int64_t window_size, int64_t h, int64_t w) {
  const int64_t b = windows.size(0) / (p.height * p.width / window_size / window_size);
  Tensor x = windows.view({b, p.height / window_size, p.width / window_size, window_size, window_size, -1});
  x = torch::contiguous(x.permute({0, 1, 3, 2, 4, 5})).view({b, p.height, p.width, -1});
  return torch::contiguous(x.slice(1, 0, h).slice(2, 0, w));
}

// The relative positions [q_size, k_size, c] out of a table [l, c].
Tensor get_rel_pos(int64_t q_size, int64_t k_size, const Tensor& rel_pos) {
  const int64_t max_rel_dist = 2 * std::max(q_size, k_size) - 1;
  Tensor rel_pos_resized =
      torch::upsample_linear1d(rel_pos.view({1, rel_pos.size(0), -1}).transpose(1, 2), max_rel_dist);
  rel_pos_resized = rel_pos_resized.view({-1, max_rel_dist}).permute({1, 0});
  const Tensor relative_coords = Tracer::current().host({q_size, k_size}, DType::int64);
  Tensor positions = torch::to_device(relative_coords, DType::int64);
  return torch::index(rel_pos_resized, std::move(positions));
}

std::string_view attention_class(AttentionImplementation implementation) {
  return implementation == AttentionImplementation::sdpa ? "DeepseekOcr2SamVisionSdpaAttention"
                                                         : "DeepseekOcr2SamVisionAttention";
}

}  // namespace

SamPatchEmbeddings::SamPatchEmbeddings(const BuildContext& context, const SamArchitecture& a)
    : Module("DeepseekOcr2SamPatchEmbeddings"),
      projection_(
          context,
          ConvOptions{
              a.num_channels, a.hidden_size, {a.patch_size, a.patch_size}, {a.patch_size, a.patch_size}, {0, 0}}) {
  register_module("projection", projection_);
}

Tensor SamPatchEmbeddings::forward(Tensor pixel_values) const {
  return projection_(pixel_values).permute({0, 2, 3, 1});
}

SamMLPBlock::SamMLPBlock(const BuildContext& context, const SamArchitecture& a)
    : Module("DeepseekOcr2SamMLPBlock"),
      lin1_(context, {a.hidden_size, a.mlp_dim}),
      lin2_(context, {a.mlp_dim, a.hidden_size}),
      act_("GELUActivation") {
  register_module("lin1", lin1_);
  register_module("lin2", lin2_);
  register_module("act", act_);
}

Tensor SamMLPBlock::forward(Tensor hidden_states) const {
  hidden_states = lin1_(hidden_states);
  hidden_states = act_(hidden_states);
  hidden_states = lin2_(hidden_states);
  return hidden_states;
}

SamVisionAttention::SamVisionAttention(const BuildContext& context, const SamArchitecture& a, int64_t side,
                                       AttentionImplementation implementation)
    : Module(attention_class(implementation)),
      num_attention_heads_(a.num_attention_heads),
      implementation_(implementation),
      qkv_(context, {a.hidden_size, 3 * a.hidden_size}),
      proj_(context, {a.hidden_size, a.hidden_size}) {
  const int64_t head_dim = a.hidden_size / a.num_attention_heads;
  vary_by({a.num_attention_heads});
  register_parameter("rel_pos_h", {2 * side - 1, head_dim}, context);
  register_parameter("rel_pos_w", {2 * side - 1, head_dim}, context);
  register_module("qkv", qkv_);
  register_module("proj", proj_);
}

AttentionResult SamVisionAttention::forward(Tensor hidden_states) const {
  const int64_t b = hidden_states.size(0), height = hidden_states.size(1), width = hidden_states.size(2);
  const Tensor qkv =
      torch::reshape(qkv_(hidden_states), {b, height * width, 3, num_attention_heads_, -1}).permute({2, 0, 3, 1, 4});
  Tensor query, key, value;
  {
    const Tensor flat = torch::reshape(qkv, {3, b * num_attention_heads_, height * width, -1});
    query = flat.select(0, 0);
    key = flat.select(0, 1);
    value = flat.select(0, 2);
  }
  AttentionResult out;
  Tensor attn_bias;
  if (implementation_ == AttentionImplementation::eager) {
    Tensor attn_weights;
    {
      FunctionScope scope("core");
      Tensor scaled = torch::mul(query, 1.0);
      attn_weights = torch::matmul(std::move(scaled), key.transpose(-2, -1));
    }
    {
      FunctionScope scope("rel_pos");
      attn_bias = decomposed_rel_pos(query, height, width);
      attn_bias = torch::reshape(attn_bias, attn_weights.sizes());
    }
    FunctionScope scope("core");
    attn_weights = torch::add(attn_weights, attn_bias);
    Tensor probabilities = torch::softmax(attn_weights, -1, DType::float32);
    attn_weights = torch::to(std::move(probabilities), query.dtype());
    out.weights = attn_weights;
    out.output = torch::matmul(attn_weights, value);
  } else {
    {
      FunctionScope scope("rel_pos");
      attn_bias = decomposed_rel_pos(query, height, width);
      attn_bias = torch::reshape(attn_bias, {b, num_attention_heads_, height * width, height * width});
    }
    query = query.view({b, num_attention_heads_, height * width, -1});
    key = key.view({b, num_attention_heads_, height * width, -1});
    value = value.view({b, num_attention_heads_, height * width, -1});
    FunctionScope scope("core");
    out.output = torch::scaled_dot_product_attention(query, key, value, attn_bias);
  }
  out.output = out.output.view({b, num_attention_heads_, height, width, -1}).permute({0, 2, 3, 1, 4});
  out.output = torch::reshape(out.output, {b, height, width, -1});
  out.output = proj_(out.output);
  return out;
}

Tensor SamVisionAttention::decomposed_rel_pos(const Tensor& query, int64_t height, int64_t width) const {
  const Tensor relative_position_height = get_rel_pos(height, height, parameter(0));
  const Tensor relative_position_width = get_rel_pos(width, width, parameter(1));
  const Tensor reshaped_query = torch::reshape(query, {query.size(0), height, width, query.size(2)});
  const Tensor rel_h = einsum_along(reshaped_query, relative_position_height, 1);
  const Tensor rel_w = einsum_along(reshaped_query, relative_position_width, 2);
  return torch::add(rel_h.unsqueeze(-1), rel_w.unsqueeze(-2));
}

SamVisionLayer::SamVisionLayer(const BuildContext& context, const SamArchitecture& a, int64_t window_size,
                               AttentionImplementation implementation)
    : Module("DeepseekOcr2SamVisionLayer"),
      window_size_(window_size),
      layer_norm1_(context, {a.hidden_size, true}),
      attn_(context, a, window_size > 0 ? window_size : a.grid(), implementation),
      layer_norm2_(context, {a.hidden_size, true}),
      mlp_(context, a) {
  vary_by({window_size});
  register_module("layer_norm1", layer_norm1_);
  register_module("attn", attn_);
  register_module("layer_norm2", layer_norm2_);
  register_module("mlp", mlp_);
}

Tensor SamVisionLayer::forward(Tensor hidden_states) const {
  const Tensor residual = hidden_states;
  hidden_states = layer_norm1_(hidden_states);
  AttentionResult attention;
  if (window_size_ > 0) {
    const int64_t height = hidden_states.size(1), width = hidden_states.size(2);
    Partition partition = window_partition(hidden_states, window_size_);
    hidden_states = std::move(partition.windows);
    attention = attn_(hidden_states);
    hidden_states = std::move(attention.output);
    hidden_states = window_unpartition(partition, hidden_states, window_size_, height, width);
  } else {
    attention = attn_(hidden_states);
    hidden_states = std::move(attention.output);
  }
  hidden_states = torch::add(residual, hidden_states);
  const Tensor layernorm_output = layer_norm2_(hidden_states);
  Tensor inner = mlp_(layernorm_output);
  hidden_states = torch::add(hidden_states, std::move(inner));
  return hidden_states;
}

SamLayerNorm::SamLayerNorm(const BuildContext& context, int64_t channels) : Module("DeepseekOcr2SamLayerNorm") {
  register_parameter("weight", {channels}, context);
  register_parameter("bias", {channels}, context);
}

Tensor SamLayerNorm::forward(Tensor features) const {
  features = features.permute({0, 2, 3, 1});
  features = torch::layer_norm(features, parameter(0), parameter(1));
  return features.permute({0, 3, 1, 2});
}

SamVisionNeck::SamVisionNeck(const BuildContext& context, const SamArchitecture& a)
    : Module("DeepseekOcr2SamVisionNeck"),
      conv1_(context, square_conv(a.hidden_size, a.output_channels, 1, 1, 0)),
      layer_norm1_(context, a.output_channels),
      conv2_(context, square_conv(a.output_channels, a.output_channels, 3, 1, 1)),
      layer_norm2_(context, a.output_channels) {
  register_module("conv1", conv1_);
  register_module("layer_norm1", layer_norm1_);
  register_module("conv2", conv2_);
  register_module("layer_norm2", layer_norm2_);
}

Tensor SamVisionNeck::forward(Tensor hidden_states) const {
  hidden_states = hidden_states.permute({0, 3, 1, 2});
  hidden_states = conv1_(hidden_states);
  hidden_states = layer_norm1_(hidden_states);
  hidden_states = conv2_(hidden_states);
  hidden_states = layer_norm2_(hidden_states);
  return hidden_states;
}

SamVisionProj::SamVisionProj(const BuildContext& context, const SamArchitecture& a)
    : Module("DeepseekOcr2SamVisionProj"),
      conv1_(context, square_conv(a.output_channels, a.downsample_channels[0], 3, 2, 1)),
      conv2_(context, square_conv(a.downsample_channels[0], a.downsample_channels[1], 3, 2, 1)) {
  register_module("conv1", conv1_);
  register_module("conv2", conv2_);
}

Tensor SamVisionProj::forward(Tensor hidden_states) const {
  hidden_states = conv1_(hidden_states);
  hidden_states = conv2_(hidden_states);
  return hidden_states;
}

SamVisionEncoder::SamVisionEncoder(const BuildContext& context, const SamArchitecture& a,
                                   AttentionImplementation implementation)
    : Module("DeepseekOcr2SamVisionEncoder"),
      a_(a),
      patch_embed_(context, a),
      windowed_(context, a, a.window_size, implementation),
      global_(context, a, 0, implementation),
      neck_(context, a),
      proj_(context, a) {
  register_parameter("pos_embed", {1, a.grid(), a.grid(), a.hidden_size}, context);
  register_module("patch_embed", patch_embed_);
  for (int64_t i = 0; i < a.num_hidden_layers; ++i) {
    register_module_list("layers", a.is_global(i) ? global_ : windowed_, 1, i);
  }
  register_module("neck", neck_);
  register_module("proj", proj_);
}

Tensor SamVisionEncoder::forward(Tensor pixel_values) const {
  Tensor hidden_states = patch_embed_(pixel_values);
  Tensor positions = interpolate_pos_encoding(hidden_states.size(1), hidden_states.size(2));
  hidden_states = torch::add(hidden_states, std::move(positions));

  for (int64_t i = 0; i < a_.num_hidden_layers;) {
    int64_t run = 0;
    while (i + run < a_.num_hidden_layers && !a_.is_global(i + run)) ++run;
    hidden_states = repeat(run, std::move(hidden_states),
                           [&](int64_t k, const Tensor& state) { return windowed_.call_as(i + k, state); });
    i += run;
    if (i < a_.num_hidden_layers) hidden_states = global_.call_as(i, hidden_states);
    ++i;
  }

  hidden_states = neck_(hidden_states);
  hidden_states = proj_(hidden_states);
  return hidden_states;
}

Tensor SamVisionEncoder::interpolate_pos_encoding(int64_t height, int64_t width) const {
  Tensor pos_embed = parameter(0);
  if (pos_embed.size(1) == height && pos_embed.size(2) == width) return pos_embed;
  const DType target_dtype = pos_embed.dtype();
  pos_embed = pos_embed.permute({0, 3, 1, 2});
  Tensor resampled = torch::to(pos_embed, DType::float32);
  resampled = torch::upsample_bicubic2d_aa(std::move(resampled), height, width);
  pos_embed = torch::to(std::move(resampled), target_dtype);
  return pos_embed.permute({0, 2, 3, 1});
}

}  // namespace modelmeter::deepseek_ocr::transformers
