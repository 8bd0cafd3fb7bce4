#include "model/deepseek_ocr/transformers/part.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace modelmeter::deepseek_ocr::transformers {
namespace {

// As transformers' config.json has it.
std::string config_of(const Architecture& a) {
  const SamArchitecture& s = a.sam;
  const EncoderArchitecture& e = a.encoder;
  const DecoderArchitecture& d = a.decoder;
  const std::string sam = fmt::format(
      R"({{"hidden_size":{},"num_hidden_layers":{},"num_attention_heads":{},"num_channels":{},"image_size":{},"patch_size":{},)"
      R"("window_size":{},"mlp_dim":{},"global_attn_indexes":[{}],"output_channels":{},"downsample_channels":[{}]}})",
      s.hidden_size, s.num_hidden_layers, s.num_attention_heads, s.num_channels, s.image_size, s.patch_size,
      s.window_size, s.mlp_dim, fmt::join(s.global_attn_indexes, ","), s.output_channels,
      fmt::join(s.downsample_channels, ","));
  const std::string encoder = fmt::format(
      R"({{"hidden_size":{},"intermediate_size":{},"num_hidden_layers":{},"num_attention_heads":{},"num_key_value_heads":{}}})",
      e.hidden_size, e.intermediate_size, e.num_hidden_layers, e.num_attention_heads, e.num_key_value_heads);
  const std::string text = fmt::format(
      R"({{"vocab_size":{},"hidden_size":{},"intermediate_size":{},"moe_intermediate_size":{},"num_hidden_layers":{},)"
      R"("num_attention_heads":{},"num_key_value_heads":{},"max_position_embeddings":{},"n_routed_experts":{},)"
      R"("n_shared_experts":{},"first_k_dense_replace":{},"num_experts_per_tok":{}}})",
      d.vocab_size, d.hidden_size, d.intermediate_size, d.moe_intermediate_size, d.num_hidden_layers,
      d.num_attention_heads, d.num_key_value_heads, d.max_position_embeddings, d.n_routed_experts, d.n_shared_experts,
      d.first_k_dense_replace, d.num_experts_per_tok);
  return fmt::format(R"({{"vision_config":{{"sam_config":{},"encoder_config":{}}},"text_config":{}}})", sam, encoder,
                     text);
}

}  // namespace

Part::Part(const std::string& name, std::shared_ptr<const OcrForConditionalGeneration> model,
           const GenerationInputs& in, int64_t cached_tokens)
    : Stage(name, name), model_(std::move(model)), in_(in), cached_tokens_(cached_tokens) {
  in_.decode_steps = 1;
}

void Part::forward(Tracer&) const {
  if (stage() == "vision") {
    vision(*model_, in_);
    return;
  }
  const ImageFeatures features = features_of(*model_, in_);
  if (stage() == "prefill") {
    DynamicCache cache;
    prefill(*model_, in_, features, cache);
  } else {
    DynamicCache cache = cache_of(model_->architecture().decoder, in_.batch_size, cached_tokens_, model_->dtype());
    decode(*model_, in_, cache);
  }
}

RecordedInputs Part::recorded_inputs() const {
  const bool eager = model_->implementation() == AttentionImplementation::eager;
  const PageLayout& page = in_.page;
  const int64_t new_tokens = stage() == "prefill" ? in_.context_tokens() : stage() == "decode" ? 1 : 0;
  return {
      "transformers", eager ? "eager" : "flash", config_of(model_->architecture()),
      fmt::format(R"({{"case":"{}","batch_size":{},"image":{},"tile":{},"tiles":{},"image_tokens":{},"new_tokens":{},)"
                  R"("cached_tokens":{}}})",
                  stage(), in_.batch_size, page.image_size, page.tile_size, page.tiles(), page.image_tokens(),
                  new_tokens, stage() == "decode" ? cached_tokens_ : 0)};
}

}  // namespace modelmeter::deepseek_ocr::transformers
