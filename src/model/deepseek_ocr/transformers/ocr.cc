#include "model/deepseek_ocr/transformers/ocr.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

constexpr std::string_view text_norm = "DeepseekOcr2TextRMSNorm";

// DeepseekOcr2Model.get_placeholder_mask: where the image tokens are, and whether they are as many as there are
// features, which is read back to the host.
Tensor placeholder_mask(const Tensor& input_ids) {
  const Tensor special_image_mask = torch::eq(input_ids, 0.0);
  const Tensor n_image_tokens = torch::sum(special_image_mask);
  Tensor matches = torch::mul(n_image_tokens, 1);
  matches = torch::eq(std::move(matches), 0.0);
  torch::all(std::move(matches));
  return special_image_mask.unsqueeze(-1);
}

}  // namespace

TextDecoderLayer::TextDecoderLayer(const BuildContext& context, const DecoderArchitecture& a,
                                   AttentionImplementation implementation, bool sparse)
    : Module("DeepseekOcr2TextDecoderLayer"),
      self_attn_(context, AttentionOptions{"DeepseekOcr2TextAttention", a.hidden_size, a.num_attention_heads,
                                           a.num_key_value_heads, false, implementation}),
      input_layernorm_(context, a.hidden_size, text_norm),
      post_attention_layernorm_(context, a.hidden_size, text_norm) {
  register_module("self_attn", self_attn_);
  if (sparse) {
    register_module("mlp", moe_.emplace(context, a));
  } else {
    register_module("mlp",
                    mlp_.emplace(context, a.hidden_size, a.intermediate_size, "DeepseekOcr2TextMLP", "SiLUActivation"));
  }
  register_module("input_layernorm", input_layernorm_);
  register_module("post_attention_layernorm", post_attention_layernorm_);
}

Tensor TextDecoderLayer::forward(Tensor hidden_states, const TextArguments& args, int64_t layer_idx) const {
  Tensor residual = hidden_states;
  hidden_states = input_layernorm_(hidden_states);
  AttentionResult attn = self_attn_(hidden_states, args, layer_idx);
  hidden_states = std::move(attn.output);
  hidden_states = torch::add(residual, hidden_states);

  residual = hidden_states;
  hidden_states = post_attention_layernorm_(hidden_states);
  const auto mlp = [&] { return moe_ ? (*moe_)(hidden_states, args.experts) : (*mlp_)(hidden_states); };
  // A mask is as long as the cache, and alive here: live memory then grows otherwise than from step to step.
  hidden_states = args.attention_mask.defined() ? mlp() : alike(mlp);
  hidden_states = torch::add(residual, hidden_states);
  return hidden_states;
}

TextModel::TextModel(const BuildContext& context, const DecoderArchitecture& a, AttentionImplementation implementation)
    : Module("DeepseekOcr2TextModel"),
      implementation_(implementation),
      embed_tokens_(context, {a.vocab_size, a.hidden_size}),
      layers_(a, [&](bool sparse) { return std::make_unique<TextDecoderLayer>(context, a, implementation, sparse); }),
      norm_(context, a.hidden_size, text_norm),
      rotary_emb_("DeepseekOcr2TextRotaryEmbedding", a.head_dim()) {
  register_module("embed_tokens", embed_tokens_);
  layers_.for_each_row(
      [&](TextDecoderLayer& row, int64_t count, int64_t first) { register_module_list("layers", row, count, first); });
  register_module("norm", norm_);
  register_module("rotary_emb", rotary_emb_);
}

Tensor TextModel::forward(Tensor inputs_embeds, Tensor position_ids, DynamicCache* past_key_values,
                          ExpertsImplementation experts) const {
  TextArguments args;
  args.past_key_values = past_key_values;
  args.experts = experts;
  args.attention_mask = create_causal_mask(implementation_, inputs_embeds, past_key_values->seq_length());
  Tensor hidden_states = inputs_embeds;
  args.position_embeddings = rotary_emb_(hidden_states, position_ids);
  layers_.run(args, *past_key_values, hidden_states);
  hidden_states = norm_(hidden_states);
  return hidden_states;
}

OcrModel::OcrModel(const BuildContext& context, const Architecture& a, AttentionImplementation implementation)
    : Module("DeepseekOcr2Model"),
      vision_tower_(context, a, implementation),
      multi_modal_projector_(context, {a.encoder.hidden_size, a.decoder.hidden_size}),
      language_model_(context, a.decoder, implementation) {
  register_parameter("view_separator", {a.decoder.hidden_size}, context);
  register_module("vision_tower", vision_tower_);
  register_module("multi_modal_projector", multi_modal_projector_);
  register_module("language_model", language_model_);
}

ImageFeatures OcrModel::get_image_features(const PixelValues& pixels) const {
  ModuleCall call(*this);
  const int64_t batch_size = pixels.global.size(0);
  ImageFeatures out;
  out.last_hidden_state = vision_tower_(pixels.global);
  const Tensor global_features = multi_modal_projector_(out.last_hidden_state);
  Tensor all_local_features;
  if (pixels.local.defined()) {
    out.local_last_hidden_state = vision_tower_(pixels.local);
    all_local_features = multi_modal_projector_(out.local_last_hidden_state);
  }
  const int64_t hidden_size = global_features.size(2);
  const Tensor view_sep = parameter(0).unsqueeze(0);
  for (int64_t idx = 0; idx < batch_size; ++idx) {
    const Tensor global_flat = global_features.select(0, idx);
    if (pixels.local.defined()) {
      const Tensor local_flat =
          all_local_features.slice(0, idx * pixels.tiles, (idx + 1) * pixels.tiles).view({-1, hidden_size});
      out.pooler_output.push_back(torch::cat({local_flat, global_flat, view_sep}, 0));
    } else {
      out.pooler_output.push_back(torch::cat({global_flat, view_sep}, 0));
    }
  }
  return out;
}

Tensor OcrModel::forward(const OcrInputs& in) const {
  Tensor inputs_embeds;
  {
    ModuleCall call(language_model_.embed_tokens(), "language_model.embed_tokens");
    inputs_embeds = language_model_.embed_tokens().forward(in.input_ids);
  }
  Tensor image_features, special_image_mask;
  if (in.image != nullptr) {
    image_features = torch::cat(in.image->pooler_output, 0);
    special_image_mask = placeholder_mask(in.input_ids);
    inputs_embeds = torch::masked_scatter(inputs_embeds, special_image_mask, image_features);
  }
  return language_model_(inputs_embeds, in.position_ids, in.past_key_values, in.experts);
}

OcrForConditionalGeneration::OcrForConditionalGeneration(const BuildContext& context, const Architecture& a,
                                                         AttentionImplementation implementation)
    : Module("DeepseekOcr2ForConditionalGeneration"),
      a_(a),
      implementation_(implementation),
      dtype_(context.dtype),
      model_(context, a, implementation),
      lm_head_(context, {a.decoder.hidden_size, a.decoder.vocab_size, false}) {
  register_module("model", model_);
  register_module("lm_head", lm_head_);
}

ImageFeatures OcrForConditionalGeneration::get_image_features(const PixelValues& pixels) const {
  ModuleCall call(*this);
  return model_.get_image_features(pixels);
}

Tensor OcrForConditionalGeneration::forward(const OcrInputs& in) const {
  const Tensor hidden_states = model_(in);
  return lm_head_(hidden_states.slice(1, hidden_states.size(1) - 1, hidden_states.size(1)));
}

}  // namespace modelmeter::deepseek_ocr::transformers
