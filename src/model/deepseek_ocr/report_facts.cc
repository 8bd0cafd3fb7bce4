// What reports say of DeepSeek-OCR: facts of model and workload, the names of nodes, the categories of operators.
#include "model/deepseek_ocr/model.h"

namespace modelmeter::deepseek_ocr {

Fields DeepSeekOCR::model_fields() const {
  const DecoderArchitecture& d = architecture().decoder;
  return {{"model_id", model_id_},
          {"model_variant", model_variant_},
          {"hf_revision", nullptr},
          {"config_path", config_path_},
          {"hidden_size", d.hidden_size},
          {"intermediate_size", d.intermediate_size},
          {"num_layers", d.num_hidden_layers},
          {"num_attention_heads", d.num_attention_heads},
          {"vision_backbone", std::string("clip_vit_l")},
          {"uses_moe", d.n_routed_experts > 0},
          {"num_key_value_heads", d.num_key_value_heads},
          {"moe_intermediate_size", d.moe_intermediate_size},
          {"n_routed_experts", d.n_routed_experts},
          {"n_shared_experts", d.n_shared_experts},
          {"num_experts_per_tok", d.num_experts_per_tok},
          {"vocab_size", d.vocab_size},
          {"active_parameters_per_token", active_parameters()},
          {"kv_cache_bytes_per_token", d.kv_cache_bytes_per_token(model_->dtype())},
          {"notes", model_notes_}};
}

Fields DeepSeekOCR::workload_fields() const {
  const Workload& w = workload_;
  return {{"profile_id", w.profile_id},
          {"description", w.description},
          {"seq_len", w.seq_len},
          {"base_size", w.base_size},
          {"image_size", w.image_size},
          {"crop_mode", w.crop_mode},
          {"max_new_tokens", w.max_new_tokens},
          {"doc_kind", w.doc_kind},
          {"num_pages", w.num_pages},
          {"mode", w.mode},
          {"batch_size", w.batch_size},
          {"page_width", w.page_width},
          {"page_height", w.page_height},
          {"tile_columns", w.page.has_tiles() ? w.page.columns : 0},
          {"tile_rows", w.page.has_tiles() ? w.page.rows : 0},
          {"image_tokens", w.page.image_tokens()},
          {"prompt_tokens", w.prompt_tokens},
          {"decode_steps", w.decode_steps()}};
}

Fields DeepSeekOCR::runtime_fields() const {
  const Runtime& r = runtime_;
  const bool eager = r.attention == AttentionImplementation::eager;
  const char* routing = r.routing == Routing::uniform ? "uniform" : r.routing == Routing::worst ? "worst" : "best";
  return {{"implementation", std::string("official")},
          {"attention", std::string(eager ? "eager" : "flash")},
          {"precision", std::string(r.autocast ? "autocast" : "bf16")},
          {"sampling", r.sampling},
          {"logits", std::string(r.last_logits_only ? "last" : "all")},
          {"routing", std::string(routing)}};
}

// The forerunner's rules, in its order: a part of the class name decides.
std::vector<OperatorCategory> DeepSeekOCR::categories() const {
  const auto rule = [](const char* id, const char* name, const char* description, std::vector<std::string> parts) {
    return OperatorCategory{id, name, description, std::move(parts), {}, true};
  };
  return {
      rule("conv2d", "Convolution", "Patch embedding, neck and downsampling of the image encoder", {"conv"}),
      rule("linear", "Linear", "Projections of attention, MLPs and experts, image projector and head", {"linear", "lm_head"}),
      rule("norm", "Normalisation", "Layer norms and RMS norms", {"norm"}),
      rule("attention", "Attention", "Scores, softmax, weighted sum, relative positions, rotary turn and KV cache",
           {"attention", "attn"}),
      rule("embedding", "Embedding", "Token and position tables, rotary angles", {"embedding"}),
      rule("pool", "Pooling", "Pooling", {"pool"}),
      rule("dropout", "Dropout", "Dropout; none runs in inference", {"dropout"}),
      rule("activation", "Activation", "SiLU, GELU and their kin",
           {"activation", "gelu", "relu", "silu", "sigmoid", "tanh", "softmax"}),
      rule("other", "Other", "Residual additions, routing of tokens to experts, splicing, masks", {}),
  };
}

ReportNames DeepSeekOCR::names() const {
  const DecoderArchitecture& d = architecture().decoder;
  ReportNames out;
  out.root_id = "model/deepseek_ocr_model";
  out.root_stage = "other";
  out.class_prefix = "modeling_deepseekocr.";
  out.modules = {{"sam_model", "image_encoder_vit"}, {"vision_model", "vit_model"}, {"projector", "mlp_projector"},
                 {"layers[]", "layer"},              {"blocks[]", "block"},         {"experts[]", "expert"}};
  out.own = {{"DeepseekOCRModel", "masks_and_splicing"}, {"LlamaAttention", "layout"}, {"LlamaFlashAttention2", "layout"},
             {"DeepseekV2DecoderLayer", "residual"},     {"Block", "residual"},        {"NoTPTransformerBlock", "residual"},
             {"MoEGate", "gate"},                        {"DeepseekV2MoE", "residual"}};
  const std::string layers = "decoder/deepseek_v2_decoder_layer";
  out.placed = {{"prefill/model/vision", "vision", "vision"},
                {"prefill/model/decoder", layers + "/prefill", "prefill"},
                {"decode/model/decoder", layers + "/decode", "decode"}};
  out.groups = {{layers,
                 "DeepseekV2DecoderLayer",
                 "decode",
                 d.num_hidden_layers,
                 {{"hidden_size", d.hidden_size},
                  {"num_heads", d.num_attention_heads},
                  {"seq_len", workload_.seq_len},
                  {"intermediate_size", d.intermediate_size},
                  {"num_experts", d.n_routed_experts},
                  {"batch_size", workload_.batch_size},
                  {"num_key_value_heads", d.num_key_value_heads},
                  {"k_active", d.num_experts_per_tok},
                  {"num_shared_experts", d.n_shared_experts},
                  {"moe_intermediate_size", d.moe_intermediate_size}}}};
  out.nested_stages = {{"vision", "prefill"}};
  out.leaf_snapshots_only = true;
  return out;
}

}  // namespace modelmeter::deepseek_ocr
