#include "model/deepseek_ocr/common_report.h"

#include <fmt/format.h>

#include <filesystem>

#include "base/checked.h"

namespace modelmeter::deepseek_ocr {

Identity Identity::read(const config::View& hf, const DataFiles& files) {
  hf.require_known_keys({"model_id", "model_variant", "config_path", "notes"});
  Identity out;
  out.model_id = hf.get<std::string>("model_id");
  out.model_variant = hf.get<std::string>("model_variant");
  out.notes = hf.get_or<std::string>("notes", "");
  out.config_file = files.find(hf.at("config_path"));
  return out;
}

Fields model_facts(const Identity& identity, const DecoderArchitecture& d, int64_t active_parameters, DType dtype) {
  return {{"model_id", identity.model_id},
          {"model_variant", identity.model_variant},
          {"hf_revision", nullptr},
          {"config_path", std::filesystem::path(identity.config_file).parent_path().string()},
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
          {"active_parameters_per_token", active_parameters},
          {"kv_cache_bytes_per_token", d.kv_cache_bytes_per_token(dtype)},
          {"notes", identity.notes}};
}

std::string page_note(const Workload& w) {
  const Page& p = w.page;
  if (p.columns > 0) {
    return fmt::format("a page of {} x {} pixels is {} x {} tiles of {} pixels and the whole at {}: {} image tokens, {} of text",
                       p.width, p.height, p.columns, p.rows, p.image_size, p.base_size, p.image_tokens, w.prompt_tokens);
  }
  const int64_t side = p.crop_mode ? p.base_size : p.image_size;
  return fmt::format("a page is seen at {} x {} pixels: {} image tokens, {} of text", side, side, p.image_tokens,
                     w.prompt_tokens);
}

std::vector<std::string> token_notes(const Workload& w, const DecoderArchitecture& d) {
  std::vector<std::string> out = {fmt::format("{} new tokens: the first comes out of prefill, {} decode steps give the others",
                                              w.max_new_tokens, w.decode_steps())};
  if (w.seq_len + w.max_new_tokens > d.max_position_embeddings) {
    out.push_back(fmt::format("{} tokens are more than the {} positions that the model is made for",
                              w.seq_len + w.max_new_tokens, d.max_position_embeddings));
  }
  return out;
}

std::vector<OperatorCategory> operator_categories() {
  const auto rule = [](const char* id, const char* name, const char* description, std::vector<std::string> parts) {
    return OperatorCategory{id, name, description, std::move(parts), {}, true};
  };
  return {
      rule("conv2d", "Convolution", "Patch embedding, neck and downsampling of the image encoder", {"conv"}),
      rule("linear", "Linear", "Projections of attention, MLPs and experts, image projector and head", {"linear", "lm_head", "experts"}),
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

void add_residences(Trace& trace, int32_t scope) {
  for (int32_t child = trace.scopes[static_cast<size_t>(scope)].first_child; child >= 0;
       child = trace.scopes[static_cast<size_t>(child)].next_sibling) {
    if (trace.scopes[static_cast<size_t>(child)].kind == ScopeKind::function) {
      trace.residences.push_back({child, trace.given_bytes});
    }
  }
}

int64_t cache_bytes_added(const std::string& stage, const Workload& w, const DecoderArchitecture& d, DType dtype) {
  constexpr char overflow[] = "the size of the KV cache";
  const int64_t tokens = stage == "prefill" ? w.seq_len : stage == "decode" ? w.decode_steps() : 0;
  return checked_mul(checked_mul(tokens, w.batch_size, overflow), d.kv_cache_bytes_per_token(dtype), overflow);
}

int64_t active_decoder_parameters(int64_t parameters, const DecoderArchitecture& d) {
  parameters -= d.vocab_size * d.hidden_size;
  for (int64_t i = 0; i < d.num_hidden_layers; ++i) {
    if (d.is_moe(i)) parameters -= (d.n_routed_experts - d.num_experts_per_tok) * 3 * d.hidden_size * d.moe_intermediate_size;
  }
  return parameters;
}

NodeGroup decoder_layers(const std::string& klass, const DecoderArchitecture& d, const Workload& w) {
  return {decoder_layers_id,
          klass,
          "decode",
          d.num_hidden_layers,
          {{"hidden_size", d.hidden_size},
           {"num_heads", d.num_attention_heads},
           {"seq_len", w.seq_len},
           {"intermediate_size", d.intermediate_size},
           {"num_experts", d.n_routed_experts},
           {"batch_size", w.batch_size},
           {"num_key_value_heads", d.num_key_value_heads},
           {"k_active", d.num_experts_per_tok},
           {"num_shared_experts", d.n_shared_experts},
           {"moe_intermediate_size", d.moe_intermediate_size}}};
}

}  // namespace modelmeter::deepseek_ocr
