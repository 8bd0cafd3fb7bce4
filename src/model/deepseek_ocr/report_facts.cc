// What reports say of DeepSeek-OCR: facts of model and workload, the names of nodes, the categories of operators.
#include "model/deepseek_ocr/model.h"

namespace modelmeter::deepseek_ocr {
namespace {

// By class, or by the name of a part that no class is.
std::vector<std::pair<std::string, std::string>> descriptions() {
  return {
      {"DeepseekOCRModel", "The decoder with the image encoders: embeddings of the prompt, image tokens in their places, layers, final norm."},
      {"DeepseekOCRForCausalLM", "One forward: hidden states of the new tokens, then logits in float32."},
      {"ImageEncoderViT", "SAM's ViT-B: windowed and global attention with relative positions, then a neck and two convolutions that leave 1/64 of the pixels."},
      {"PatchEmbed", "A convolution that makes a token of each 16 x 16 pixels."},
      {"Block", "A transformer block of SAM: attention in windows of 14 x 14 tokens, or over the whole image, and an MLP."},
      {"Attention", "Attention of SAM with decomposed relative positions, whose bias is written out for every pair of tokens."},
      {"MLPBlock", "Two linear layers with a GELU between."},
      {"LayerNorm2d", "Layer norm over the channels of an image, written in elementwise operations."},
      {"VitModel", "CLIP-L on SAM's features: its own patch convolution is there but does not run."},
      {"CLIPVisionEmbeddings", "The class token before SAM's features, and positions added, resampled where the grid is another."},
      {"NoTPTransformer", "The blocks of CLIP-L."},
      {"NoTPTransformerBlock", "Layer norm, attention, layer norm, feed-forward, each with a residual addition."},
      {"NoTPAttention", "Attention with one projection for queries, keys and values."},
      {"NoTPFeedForward", "Two linear layers with a quick GELU between."},
      {"MlpProjector", "One linear layer from the features of both encoders to the width of the decoder."},
      {"DeepseekV2DecoderLayer", "RMS norm, attention behind a KV cache, RMS norm, a dense MLP (layer 0) or a mixture of experts."},
      {"LlamaAttention", "Attention with rotary positions and a KV cache; scores and softmax written out."},
      {"LlamaFlashAttention2", "Attention with rotary positions and a KV cache, by the fused kernel."},
      {"LlamaRotaryEmbedding", "Cosines and sines of the positions, computed anew in every layer."},
      {"DeepseekV2RMSNorm", "RMS norm in float32, written in elementwise operations."},
      {"DeepseekV2MLP", "Gated MLP: silu(gate x) times up x, then down."},
      {"DeepseekV2MoE", "Every token goes to its best routed experts, and all of them to the shared one."},
      {"MoEGate", "The best experts of each token: a product and a softmax in float32, then top-k."},
      {"prefill", "The forward that reads the prompt and the page, and gives the first new token."},
      {"decode", "The forwards that give the other tokens, one each."},
      {"vision", "From the pixels of a page to the embeddings that stand for it in the prompt."},
      {"core", "The attention itself: scores, softmax and weighted sum."},
      {"rope", "The rotary turn of queries and keys."},
      {"rel_pos", "The attention bias of every pair of positions, from a table for each axis."},
      {"kv_cache", "Keys and values of the new tokens join those of all before: torch.cat copies the whole cache."},
      {"dispatch", "Tokens sorted by expert; how many each gets is read back to the host."},
      {"combine", "The experts' outputs back in the order of the tokens, weighted and added."},
      {"residual", "Residual additions."},
  };
}

}  // namespace

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
  out.class_prefix = "deepencoder.";
  for (const char* klass : {"DeepseekOCRModel", "DeepseekOCRForCausalLM"}) out.class_modules.emplace_back(klass, "modeling_deepseekocr");
  for (const char* klass : {"DeepseekV2DecoderLayer", "DeepseekV2RMSNorm", "DeepseekV2MLP", "DeepseekV2MoE", "MoEGate"}) {
    out.class_modules.emplace_back(klass, "modeling_deepseekv2");
  }
  for (const char* klass : {"LlamaAttention", "LlamaFlashAttention2", "LlamaRotaryEmbedding"}) {
    out.class_modules.emplace_back(klass, "transformers.models.llama.modeling_llama");
  }
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
  out.descriptions = descriptions();
  out.leaf_snapshots_only = true;
  return out;
}

}  // namespace modelmeter::deepseek_ocr
