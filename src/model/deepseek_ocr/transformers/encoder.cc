#include "model/deepseek_ocr/transformers/encoder.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

constexpr std::string_view encoder_norm = "DeepseekOcr2VisionRMSNorm";

}  // namespace

VisionEncoderLayer::VisionEncoderLayer(const BuildContext& context, const EncoderArchitecture& a,
                                       AttentionImplementation implementation)
    : Module("DeepseekOcr2VisionEncoderLayer"),
      self_attn_(context, AttentionOptions{"DeepseekOcr2VisionAttention", a.hidden_size, a.num_attention_heads,
                                           a.num_key_value_heads, true, implementation}),
      mlp_(context, a.hidden_size, a.intermediate_size, "DeepseekOcr2VisionMLP", "SiLUActivation"),
      input_layernorm_(context, a.hidden_size, encoder_norm),
      post_attention_layernorm_(context, a.hidden_size, encoder_norm) {
  register_module("self_attn", self_attn_);
  register_module("mlp", mlp_);
  register_module("input_layernorm", input_layernorm_);
  register_module("post_attention_layernorm", post_attention_layernorm_);
}

Tensor VisionEncoderLayer::forward(Tensor hidden_states, const AttentionArguments& args, int64_t layer_idx) const {
  Tensor residual = hidden_states;
  hidden_states = input_layernorm_(hidden_states);
  AttentionResult attn = self_attn_(hidden_states, args, layer_idx);
  hidden_states = std::move(attn.output);
  hidden_states = torch::add(residual, hidden_states);

  residual = hidden_states;
  hidden_states = post_attention_layernorm_(hidden_states);
  hidden_states = mlp_(hidden_states);
  hidden_states = torch::add(residual, hidden_states);
  return hidden_states;
}

VisionEncoder::VisionEncoder(const BuildContext& context, const EncoderArchitecture& a,
                             AttentionImplementation implementation)
    : Module("DeepseekOcr2VisionEncoder"),
      a_(a),
      implementation_(implementation),
      layers_(context, a, implementation),
      norm_(context, a.hidden_size, encoder_norm),
      rotary_emb_("DeepseekOcr2VisionRotaryEmbedding", a.head_dim()) {
  register_module_list("layers", layers_, a.num_hidden_layers);
  register_module("norm", norm_);
  register_module("rotary_emb", rotary_emb_);
}

Tensor VisionEncoder::forward(Tensor inputs_embeds, int64_t num_patches) const {
  const int64_t bsz = inputs_embeds.size(0), seq_len = inputs_embeds.size(1);
  const Tensor position_ids = torch::arange(seq_len, DType::int64).unsqueeze(0);
  const Tensor block_sequence_ids = torch::full({bsz, seq_len}, DType::int64);
  torch::fill_(block_sequence_ids.slice(1, 0, num_patches), 0.0);
  AttentionArguments args;
  args.attention_mask = create_causal_mask(implementation_, inputs_embeds, 0, block_sequence_ids);

  Tensor hidden_states = inputs_embeds;
  args.position_embeddings = rotary_emb_(hidden_states, position_ids);
  hidden_states = repeat(a_.num_hidden_layers, std::move(hidden_states),
                         [&](int64_t i, const Tensor& state) { return layers_.call_as(i, state, args, i); });
  hidden_states = norm_(hidden_states);
  return hidden_states;
}

VisionModel::VisionModel(const BuildContext& context, const Architecture& a, AttentionImplementation implementation)
    : Module("DeepseekOcr2VisionModel"),
      sam_encoder_(context, a.sam, implementation),
      vision_encoder_(context, a.encoder, implementation),
      query_768_resolution_(context, {tile_queries, a.encoder.hidden_size}),
      query_1024_resolution_(context, {page_queries, a.encoder.hidden_size}) {
  register_module("sam_encoder", sam_encoder_);
  register_module("vision_encoder", vision_encoder_);
  register_module("query_768_resolution", query_768_resolution_);
  register_module("query_1024_resolution", query_1024_resolution_);
}

Tensor VisionModel::forward(Tensor pixel_values) const {
  const Tensor sam_encoder_outputs = sam_encoder_(pixel_values);
  const Tensor hidden_states = torch::flatten(sam_encoder_outputs, 2).transpose(1, 2);
  const int64_t bsz = hidden_states.size(0), num_patches = hidden_states.size(1);
  const Embedding& resolution = num_patches <= tile_queries ? query_768_resolution_ : query_1024_resolution_;
  const Tensor queries = resolution.weight().unsqueeze(0).expand({bsz, -1, -1});
  const Tensor combined = torch::cat({hidden_states, queries}, 1);
  const Tensor encoder_outputs = vision_encoder_(combined, num_patches);
  return encoder_outputs.slice(1, num_patches, encoder_outputs.size(1));
}

}  // namespace modelmeter::deepseek_ocr::transformers
