#include "model/deepseek_ocr/remote/ocr.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

// AttentionMaskConverter._make_causal_mask (transformers 4.46.3, modeling_attn_mask_utils.py).
Tensor make_causal_mask(int64_t bsz, int64_t tgt_len, DType dtype, int64_t past_key_values_length) {
  Tensor mask = torch::full({tgt_len, tgt_len}, DType::float32);
  const Tensor mask_cond = torch::arange(tgt_len, DType::int64);
  {
    Tensor next = torch::add(mask_cond, 1);
    Tensor seen = torch::lt(mask_cond, next.view({tgt_len, 1}));
    next.reset();
    torch::masked_fill_(mask, std::move(seen));
  }
  mask = torch::to(mask, dtype);
  if (past_key_values_length > 0) {
    Tensor past = torch::zeros({tgt_len, past_key_values_length}, dtype);
    mask = torch::cat({std::move(past), mask}, -1);
  }
  return mask.view({1, 1, tgt_len, tgt_len + past_key_values_length}).expand({bsz, 1, -1, -1});
}

// AttentionMaskConverter._expand_mask
Tensor expand_mask(const Tensor& mask, DType dtype, int64_t tgt_len) {
  const int64_t bsz = mask.size(0), src_len = mask.size(1);
  const Tensor expanded_mask = torch::to(mask.view({bsz, 1, 1, src_len}).expand({bsz, 1, tgt_len, src_len}), dtype);
  const Tensor inverted_mask = torch::rsub(expanded_mask, 1.0);
  Tensor masked = torch::to(inverted_mask, DType::boolean);
  return torch::masked_fill(inverted_mask, std::move(masked));
}

// _prepare_4d_causal_attention_mask
Tensor prepare_4d_causal_attention_mask(const Tensor& attention_mask, int64_t bsz, int64_t tgt_len, DType dtype,
                                        int64_t past_key_values_length) {
  Tensor causal_4d_mask;
  if (tgt_len > 1) causal_4d_mask = make_causal_mask(bsz, tgt_len, dtype, past_key_values_length);
  Tensor expanded_attn_mask = expand_mask(attention_mask, dtype, tgt_len);
  if (causal_4d_mask.defined()) {
    Tensor masked = torch::to(expanded_attn_mask, DType::boolean);
    expanded_attn_mask = torch::masked_fill(causal_4d_mask, std::move(masked));
  }
  return expanded_attn_mask;
}

}  // namespace

DeepseekOCRModel::DeepseekOCRModel(const BuildContext& context, const Architecture& a,
                                   AttentionImplementation implementation)
    : Module("DeepseekOCRModel"),
      implementation_(implementation),
      embed_tokens_(context, {a.decoder.vocab_size, a.decoder.hidden_size}),
      layers_(
          a.decoder,
          [&](bool moe) { return std::make_unique<DeepseekV2DecoderLayer>(context, a.decoder, implementation, moe); }),
      norm_(context, a.decoder.hidden_size),
      sam_model_(context, a.sam),
      vision_model_(context, a.clip),
      projector_(context, a.projector_input_dim, a.n_embed) {
  register_parameter("image_newline", {a.n_embed}, context);
  register_parameter("view_seperator", {a.n_embed}, context);
  register_module("embed_tokens", embed_tokens_);
  layers_.for_each_row([&](DeepseekV2DecoderLayer& row, int64_t count, int64_t first) {
    register_module_list("layers", row, count, first);
  });
  register_module("norm", norm_);
  register_module("sam_model", sam_model_);
  register_module("vision_model", vision_model_);
  register_module("projector", projector_);
}

Tensor DeepseekOCRModel::forward(const OcrInputs& in) const {
  Tensor inputs_embeds = embed_tokens_(in.input_ids);
  VisionLocals locals;
  if (in.input_ids.size(1) != 1 && !in.images.empty()) {
    FunctionScope scope("vision");
    torch::sum(in.images.front().original);  // 0 without an image; read back to the host
    splice_images({sam_model_, vision_model_, projector_, parameter(0), parameter(1)}, in.images, in.images_seq_mask,
                  inputs_embeds, locals);
  }
  return decode(in, inputs_embeds);
}

Tensor DeepseekOCRModel::attention_mask(const OcrInputs& in, const Tensor& inputs_embeds) const {
  if (implementation_ == AttentionImplementation::flash_attention_2) {
    Tensor masked = torch::eq(in.attention_mask, 0.0);
    torch::any(std::move(masked));  // whether any token is masked, read back to the host; none is
    return {};
  }
  return prepare_4d_causal_attention_mask(in.attention_mask, inputs_embeds.size(0), inputs_embeds.size(1),
                                          inputs_embeds.dtype(), in.past_key_values->seq_length());
}

Tensor DeepseekOCRModel::decode(const OcrInputs& in, const Tensor& inputs_embeds) const {
  const LayerArguments args{attention_mask(in, inputs_embeds), in.position_ids, in.past_key_values,
                            in.tokens_per_expert};
  Tensor hidden_states = inputs_embeds;
  layers_.run(args, *args.cache, hidden_states);
  return norm_(hidden_states);
}

DeepseekOCRForCausalLM::DeepseekOCRForCausalLM(const BuildContext& context, const Architecture& a,
                                               AttentionImplementation implementation)
    : Module("DeepseekOCRForCausalLM"),
      a_(a),
      dtype_(context.dtype),
      model_(context, a, implementation),
      lm_head_(context, {a.decoder.hidden_size, a.decoder.vocab_size, false}) {
  register_module("model", model_);
  register_module("lm_head", lm_head_);
}

Tensor DeepseekOCRForCausalLM::forward(const OcrInputs& in) const {
  const Tensor hidden_states = model_(in);
  if (in.last_logits_only) return head(hidden_states.slice(1, -1, hidden_states.size(1)));
  return head(hidden_states);
}

Tensor DeepseekOCRForCausalLM::head(const Tensor& hidden_states) const {
  Tensor logits = lm_head_(hidden_states);
  return torch::to(logits, DType::float32);
}

}  // namespace modelmeter::deepseek_ocr::remote
